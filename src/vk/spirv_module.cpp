#include "vk/spirv_module.hpp"

#include <algorithm>

#include "vkgpt/core/error.hpp"

namespace vkgpt::vk::spirv {
namespace {

constexpr std::uint32_t kMagic = 0x07230203;
constexpr std::size_t kHeaderWords = 5;
constexpr std::uint64_t kMostBytes = 1 << 20;  // of a push constant block; devices allow a few hundred
constexpr int kMostNesting = 16;

enum Decoration : std::uint32_t {
  kSpecId = 1,
  kArrayStride = 6,
  kMatrixStride = 7,
  kBuiltIn = 11,
  kNonWritable = 24,
  kNonReadable = 25,
  kBinding = 33,
  kDescriptorSet = 34,
  kOffset = 35,
};
constexpr std::uint32_t kBuiltInWorkgroupSize = 25;

/// Which operand is the result of an instruction that `Module::definition` knows; 0 for all others.
std::size_t result_operand(std::uint32_t op) {
  switch (op) {
    case kOpTypeInt:
    case kOpTypeFloat:
    case kOpTypeVector:
    case kOpTypeMatrix:
    case kOpTypeArray:
    case kOpTypeRuntimeArray:
    case kOpTypeStruct:
    case kOpTypePointer:
      return 1;
    case kOpConstant:
    case kOpConstantComposite:
    case kOpSpecConstant:
    case kOpSpecConstantComposite:
    case kOpSpecConstantOp:
    case kOpVariable:
      return 2;
    default:
      return 0;
  }
}

void apply(Decorations& decorations, const Instruction& instruction, std::size_t at) {
  switch (instruction.operand(at)) {
    case kSpecId:
      decorations.spec_id = instruction.operand(at + 1);
      break;
    case kArrayStride:
      decorations.array_stride = instruction.operand(at + 1);
      break;
    case kMatrixStride:
      decorations.matrix_stride = instruction.operand(at + 1);
      break;
    case kBuiltIn:
      decorations.is_workgroup_size = instruction.operand(at + 1) == kBuiltInWorkgroupSize;
      break;
    case kNonWritable:
      decorations.non_writable = true;
      break;
    case kNonReadable:
      decorations.non_readable = true;
      break;
    case kBinding:
      decorations.binding = instruction.operand(at + 1);
      break;
    case kDescriptorSet:
      decorations.descriptor_set = instruction.operand(at + 1);
      break;
    case kOffset:
      decorations.offset = instruction.operand(at + 1);
      break;
    default:
      break;
  }
}

}  // namespace

std::uint32_t Instruction::operand(std::size_t index) const {
  if (index >= words.size()) fail("SPIR-V: instruction {} has only {} words", op, words.size());
  return words[index];
}

Module::Module(std::span<const std::uint32_t> words) {
  if (words.size() < kHeaderWords || words[0] != kMagic) fail("SPIR-V: there is no header");
  bound_ = words[3];
  // Every id has an instruction of two words or more: a larger bound would only take memory.
  if (bound_ > words.size()) fail("SPIR-V: {} ids in {} words", bound_, words.size());
  definitions_.resize(bound_);
  bool is_in_function = false;
  for (std::size_t at = kHeaderWords; at < words.size();) {
    const std::size_t count = words[at] >> 16;
    if (count == 0 || count > words.size() - at) fail("SPIR-V: the instruction at word {} is cut short", at);
    const Instruction& instruction = instructions_.emplace_back(words[at] & 0xffff, words.subspan(at, count));
    define(instruction);
    decorate(instruction);
    if (instruction.op == kOpFunction) is_in_function = true;
    if (instruction.op == kOpFunctionEnd) is_in_function = false;
    at += count;
  }
  if (is_in_function) fail("SPIR-V: the last function is cut short");
}

void Module::define(const Instruction& instruction) {
  const std::size_t operand = result_operand(instruction.op);
  if (operand == 0) return;
  const std::uint32_t id = instruction.operand(operand);
  if (id >= bound_ || definitions_[id] != 0) fail("SPIR-V: id {} is out of range or defined twice", id);
  definitions_[id] = static_cast<std::uint32_t>(instructions_.size());
}

void Module::decorate(const Instruction& instruction) {
  if (instruction.op == kOpDecorate) apply(decorations_[instruction.operand(1)], instruction, 2);
  if (instruction.op == kOpMemberDecorate) {
    apply(member_decorations_[{instruction.operand(1), instruction.operand(2)}], instruction, 3);
  }
}

const Instruction* Module::definition(std::uint32_t id) const {
  if (id >= bound_ || definitions_[id] == 0) return nullptr;
  return &instructions_[definitions_[id] - 1];
}

const Instruction& Module::definition(std::uint32_t id, Op op) const {
  const Instruction* found = definition(id);
  if (found == nullptr || found->op != op) fail("SPIR-V: id {} is not defined by an instruction {}", id, +op);
  return *found;
}

const Decorations& Module::decorations(std::uint32_t id) const {
  static const Decorations none;
  const auto found = decorations_.find(id);
  return found == decorations_.end() ? none : found->second;
}

const Decorations& Module::member_decorations(std::uint32_t type, std::uint32_t member) const {
  static const Decorations none;
  const auto found = member_decorations_.find({type, member});
  return found == member_decorations_.end() ? none : found->second;
}

std::uint32_t Module::constant(std::uint32_t id) const {
  const Instruction* found = definition(id);
  if (found == nullptr || (found->op != kOpConstant && found->op != kOpSpecConstant)) {
    fail("SPIR-V: id {} is no constant", id);
  }
  return found->operand(3);
}

std::uint64_t Module::size_of(std::uint32_t type, const Decorations& member) const {
  return size_of(type, member, 0);
}

std::uint64_t Module::size_of(std::uint32_t type, const Decorations& member, int depth) const {
  const Instruction* found = definition(type);
  if (found == nullptr || depth > kMostNesting) fail("SPIR-V: type {} has no size", type);
  std::uint64_t bytes = 0;
  switch (found->op) {
    case kOpTypeInt:
    case kOpTypeFloat:
      bytes = found->operand(2) / 8;
      break;
    case kOpTypeVector:
      bytes = found->operand(3) * size_of(found->operand(2), {}, depth + 1);
      break;
    case kOpTypeMatrix:
      bytes = std::uint64_t{found->operand(3)} * member.matrix_stride.value_or(0);
      break;
    case kOpTypeArray:
      bytes = std::uint64_t{constant(found->operand(3))} * decorations(type).array_stride.value_or(0);
      break;
    case kOpTypeStruct:
      for (std::uint32_t i = 0; i + 2 < found->words.size(); ++i) {
        const Decorations& inner = member_decorations(type, i);
        bytes = std::max(bytes, inner.offset.value_or(0) + size_of(found->operand(i + 2), inner, depth + 1));
      }
      break;
    default:
      break;
  }
  if (bytes == 0 || bytes > kMostBytes) fail("SPIR-V: type {} has no size", type);
  return bytes;
}

}  // namespace vkgpt::vk::spirv
