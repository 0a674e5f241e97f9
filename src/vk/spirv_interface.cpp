#include "vkgpt/vk/spirv_interface.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>

#include "vkgpt/core/error.hpp"

#include "vk/spirv_module.hpp"

namespace vkgpt::vk {
namespace {

using namespace spirv;

constexpr std::uint32_t kMostBindings = 64;  // far above what any kernel has
constexpr int kMostFactors = 16;             // likewise, of a size
constexpr std::uint32_t kExecutionModelCompute = 5;
constexpr std::uint32_t kLocalSize = 17;
constexpr std::uint32_t kLocalSizeId = 38;

// Capabilities that come in ranges, first and last.
constexpr std::uint32_t kGroupNonUniform = 61, kGroupNonUniformQuad = 68;
constexpr std::uint32_t kCooperativeMatrixReductionsNV = 5430, kCooperativeMatrixBlockLoadsNV = 5434;
constexpr std::uint32_t kTensorAddressingNV = 5439;
constexpr std::uint32_t kCooperativeMatrixKHR = 6022;

struct Access {
  bool reads = false;
  bool writes = false;
};

/// Follows pointers from the variables they come from and notes what is done through them.
class PointerUses {
 public:
  explicit PointerUses(const Module& module) : roots_(module.id_bound()) {
    for (const Instruction& instruction : module.instructions()) visit(instruction);
  }

  Access of(std::uint32_t variable) const {
    const auto found = uses_.find(variable);
    return found == uses_.end() ? Access{} : found->second;
  }

 private:
  void visit(const Instruction& i) {
    switch (i.op) {
      case kOpVariable:
        roots_.at(i.operand(2)) = i.operand(2);
        break;
      case kOpAccessChain:
      case kOpInBoundsAccessChain:
      case kOpPtrAccessChain:
      case kOpInBoundsPtrAccessChain:
      case kOpCopyObject:
        derive(i);
        break;
      case kOpLoad:
      case kOpAtomicLoad:
      case kOpCooperativeMatrixLoadKHR:
      case kOpCooperativeMatrixLoadTensorNV:
        use(i.operand(3), {.reads = true});
        break;
      case kOpStore:
      case kOpAtomicStore:
      case kOpCooperativeMatrixStoreKHR:
      case kOpCooperativeMatrixStoreTensorNV:
        use(i.operand(1), {.writes = true});
        break;
      case kOpCopyMemory:
      case kOpCopyMemorySized:
        use(i.operand(1), {.writes = true});
        use(i.operand(2), {.reads = true});
        break;
      case kOpFunctionCall:
      case kOpSelect:
      case kOpPhi:  // where the pointer goes is not followed: anything may happen through it
        for (std::size_t k = 3; k < i.words.size(); ++k) use(i.operand(k), {.reads = true, .writes = true});
        break;
      default:
        if ((i.op >= kOpAtomicExchange && i.op <= kOpAtomicXor) || i.op == kOpAtomicFMinEXT ||
            i.op == kOpAtomicFMaxEXT || i.op == kOpAtomicFAddEXT) {
          use(i.operand(3), {.reads = true, .writes = true});
        }
    }
  }

  void derive(const Instruction& i) {
    const std::uint32_t result = i.operand(2), base = i.operand(3);
    if (result >= roots_.size() || base >= roots_.size()) fail("SPIR-V: id {} is out of range", result);
    roots_[result] = roots_[base];
  }

  void use(std::uint32_t pointer, Access access) {
    if (pointer >= roots_.size() || roots_[pointer] == 0) return;
    Access& sum = uses_[roots_[pointer]];
    sum.reads |= access.reads;
    sum.writes |= access.writes;
  }

  std::vector<std::uint32_t> roots_;  // by id: the variable that a pointer points into; 0 = it is none
  std::map<std::uint32_t, Access> uses_;
};

/// Accesses that no qualifier of the variable, or of all members of its block, rules out.
Access allowed_access(const Module& module, std::uint32_t variable, std::uint32_t block) {
  bool non_readable = true, non_writable = true;
  const std::size_t members = module.definition(block, kOpTypeStruct).words.size() - 2;
  for (std::uint32_t i = 0; i < members; ++i) {
    non_readable &= module.member_decorations(block, i).non_readable;
    non_writable &= module.member_decorations(block, i).non_writable;
  }
  const Decorations& own = module.decorations(variable);
  return {.reads = !own.non_readable && !non_readable, .writes = !own.non_writable && !non_writable};
}

void add_buffer(SpirvInterface& interface, const Module& module, const PointerUses& uses,
                const Instruction& variable) {
  const std::uint32_t id = variable.operand(2);
  const Decorations& decorations = module.decorations(id);
  if (!decorations.binding || decorations.descriptor_set.value_or(0) != 0) {
    fail("SPIR-V: a buffer is not at a binding of set 0");
  }
  const std::uint32_t binding = *decorations.binding;
  if (binding >= kMostBindings)
    fail("SPIR-V: binding {} is above the last one, {}", binding, kMostBindings - 1);
  const std::uint32_t block = module.definition(variable.operand(1), kOpTypePointer).operand(3);
  const Access allowed = allowed_access(module, id, block);
  const Access used = uses.of(id);
  if (interface.buffers.size() <= binding) interface.buffers.resize(binding + 1);
  BufferInterface& buffer = interface.buffers[binding];  // several variables may share one
  buffer.is_declared = true;
  buffer.reads |= used.reads && allowed.reads;
  buffer.writes |= used.writes && allowed.writes;
}

/// Multiplies a variable's size by the constant `id`: a number, a specialization constant, the extent of a
/// workgroup, or a product of those.
void multiply(SharedVariable& variable, const Module& module, std::uint32_t id, int depth = 0) {
  const Instruction* found = module.definition(id);
  if (found == nullptr || depth > kMostFactors) fail("SPIR-V: the size of shared memory is no number");
  if (found->op == kOpConstant) {
    variable.bytes *= found->operand(3);
  } else if (found->op == kOpSpecConstant && module.decorations(id).spec_id) {
    variable.spec_ids.push_back(*module.decorations(id).spec_id);
  } else if (found->op == kOpSpecConstantOp && found->operand(3) == kOpIMul) {
    multiply(variable, module, found->operand(4), depth + 1);
    multiply(variable, module, found->operand(5), depth + 1);
  } else if (found->op == kOpSpecConstantOp && found->operand(3) == kOpCompositeExtract) {
    const Instruction& composite = module.definition(found->operand(4), kOpSpecConstantComposite);
    multiply(variable, module, composite.operand(3 + found->operand(5)), depth + 1);
  } else {
    fail("SPIR-V: the size of shared memory is no number");
  }
}

/// The size of a type of shared memory, which has no strides and offsets.
SharedVariable shared_size(const Module& module, std::uint32_t type, int depth = 0) {
  const Instruction* found = module.definition(type);
  if (found == nullptr || depth > kMostFactors) fail("SPIR-V: type {} has no size", type);
  SharedVariable size;
  switch (found->op) {
    case kOpTypeArray:
      size = shared_size(module, found->operand(2), depth + 1);
      multiply(size, module, found->operand(3));
      return size;
    case kOpTypeStruct:
      size.bytes = 0;
      for (std::size_t i = 2; i < found->words.size(); ++i) {
        size.bytes += shared_size(module, found->operand(i), depth + 1).bytes;
      }
      return size;
    default:
      size.bytes = module.size_of(type);
      return size;
  }
}

void add_variable(SpirvInterface& interface, const Module& module, const PointerUses& uses,
                  const Instruction& variable) {
  switch (variable.operand(3)) {
    case kStorageBuffer:
      add_buffer(interface, module, uses, variable);
      break;
    case kPushConstant: {
      const std::uint32_t block = module.definition(variable.operand(1), kOpTypePointer).operand(3);
      interface.push_bytes = static_cast<std::uint32_t>(module.size_of(block));
      break;
    }
    case kWorkgroup: {
      const std::uint32_t type = module.definition(variable.operand(1), kOpTypePointer).operand(3);
      interface.shared.push_back(shared_size(module, type));
      break;
    }
    case kUniform:
    case kUniformConstant:
      fail("SPIR-V: a descriptor is no storage buffer");
    default:
      break;
  }
}

void set_extent(SpirvInterface& interface, const Module& module, std::size_t dimension, std::uint32_t id) {
  interface.workgroup[dimension] = {module.constant(id), module.decorations(id).spec_id};
}

/// The WorkgroupSize builtin overrides execution modes (SPIR-V specification, 3.21).
void add_workgroup(SpirvInterface& interface, const Module& module) {
  for (const Instruction& i : module.instructions()) {
    const bool has_values = i.op == kOpExecutionMode && i.operand(2) == kLocalSize;
    const bool has_ids = i.op == kOpExecutionModeId && i.operand(2) == kLocalSizeId;
    for (std::size_t d = 0; d < 3; ++d) {
      if (has_values) interface.workgroup[d] = {i.operand(3 + d), {}};
      if (has_ids) set_extent(interface, module, d, i.operand(3 + d));
    }
  }
  for (const Instruction& i : module.instructions()) {
    if (i.op != kOpConstantComposite && i.op != kOpSpecConstantComposite) continue;
    if (!module.decorations(i.operand(2)).is_workgroup_size) continue;
    for (std::size_t d = 0; d < 3; ++d) set_extent(interface, module, d, i.operand(3 + d));
  }
}

}  // namespace

std::array<std::uint64_t, 3> SpirvInterface::workgroup_size(
    std::span<const std::uint32_t> spec_constants) const {
  std::array<std::uint64_t, 3> size{};
  for (std::size_t d = 0; d < 3; ++d) {
    const auto& [value, spec_id] = workgroup[d];
    size[d] = spec_id && *spec_id < spec_constants.size() ? spec_constants[*spec_id] : value;
  }
  return size;
}

std::uint64_t SpirvInterface::shared_bytes(std::span<const std::uint32_t> spec_constants) const {
  std::uint64_t sum = 0;
  for (const SharedVariable& variable : shared) {
    std::uint64_t bytes = variable.bytes;
    for (const std::uint32_t id : variable.spec_ids) {
      if (id < spec_constants.size()) bytes *= spec_constants[id];
    }
    sum += bytes;
  }
  return sum;
}

bool SpirvInterface::has_capability(std::uint32_t capability) const {
  return std::ranges::binary_search(capabilities, capability);
}

bool SpirvInterface::uses_subgroups() const {
  return std::ranges::any_of(
      capabilities, [](std::uint32_t c) { return c >= kGroupNonUniform && c <= kGroupNonUniformQuad; });
}

bool SpirvInterface::uses_cooperative_matrices() const {
  return has_capability(kCooperativeMatrixKHR);
}

bool SpirvInterface::uses_cooperative_matrices2() const {
  return has_capability(kTensorAddressingNV) || std::ranges::any_of(capabilities, [](std::uint32_t c) {
           return c >= kCooperativeMatrixReductionsNV && c <= kCooperativeMatrixBlockLoadsNV;
         });
}

SpirvInterface read_spirv_interface(std::span<const std::uint32_t> words) {
  const Module module(words);
  const PointerUses uses(module);
  SpirvInterface interface;
  std::set<std::uint32_t> capabilities, spec_ids;
  int entry_points = 0;
  for (const Instruction& i : module.instructions()) {
    if (i.op == kOpCapability) capabilities.insert(i.operand(1));
    if (i.op == kOpEntryPoint && i.operand(1) == kExecutionModelCompute) ++entry_points;
    if (i.op == kOpVariable) add_variable(interface, module, uses, i);
    if (i.op == kOpDecorate) {
      const Decorations& decorations = module.decorations(i.operand(1));
      if (decorations.spec_id) spec_ids.insert(*decorations.spec_id);
    }
  }
  if (entry_points != 1) fail("SPIR-V: {} entry points of compute shaders", entry_points);
  add_workgroup(interface, module);
  interface.capabilities.assign(capabilities.begin(), capabilities.end());
  interface.spec_ids.assign(spec_ids.begin(), spec_ids.end());
  return interface;
}

}  // namespace vkgpt::vk
