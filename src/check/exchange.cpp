#include "vkgpt/ops/exchange.hpp"

#include <bit>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/half.hpp"

namespace vkgpt::check {
namespace {

std::vector<float> on_the_wire(const std::vector<float>& values, ops::Wire wire) {
  std::vector<float> words;
  if (wire == ops::Wire::kF32) return values;
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const std::uint32_t low = float_to_bf16(values[i]), high = float_to_bf16(values[i + 1]);
    words.push_back(std::bit_cast<float>(high << 16 | low));
  }
  return words;
}

/// Packed to exactly the words that conversion by hand gives.
void packed(Trial& t, std::int64_t n, ops::Wire wire) {
  std::vector<float> values = random_floats(static_cast<std::size_t>(n), 1, 100.0F);
  values[0] = std::bit_cast<float>(0x3f808000U);  // a tie
  values.back() = std::bit_cast<float>(0x7f7fffffU);
  const plan::Tensor x = t.given({n}, values);
  const plan::Tensor words = t.output({ops::wire_words(n, wire)});
  ops::exchange_pack(t.builder(), x, words, wire);
  t.expect_exactly("words", words, on_the_wire(values, wire));
}

/// Contributions are added one after another, in fp32, to what is there or to zero.
void folded(Trial& t, std::int64_t n, std::int64_t contributions, std::int64_t used, bool fresh,
            ops::Wire wire) {
  const auto count = static_cast<std::size_t>(n);
  std::vector<float> words;
  std::vector<float> expected = random_floats(count, 9);
  const plan::Tensor sum = t.given({n}, expected);
  if (fresh) expected.assign(count, 0.0F);
  for (std::int64_t c = 0; c < contributions; ++c) {
    const std::vector<float> values = random_floats(count, 20 + static_cast<std::uint64_t>(c), 3.0F);
    for (std::size_t i = 0; i < count && c < used; ++i) {
      expected[i] += wire == ops::Wire::kF32 ? values[i] : bf16_to_float(float_to_bf16(values[i]));
    }
    const std::vector<float> sent = on_the_wire(values, wire);
    words.insert(words.end(), sent.begin(), sent.end());
  }
  const plan::Tensor wires = t.given({contributions, ops::wire_words(n, wire)}, words, DType::kU32);
  const std::vector<float> control = {std::bit_cast<float>(static_cast<std::uint32_t>(used)),
                                      std::bit_cast<float>(fresh ? 1U : 0U)};
  const plan::Tensor controls = t.given({2}, control, DType::kU32);
  ops::exchange_fold(t.builder(), wires, controls, sum, wire);
  t.expect_exactly("sum", sum, expected);
}

}  // namespace

std::vector<Case> exchange_cases() {
  std::vector<Case> cases;
  for (const ops::Wire wire : {ops::Wire::kF32, ops::Wire::kBF16}) {
    const char* const name = wire == ops::Wire::kF32 ? "f32" : "bf16";
    for (const std::int64_t n : {2, 64, 258, 5002}) {
      cases.push_back({.variant = vkgpt::format("pack {} {}", name, n),
                       .quick = n == 5002,
                       .devices = folded_devices(1024),
                       .build = [=](Trial& t) { packed(t, n, wire); }});
      for (const std::int64_t used : {1, 3}) {
        for (const bool fresh : {false, true}) {
          cases.push_back({.variant = vkgpt::format("fold {} {} of 3, {} values{}", name, used, n,
                                                    fresh ? ", from zero" : ""),
                           .quick = n == 258,
                           .build = [=](Trial& t) { folded(t, n, 3, used, fresh, wire); }});
        }
      }
    }
  }
  return cases;
}

}  // namespace vkgpt::check
