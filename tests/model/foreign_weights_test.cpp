#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/safetensors.hpp"
#include "vkgpt/model/token_ids.hpp"

#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

/// A golden model of transformers in a directory that may be changed.
class ForeignWeights : public ::testing::Test {
 protected:
  void copy(const char* name) {
    std::filesystem::copy(test::source_dir() / "tests/golden" / name, temp_.path(),
                          std::filesystem::copy_options::recursive);
  }
  void patch(const char* file, const Json& patch) {
    Json json = read_json_file(temp_ / file);
    json.merge_patch(patch);
    write_file(temp_ / file, json.dump());
  }
  /// Writes the weights again under the names that `rename` gives; "" leaves a tensor out.
  template <typename Rename>
  void rename_tensors(const Rename& rename) {
    std::map<std::string, std::vector<std::byte>> values;
    std::vector<SafetensorsTensor> tensors;
    {
      const SafetensorsFile file(temp_ / kModelWeightsFile);
      for (const SafetensorsEntry& entry : file.entries()) {
        const std::string name = rename(entry.name);
        if (name.empty()) continue;
        values[name].resize(entry.size_bytes());
        file.read(entry, std::span<std::byte>(values[name]));
        const DType dtype = entry.dtype == "F16"    ? DType::kF16
                            : entry.dtype == "BF16" ? DType::kBF16
                                                    : DType::kF32;
        tensors.push_back({name, dtype, entry.shape});
      }
    }
    OutputFile file(temp_ / "new");
    write_safetensors(file, tensors, [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
      sink(values.at(tensor.name));
    });
    file.finish();
    rename_path(temp_ / "new", temp_ / kModelWeightsFile);
  }

  TempDirectory temp_;
};

TEST_F(ForeignWeights, PrefixesOfWrappersAreNoPartOfNames) {
  copy("hf_gpt2");
  const std::vector<float> arena = load_model(temp_.path()).arena;
  rename_tensors([](const std::string& name) { return "module._orig_mod." + name; });
  EXPECT_EQ(load_model(temp_.path()).arena, arena);
  rename_tensors([](std::string name) {
    name = name.substr(std::string("module._orig_mod.").size());
    return name.starts_with("transformer.h.0.") ? "transformer.h.0._orig_mod." + name.substr(16) : name;
  });
  EXPECT_EQ(load_model(temp_.path()).arena, arena) << "blocks may be compiled one by one";
  rename_tensors([](const std::string& name) { return "net._fsdp_wrapped_module." + name; });
  EXPECT_EQ(load_model(temp_.path()).arena, arena) << "a prefix of any name";
}

TEST_F(ForeignWeights, TiedWeightsMayStandUnderTheHeadsName) {
  copy("hf_gpt2");
  const std::vector<float> arena = load_model(temp_.path()).arena;
  rename_tensors([](const std::string& name) {
    if (name == "lm_head.weight") return std::string();
    return name.ends_with("wte.weight") ? std::string("lm_head.weight") : name;
  });
  EXPECT_EQ(load_model(temp_.path()).arena, arena);
}

TEST_F(ForeignWeights, GitLfsPointersAreNamed) {
  copy("hf_gpt2");
  write_file(temp_ / kModelWeightsFile,
             "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
  expect_error([&] { load_model(temp_.path()); }, "is a Git LFS pointer");
  write_file(temp_ / "config.json", read_file(temp_ / kModelWeightsFile));
  expect_error([&] { load_model(temp_.path()); }, "config.json is a Git LFS pointer");
}

TEST_F(ForeignWeights, RopeScalingReplacesRopeParameters) {
  copy("hf_qwen3");
  const Json llama3 = {{"rope_type", "llama3"},   {"rope_theta", 500.0},
                       {"factor", 8.0},           {"low_freq_factor", 1.0},
                       {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 16}};
  patch("config.json", {{"rope_parameters", llama3}, {"rope_scaling", nullptr}, {"vkgpt", nullptr}});
  EXPECT_EQ(read_model_config(temp_.path()).rope_scaling, "llama3");
  patch("config.json", {{"rope_scaling", Json::object()}});
  EXPECT_EQ(read_model_config(temp_.path()).rope_scaling, "llama3") << "an empty one says nothing";
  patch("config.json", {{"rope_scaling", {{"rope_type", "default"}}}, {"rope_theta", 700.0}});
  EXPECT_EQ(read_model_config(temp_.path()).rope_scaling, "none");
  EXPECT_EQ(read_model_config(temp_.path()).rope_theta, 700.0);
}

TEST_F(ForeignWeights, TokenIdsComeFromBothConfigurations) {
  write_file(temp_ / "config.json", R"({"bos_token_id": 5, "eos_token_id": [3, 0], "pad_token_id": null})");
  write_file(temp_ / "generation_config.json",
             R"({"bos_token_id": 9, "eos_token_id": [0, 7], "pad_token_id": -1})");
  EXPECT_EQ(read_token_ids(temp_.path()), (TokenIds{.begin = 5, .ends = {3, 0, 7}, .pad = {}}));
  write_file(temp_ / "generation_config.json", R"({"eos_token_id": 2, "pad_token_id": 4})");
  EXPECT_EQ(read_token_ids(temp_.path()), (TokenIds{.begin = 5, .ends = {3, 0, 2}, .pad = 4}));
  write_file(temp_ / "generation_config.json", R"({"eos_token_id": ["x"]})");
  expect_error([&] { read_token_ids(temp_.path()); }, "no number of a token");
  EXPECT_EQ(read_token_ids(temp_ / "none"), TokenIds{});
}

}  // namespace
}  // namespace vkgpt::model
