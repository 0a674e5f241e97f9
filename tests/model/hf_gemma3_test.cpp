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
  EXPECT_EQ(read_model_config(model.directory()).attention_window, 30);
  EXPECT_FALSE(read_model_config(model.directory()).has_window());
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

/// What is written of a model that is trained or used with a shorter context.
Json shortened_json(const GptConfig& config, std::int64_t block_size) {
  const TempDirectory temp;
  const GptConfig shorter = with_shorter_context(config, block_size);
  const std::string text = model_config_json(shorter);
  write_file(temp / kModelConfigFile, text);
  EXPECT_EQ(read_model_config(temp.path()), shorter);
  GptConfig longer = with_longer_context(shorter, config.block_size);
  longer.rope_original_context = config.rope_original_context;
  EXPECT_EQ(longer, config);
  return parse_json(text, "written");
}

TEST(HfWindow, OutlivesAShorterContext) {
  const CopiedConfig model;
  model.patch({{"max_position_embeddings", 1024}, {"sliding_window", 64}});
  const GptConfig gemma = read_model_config(model.directory());
  ASSERT_EQ(gemma.attention_window, 64);
  const Json written = shortened_json(gemma, 48);
  EXPECT_EQ(written["model_type"], "gemma3_text");
  EXPECT_EQ(written["sliding_window"], 64);
  EXPECT_EQ(written["layer_types"], Json::array({"sliding_attention", "full_attention"}));
  EXPECT_EQ(written["max_position_embeddings"], 48);
  const Path golden = test::source_dir() / "tests/golden";
  for (const char* name : {"hf_mistral", "hf_qwen3_layers"}) {
    const GptConfig config = read_model_config(golden / name);
    ASSERT_TRUE(config.has_window()) << name;
    const Json before = parse_json(model_config_json(config), name);
    const Json after = shortened_json(config, 2);
    for (const char* key : {"model_type", "sliding_window", "layer_types"}) {
      EXPECT_EQ(after.value(key, Json()), before.value(key, Json())) << name << " " << key;
    }
  }
}

/// Older versions wrote the context as the window of a Gemma that was trained with less than that.
TEST(HfWindow, OfOlderCheckpointsIsWhatTheirOwnMemberSays) {
  const CopiedConfig model;
  GptConfig config = read_model_config(model.directory());
  config.attention_window = 0;
  config.window_layers.clear();
  write_file(model.directory() / kModelConfigFile, model_config_json(config));
  EXPECT_EQ(read_model_config(model.directory()), config);
}

}  // namespace
}  // namespace vkgpt::model
