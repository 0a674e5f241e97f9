#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vkgpt::vk::spirv {

/// The instructions that `read_spirv_interface` looks at, under the names and numbers of the SPIR-V
/// specification, section 3.
enum Op : std::uint32_t {
  kOpEntryPoint = 15,
  kOpExecutionMode = 16,
  kOpCapability = 17,
  kOpTypeInt = 21,
  kOpTypeFloat = 22,
  kOpTypeVector = 23,
  kOpTypeMatrix = 24,
  kOpTypeArray = 28,
  kOpTypeRuntimeArray = 29,
  kOpTypeStruct = 30,
  kOpTypePointer = 32,
  kOpConstant = 43,
  kOpConstantComposite = 44,
  kOpSpecConstant = 50,
  kOpSpecConstantComposite = 51,
  kOpSpecConstantOp = 52,
  kOpFunction = 54,
  kOpFunctionEnd = 56,
  kOpFunctionCall = 57,
  kOpVariable = 59,
  kOpLoad = 61,
  kOpStore = 62,
  kOpCopyMemory = 63,
  kOpCopyMemorySized = 64,
  kOpAccessChain = 65,
  kOpInBoundsAccessChain = 66,
  kOpPtrAccessChain = 67,
  kOpInBoundsPtrAccessChain = 70,
  kOpDecorate = 71,
  kOpMemberDecorate = 72,
  kOpCompositeExtract = 81,
  kOpCopyObject = 83,
  kOpIMul = 132,
  kOpSelect = 169,
  kOpAtomicLoad = 227,
  kOpAtomicStore = 228,
  kOpAtomicExchange = 229,
  kOpAtomicXor = 242,  // the last of the integer atomics, which begin with OpAtomicExchange
  kOpPhi = 245,
  kOpExecutionModeId = 331,
  kOpCooperativeMatrixLoadKHR = 4457,
  kOpCooperativeMatrixStoreKHR = 4458,
  kOpCooperativeMatrixLoadTensorNV = 5367,
  kOpCooperativeMatrixStoreTensorNV = 5368,
  kOpAtomicFMinEXT = 5614,
  kOpAtomicFMaxEXT = 5615,
  kOpAtomicFAddEXT = 6035,
};

enum StorageClass : std::uint32_t {
  kUniformConstant = 0,
  kUniform = 2,
  kWorkgroup = 4,
  kPushConstant = 9,
  kStorageBuffer = 12,
};

/// Decorations of an id or of a member of a struct.
struct Decorations {
  std::optional<std::uint32_t> binding, descriptor_set, spec_id, array_stride, matrix_stride, offset;
  bool non_writable = false;
  bool non_readable = false;
  bool is_workgroup_size = false;
};

/// One instruction: `words[0]` has its opcode, the rest its operands.
struct Instruction {
  std::uint32_t op = 0;
  std::span<const std::uint32_t> words;

  /// Throws `Error` where the instruction is shorter.
  std::uint32_t operand(std::size_t index) const;
};

/// A module cut into instructions, with the definitions of types, constants and variables and with the
/// decorations found by id. It refers to the words.
class Module {
 public:
  /// Throws `Error` in one line when the words are no module.
  explicit Module(std::span<const std::uint32_t> words);

  const std::vector<Instruction>& instructions() const { return instructions_; }
  std::uint32_t id_bound() const { return bound_; }

  /// The instruction that defines the type, constant or variable; nothing for other ids.
  const Instruction* definition(std::uint32_t id) const;
  /// The same; throws `Error` unless it is one of `op`.
  const Instruction& definition(std::uint32_t id, Op op) const;
  const Decorations& decorations(std::uint32_t id) const;
  const Decorations& member_decorations(std::uint32_t type, std::uint32_t member) const;
  /// The value of the integer constant `id`, or the default of a specialization constant.
  std::uint32_t constant(std::uint32_t id) const;
  /// The bytes that a value of the type takes up in a buffer, whose member (if it is one) has decorations of
  /// its own. Throws `Error` for types without a size.
  std::uint64_t size_of(std::uint32_t type, const Decorations& member = {}) const;

 private:
  void define(const Instruction& instruction);
  void decorate(const Instruction& instruction);
  std::uint64_t size_of(std::uint32_t type, const Decorations& member, int depth) const;

  std::uint32_t bound_ = 0;
  std::vector<Instruction> instructions_;
  std::vector<std::uint32_t> definitions_;  // by id: the number of its instruction + 1
  std::map<std::uint32_t, Decorations> decorations_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Decorations> member_decorations_;
};

}  // namespace vkgpt::vk::spirv
