#include "support/architecture_grid.hpp"

#include <array>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

namespace vkgpt::test {
namespace {

/// What each choice has to offer.
const std::array<std::set<std::string>, 11> kOptions{{{"layernorm", "rmsnorm"},
                                                      {"gelu", "gelu_erf", "swiglu", "relu2"},
                                                      {"learned", "rope"},
                                                      {"all", "grouped", "one"},
                                                      {"0", "1"},
                                                      {"0", "1"},
                                                      {"0", "1"},
                                                      {"0", "1"},
                                                      {"0", "1"},
                                                      {"0", "1"},
                                                      {"0", "1"}}};

std::array<std::string, 11> choices_of(const model::GptConfig& config) {
  const auto flag = [](bool on) { return std::string(on ? "1" : "0"); };
  std::string kv_heads = "grouped";
  if (config.kv_heads() == config.n_head) kv_heads = "all";
  if (config.kv_heads() == 1) kv_heads = "one";
  return {config.norm,
          config.mlp,
          config.pos_encoding,
          kv_heads,
          flag(config.attention_window > 0),
          flag(config.qk_norm),
          flag(config.parallel_blocks),
          flag(config.bias),
          flag(config.tie_weights),
          flag(config.n_inner > 0),
          flag(config.logit_softcap > 0)};
}

TEST(ArchitectureGrid, HoldsEveryPairOfChoices) {
  std::set<std::tuple<std::size_t, std::string, std::size_t, std::string>> covered;
  for (const model::GptConfig& config : architecture_grid()) {
    EXPECT_NO_THROW(config.validate());
    const auto choices = choices_of(config);
    for (std::size_t a = 0; a < choices.size(); ++a)
      for (std::size_t b = a + 1; b < choices.size(); ++b) covered.emplace(a, choices[a], b, choices[b]);
  }
  for (std::size_t a = 0; a < kOptions.size(); ++a)
    for (std::size_t b = a + 1; b < kOptions.size(); ++b)
      for (const std::string& first : kOptions[a])
        for (const std::string& second : kOptions[b])
          EXPECT_TRUE(covered.contains({a, first, b, second})) << a << first << b << second;
}

TEST(ArchitectureGrid, NamesAreDistinct) {
  std::set<std::string> names;
  for (const model::GptConfig& config : architecture_grid()) names.insert(architecture_name(config));
  EXPECT_EQ(names.size(), architecture_grid().size());
  EXPECT_TRUE(names.contains("layernorm_gelu_learned"));
  EXPECT_TRUE(names.contains("rmsnorm_swiglu_rope_kv2_nobias"));
}

}  // namespace
}  // namespace vkgpt::test
