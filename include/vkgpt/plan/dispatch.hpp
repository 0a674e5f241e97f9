#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "vkgpt/plan/tensor.hpp"
#include "vkgpt/vk/shader_compiler.hpp"

namespace vkgpt::plan {

enum class Access { kRead, kWrite, kReadWrite };

/// A byte range of a root tensor that a dispatch touches; its place in `Dispatch::bindings` is the shader's
/// binding number.
struct Binding {
  TensorId tensor{};         // a root tensor once the dispatch is in a plan
  std::uint64_t offset = 0;  // bytes
  std::uint64_t size = 0;    // bytes
  Access access = Access::kRead;

  bool reads() const { return access != Access::kWrite; }
  bool writes() const { return access != Access::kRead; }
};

/// The whole of `t`. `kWrite` promises that the dispatch needs nothing of the old content (bytes that it
/// leaves untouched keep their value).
Binding read(const Tensor& t);
Binding write(const Tensor& t);
Binding read_write(const Tensor& t);

/// Rows [first, first + count) of `t` taken as a matrix of `t.shape.rows()` rows.
Binding rows(Binding whole, const Tensor& t, std::int64_t first, std::int64_t count);

/// A shader variant: `shaders/<stem>.comp` with macros and specialization constants (constant_id 0, 1, ...).
struct Kernel {
  std::string stem;
  std::vector<vk::Macro> macros = {};
  std::vector<std::uint32_t> spec_constants = {};
  std::uint32_t subgroup_size = 0;  // required size; 0 = the driver's choice
};

/// Packs push constants: `PushWords{}.u32(n).f32(eps)`.
class PushWords {
 public:
  PushWords& u32(std::uint64_t value);  // checked to fit 32 bits
  PushWords& f32(float value) {
    words_.push_back(std::bit_cast<std::uint32_t>(value));
    return *this;
  }
  operator std::vector<std::uint32_t>() const { return words_; }

 private:
  std::vector<std::uint32_t> words_;
};

/// What a dispatch must at least do; for dumps, rooflines and splitting long work.
struct Cost {
  std::uint64_t flops = 0;
  std::uint64_t bytes = 0;  // 0 = the sum of the bound ranges
};

struct Dispatch {
  Kernel kernel;
  std::vector<Binding> bindings = {};
  std::vector<std::uint32_t> push = {};
  std::array<std::uint32_t, 3> groups = {1, 1, 1};
  Cost cost = {};
  std::string label = {};  // set by the builder: the scope and the kernel's stem
};

}  // namespace vkgpt::plan
