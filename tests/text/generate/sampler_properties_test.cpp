// What holds of any draw, on random logits and settings.

#include <algorithm>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/text/generate/sampler.hpp"

#include "support/random_cases.hpp"

namespace vkgpt::text {
namespace {

using test::Random;

constexpr float kExcluded = -std::numeric_limits<float>::infinity();

struct Case {
  std::vector<float> logits;
  std::vector<Token> context;
  SamplerConfig config;
  std::uint64_t seed;
  std::uint32_t position;

  Token draw() const { return Sampler(config, seed, 0).draw(logits, context, position); }
};

Case random_case(Random& random) {
  Case c{.logits = std::vector<float>(1 + random.below(200)),
         .context = {},
         .config = {.temperature = random.chance(0.2) ? 0 : 0.1 + 2 * random.uniform(),
                    .top_k = random.between(0, 20),
                    .top_p = random.chance(0.5) ? 1 : 0.05 + 0.9 * random.uniform(),
                    .repetition_penalty = random.chance(0.5) ? 1 : 0.5 + random.uniform()},
         .seed = random.below(1000),
         .position = static_cast<std::uint32_t>(random.below(1000))};
  // Few different values, so that there are ties.
  for (float& logit : c.logits) {
    logit = random.chance(0.1) ? kExcluded : static_cast<float>(random.between(-6, 6)) * 0.75F;
  }
  c.logits[random.below(c.logits.size())] = 1;
  for (std::size_t n = random.below(6); n > 0; --n) {
    c.context.push_back(static_cast<Token>(random.below(c.logits.size())));
  }
  return c;
}

TEST(SamplerProperties, DrawsATokenThatTheFiltersLeave) {
  test::for_random_cases(2000, [](Random& random) {
    Case c = random_case(random);
    c.config.repetition_penalty = 1;
    const Token token = c.draw();
    ASSERT_GE(token, 0);
    ASSERT_LT(static_cast<std::size_t>(token), c.logits.size());
    const float drawn = c.logits[static_cast<std::size_t>(token)];
    EXPECT_NE(drawn, kExcluded);
    const auto likelier = std::ranges::count_if(c.logits, [&](float logit) { return logit > drawn; });
    EXPECT_TRUE(c.config.temperature != 0 || likelier == 0);
    EXPECT_TRUE(c.config.top_k == 0 || likelier < c.config.top_k);
  });
}

TEST(SamplerProperties, TheSameSeedDrawsTheSameToken) {
  test::for_random_cases(500, [](Random& random) {
    const Case c = random_case(random);
    EXPECT_EQ(c.draw(), c.draw());
  });
}

TEST(SamplerProperties, ExcludedTokensChangeNothing) {
  test::for_random_cases(500, [](Random& random) {
    Case c = random_case(random);
    const Token token = c.draw();
    c.logits.insert(c.logits.end(), 1 + random.below(20), kExcluded);
    EXPECT_EQ(c.draw(), token);
  });
}

TEST(SamplerProperties, AShiftOfAllLogitsChangesNothing) {
  test::for_random_cases(500, [](Random& random) {
    Case c = random_case(random);
    c.config.repetition_penalty = 1;  // it looks at signs
    const Token token = c.draw();
    for (float& logit : c.logits) logit += 8;  // exact for these values
    EXPECT_EQ(c.draw(), token);
  });
}

}  // namespace
}  // namespace vkgpt::text
