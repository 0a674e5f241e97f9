#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
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

/// The macros of a shader variant: `Macros{}.dtype("DTYPE", x.dtype).flag("BIAS", has_bias).value("HS", HS)`.
class Macros {
 public:
  using value_type = vk::Macro;
  using const_iterator = std::vector<vk::Macro>::const_iterator;

  /// `name` stands for a number: an integer, a bool as 0 or 1, an enumerator.
  template <typename T>
    requires std::integral<T> || std::is_enum_v<T>
  Macros& value(std::string name, T number) {
    return text(std::move(name), std::to_string(static_cast<std::int64_t>(number)));
  }
  /// `name` is defined (as 1) only if `is_set`.
  Macros& flag(std::string name, bool is_set = true);
  /// `name` stands for an element type as shaders/include/element.glsl numbers them: f32, f16 or bf16.
  Macros& dtype(std::string name, DType dtype);
  Macros& text(std::string name, std::string text);
  Macros& append(const Macros& others);

  const_iterator begin() const { return list_.begin(); }
  const_iterator end() const { return list_.end(); }
  operator const std::vector<vk::Macro>&() const { return list_; }
  bool operator==(const Macros&) const = default;

 private:
  std::vector<vk::Macro> list_;
};

/// A shader variant: `shaders/<stem>.comp` with macros and specialization constants (constant_id 0, 1, ...).
struct Kernel {
  std::string stem;
  Macros macros = {};
  std::vector<std::uint32_t> spec_constants = {};
  std::uint32_t subgroup_size = 0;  // required size; 0 = the driver's choice
};

/// Packs push constants: `PushWords{}.u32(rows, C).f32(eps)`.
class PushWords {
 public:
  /// Integers of any type; a negative one is a `CheckFailure`, one beyond 32 bits `TooLarge`.
  PushWords& u32(std::integral auto... values) {
    (add(static_cast<std::int64_t>(values)), ...);
    return *this;
  }
  PushWords& f32(std::floating_point auto... values) {
    (words_.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(values))), ...);
    return *this;
  }
  operator std::vector<std::uint32_t>() const { return words_; }

 private:
  void add(std::int64_t value);

  std::vector<std::uint32_t> words_;
};

/// The least work of a dispatch, for dumps, rooflines and splitting long work.
struct Cost {
  std::int64_t flops = 0;
  std::int64_t bytes = 0;  // 0 = the sum of the bound ranges
};

struct Dispatch {
  Kernel kernel;
  std::vector<Binding> bindings = {};
  std::vector<std::uint32_t> push = {};
  /// Bindings that the kernel also reads by address: their addresses follow the push constants, as 64-bit
  /// words.
  std::vector<std::uint32_t> addresses = {};
  std::array<std::uint32_t, 3> groups = {1, 1, 1};
  Cost cost = {};
  std::string label = {};  // set by the builder: the scope and the kernel's stem
  std::string work = {};   // key of what a tuner may choose another kernel for; empty = nothing

  std::uint32_t push_bytes() const {
    return static_cast<std::uint32_t>(4 * push.size() + 8 * addresses.size());
  }
};

}  // namespace vkgpt::plan
