// What config.json files of Gemma 3 say.

#include <utility>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/model_directory.hpp"

#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

/// A copy of the golden's config.json.
class CopiedConfig {
 public:
  CopiedConfig() {
    write_file(temp_ / kModelConfigFile,
               read_file(test::source_dir() / "tests/golden/hf_gemma3" / kModelConfigFile));
  }
  const Path& directory() const { return temp_.path(); }

  /// With `patch` merged in (null removes a member).
  void patch(const Json& patch) const {
    Json json = read_json_file(temp_ / kModelConfigFile);
    json.merge_patch(patch);
    write_file(temp_ / kModelConfigFile, json.dump());
  }

 private:
  TempDirectory temp_;
};

TEST(HfGemma3, ReadsLayersInBothSpellings) {
  const CopiedConfig model;
  const GptConfig config = read_model_config(model.directory());
  EXPECT_EQ(config.rope_layers, "lr");
  EXPECT_EQ(config.window_layers, "wf");
  EXPECT_EQ(config.attention_scalar, 168);
  EXPECT_EQ(config.rope_theta, 5000);
  EXPECT_EQ(config.rope_local_theta, 100);
  // As transformers 4 had it.
  model.patch({{"rope_parameters", nullptr},
               {"rope_theta", 5000.0},
               {"rope_local_base_freq", 100},
               {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}},
               {"layer_types", nullptr},
               {"sliding_window_pattern", 2}});
  EXPECT_EQ(read_model_config(model.directory()), config);
  model.patch({{"sliding_window", 30}});
  EXPECT_EQ(read_model_config(model.directory()).attention_window, 0);
  EXPECT_EQ(read_model_config(model.directory()).rope_layers, "lr") << "their positions stay local";
  model.patch({{"sliding_window", nullptr}, {"max_position_embeddings", 8192}});
  EXPECT_EQ(read_model_config(model.directory()).attention_window, 4096) << "where none is named";
  const std::pair<Json, const char*> cases[] = {
      {{{"attn_logit_softcapping", 50.0}}, "attn_logit_softcapping is not supported"},
      {{{"use_bidirectional_attention", true}}, "use_bidirectional_attention is not supported"},
      {{{"attention_bias", true}}, "attention_bias is not supported"},
      {{{"hidden_activation", "gelu"}}, "hidden_activation \"gelu\""},
      {{{"query_pre_attn_scalar", 0}}, "query_pre_attn_scalar is 0"},
      {{{"sliding_window_pattern", 0}}, "sliding_window_pattern is 0"},
      {{{"rope_parameters", {{"sliding_attention", {{"rope_type", "yarn"}}}}}}, "rope_type \"yarn\""},
      {{{"rope_parameters", {{"sliding_attention", 3}}}}, "sliding_attention is not an object"},
      {{{"model_type", "gemma3"}}, "reads images, too"},
      {{{"model_type", "gemma2"}}, "model_type \"gemma2\" is none that this version runs"}};
  for (const auto& [patch, part] : cases) {
    SCOPED_TRACE(patch.dump());
    const CopiedConfig other;
    other.patch({{"layer_types", nullptr}});
    other.patch(patch);
    expect_error([&] { read_model_config(other.directory()); }, part);
  }
}

}  // namespace
}  // namespace vkgpt::model
