#include "vkgpt/train/init_adapter.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/adapter_config.hpp"
#include "vkgpt/model/adapter_files.hpp"
#include "vkgpt/model/base_directory.hpp"
#include "vkgpt/model/gguf_adapter.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/model/safetensors.hpp"
#include "vkgpt/train/plan_options.hpp"

#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

constexpr auto kAllTargets = "c_attn,attn.c_proj,c_fc,mlp.c_proj";
using Flags = std::map<std::string, std::string>;

/// PEFT's adapters of a golden file, of which each test changes its copy.
class InitAdapter : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::copy(golden() / "adapter", adapter()); }

  static Path golden() { return Path(test::source_dir()) / "tests/golden/base_llama"; }
  Path adapter() const { return directory_ / "adapter"; }
  static model::GptConfig model() { return model::read_model_config(golden()); }

  TrainConfig taken(const Flags& flags = {}) const {
    TrainConfig config;
    config.init_from = golden().string();
    config.init_adapter = adapter().string();
    FieldSet fields(config);
    for (const auto& [key, text] : flags) fields.set({.key = key, .text = text, .where = "--" + key});
    take_adapter_settings(fields, model(), config);
    return config;
  }

  void change_settings(const Json& change) const {
    Json config = read_json_file(adapter() / model::kAdapterConfigFile);
    config.update(change);
    write_file(adapter() / model::kAdapterConfigFile, config.dump());
  }

  /// Writes the tensors again: those whose name has `word`, left out or, where `keep`, with other numbers.
  void change_tensors(const std::string& word, bool keep) const {
    const Path path = adapter() / model::kAdapterWeightsFile;
    std::map<std::string, std::vector<float>> values;
    std::vector<model::SafetensorsTensor> tensors;
    {
      const model::SafetensorsFile file(path);
      for (const model::SafetensorsEntry& entry : file.entries()) {
        const bool is_meant = entry.name.find(word) != std::string::npos;
        if (is_meant && !keep) continue;
        std::vector<float>& numbers = values[entry.name];
        numbers.resize(static_cast<std::size_t>(entry.shape.numel()));
        file.read(entry, numbers);
        if (is_meant) numbers[0] += 1;
        tensors.push_back({.name = entry.name, .dtype = DType::kF32, .shape = entry.shape});
      }
    }
    OutputFile out(path);
    model::write_safetensors(out, tensors,
                             [&](const model::SafetensorsTensor& tensor, const model::SafetensorsSink& sink) {
                               sink(std::as_bytes(std::span(values.at(tensor.name))));
                             });
    out.finish();
  }

  TempDirectory directory_;
};

TEST_F(InitAdapter, BringsRankScaleAndTargets) {
  for (const Flags& flags : {Flags{}, Flags{{"lora_rank", "4"}, {"lora_alpha", "8"}},
                             Flags{{"lora_alpha", "4"}, {"lora_rank_stabilized", "true"}},
                             Flags{{"lora_targets", "c_proj,c_attn,c_fc"}}}) {
    const TrainConfig config = taken(flags);
    EXPECT_EQ(config.lora_rank, 4);
    EXPECT_EQ(adaptation(config).lora_scale(), 2);
    EXPECT_EQ(config.lora_targets, kAllTargets);
  }
  change_settings({{"use_rslora", true}});
  EXPECT_EQ(adaptation(taken()).lora_scale(), 4) << "8 / sqrt(4)";
}

TEST_F(InitAdapter, GivesTheFactorsOfTheFile) {
  const TrainConfig config = taken();
  const model::GptParams params(model(), adaptation(config));
  std::vector<float> expected = model::initial_trainable(params, 1);
  std::vector<float> arena = model::initial_trainable(params, 2);
  ASSERT_NE(arena, expected);
  model::read_adapter_parameters(adapter(), params, expected);
  read_init_adapter(config, params, arena);
  EXPECT_EQ(arena, expected);

  const Path gguf = directory_ / "adapter.gguf";
  OutputFile out(gguf);
  model::write_gguf_adapter(out, model::open_adapter(adapter(), model::GptParams(model())),
                            model::GptParams(model()), "a");
  out.finish();
  std::filesystem::remove_all(adapter());
  std::filesystem::rename(gguf, directory_ / "other.gguf");
  TrainConfig other;
  other.init_from = golden().string();
  other.init_adapter = (directory_ / "other.gguf").string();
  const FieldSet fields(other);
  take_adapter_settings(fields, model(), other);
  EXPECT_EQ(adaptation(other), adaptation(config));
  arena = model::initial_trainable(params, 2);
  read_init_adapter(other, params, arena);
  EXPECT_EQ(arena, expected);
}

TEST_F(InitAdapter, MayBeOfSomeLayers) {
  change_tensors("layers.0.mlp", false);
  const TrainConfig config = taken();
  EXPECT_EQ(config.lora_targets, "c_attn,attn.c_proj,1.mlp.c_fc,1.mlp.c_proj");
  const model::GptParams params(model(), adaptation(config));
  std::vector<float> arena = model::initial_trainable(params, 1);
  EXPECT_NO_THROW(read_init_adapter(config, params, arena));
  EXPECT_EQ(params.find_if_present("h.0.mlp.c_fc.lora_A.weight"), nullptr);
}

TEST_F(InitAdapter, RefusesSettingsThatContradictIt) {
  const std::string path = adapter().string();
  expect_error([&] { taken({{"lora_rank", "8"}}); }, "lora_rank = 8: " + path + " has 4");
  expect_error([&] { taken({{"lora_alpha", "16"}}); }, "lora_alpha = 16 scales by 4: " + path + " has 2");
  expect_error([&] { taken({{"lora_targets", "c_attn"}}); },
               "lora_targets = c_attn: " + path + " has " + kAllTargets);
  TrainConfig config;
  config.init_adapter = path;
  expect_error([&] { config.validate(); }, "--init_adapter without --init_from");
  config.init_from = path;
  const FieldSet fields(config);
  expect_error([&] { take_adapter_settings(fields, model(), config); }, "has adapters itself");
  config.keep_optimizer = true;
  expect_error([&] { config.validate(); }, "--keep_optimizer");
}

TEST_F(InitAdapter, RefusesWhatTrainingCannotHold) {
  change_settings({{"lora_alpha", -8}});
  expect_error([&] { taken(); }, "its lora_alpha of -8 is not above 0");
  change_settings({{"lora_alpha", 8}, {"use_dora", true}});
  expect_error([&] { taken(); }, "use_dora is not supported");
  change_settings({{"use_dora", false}, {"modules_to_save", {"lm_head"}}});
  expect_error([&] { taken(); }, "modules_to_save is not supported");
  change_settings({{"modules_to_save", nullptr}});
  change_tensors("layers.1.self_attn.v_proj.lora_A", true);
  expect_error([&] { taken(); }, "the projections of h.1.attn.c_attn each have an A of their own");
  change_tensors("k_proj", false);
  change_settings({{"target_modules", {"q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}}});
  change_tensors("v_proj", false);
  change_settings({{"target_modules", {"q_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}}});
  expect_error([&] { taken(); }, "only some of the projections of h.0.attn.c_attn have adapters");
  change_tensors("layers.1.mlp.down_proj.lora_B", false);
  expect_error([&] { taken(); }, "down_proj.lora_B.weight\" is missing");
}

}  // namespace
}  // namespace vkgpt::train
