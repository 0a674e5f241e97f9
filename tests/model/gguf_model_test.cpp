#include "vkgpt/model/gguf_model.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/half.hpp"

#include "support/expect_error.hpp"
#include "support/gguf_file.hpp"
#include "support/temp_directory.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::model {
namespace {

using test::GgufFile;

GptConfig gpt2_config() {
  GptConfig config = test::tiny_gpt2_config();
  config.n_inner = 48;
  return config;
}

GptConfig llama_config() {
  GptConfig config = test::tiny_llama_config();
  config.bias = false;
  config.rope_theta = 50000;
  config.layer_norm_eps = 1e-6;
  return config;
}

/// Every parameter random, the vocabulary's padding zero.
LoadedModel random_model(const GptConfig& config) {
  LoadedModel model{GptParams(config), {}};
  model.arena = initial_parameters(model.params, 7);
  for (const ParamSpec& spec : model.params.specs()) {
    if (spec.init == ParamSpec::Init::kNormal) continue;
    for (std::int64_t i = 0; i < spec.numel(); ++i) {
      model.arena[static_cast<std::size_t>(spec.offset + i)] = 0.01F * static_cast<float>(i + 1);
    }
  }
  return model;
}

std::vector<float> rows_of(const LoadedModel& model, const std::string& name, std::int64_t first,
                           std::int64_t count) {
  const ParamSpec& spec = model.params.find(name);
  const std::int64_t width = spec.numel() / spec.shape[0];
  const auto begin = model.arena.begin() + spec.offset + first * width;
  return {begin, begin + count * width};
}

struct Written {
  GgufFile file;
  GgufSummary summary;
};

Written write_model(const LoadedModel& model, TensorEncoding encoding, std::int64_t vocabulary_rows) {
  const TempDirectory temp;
  OutputFile out(temp / "x.gguf");
  const GgufSummary summary = write_gguf_model(out, model, encoding,
                                               {.name = "tiny",
                                                .vocabulary = {{"tokenizer.ggml.model", std::string("gpt2")}},
                                                .vocabulary_rows = vocabulary_rows});
  out.finish();
  return {GgufFile(temp / "x.gguf"), summary};
}

std::set<std::string> names_of(const GgufFile& file) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : file.tensors) names.insert(name);
  return names;
}

TEST(GgufModel, WritesGpt2) {
  const LoadedModel model = random_model(gpt2_config());
  const auto [file, summary] = write_model(model, TensorEncoding::kF32, 30);
  EXPECT_EQ(summary.architecture, "gpt2");
  EXPECT_EQ(file.text("general.architecture"), "gpt2");
  EXPECT_EQ(file.text("general.name"), "tiny");
  EXPECT_EQ(file.text("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.number("general.file_type"), 0U);
  EXPECT_EQ(file.number("gpt2.block_count"), 2U);
  EXPECT_EQ(file.number("gpt2.context_length"), 16U);
  EXPECT_EQ(file.number("gpt2.embedding_length"), 32U);
  EXPECT_EQ(file.number("gpt2.feed_forward_length"), 48U);
  EXPECT_EQ(file.number("gpt2.attention.head_count"), 2U);
  EXPECT_EQ(file.number("gpt2.vocab_size"), 30U);
  EXPECT_EQ(std::get<float>(file.values.at("gpt2.attention.layer_norm_epsilon")), 1e-5F);

  std::set<std::string> names = {"token_embd.weight", "position_embd.weight", "output_norm.weight",
                                 "output_norm.bias"};
  for (const std::string block : {"blk.0.", "blk.1."}) {
    for (const std::string module :
         {"attn_norm", "attn_qkv", "attn_output", "ffn_norm", "ffn_up", "ffn_down"}) {
      names.insert(block + module + ".weight");
      names.insert(block + module + ".bias");
    }
  }
  EXPECT_EQ(names_of(file), names);
  EXPECT_EQ(summary.tensors, static_cast<std::int64_t>(names.size()));

  const GgufFile::Tensor& embedding = file.tensors.at("token_embd.weight");
  EXPECT_EQ(embedding.dims, (std::vector<std::uint64_t>{32, 30}));
  std::vector<float> rows = rows_of(model, "wte.weight", 0, 29);
  rows.resize(30 * 32);  // the token that the vocabulary has and the model does not
  EXPECT_EQ(embedding.values, rows);
  EXPECT_EQ(file.tensors.at("position_embd.weight").values, rows_of(model, "wpe.weight", 0, 16));
  const GgufFile::Tensor& up = file.tensors.at("blk.1.ffn_up.weight");
  EXPECT_EQ(up.dims, (std::vector<std::uint64_t>{32, 48}));
  EXPECT_EQ(up.values, rows_of(model, "h.1.mlp.c_fc.weight", 0, 48));
  EXPECT_EQ(file.tensors.at("blk.0.attn_qkv.bias").values, rows_of(model, "h.0.attn.c_attn.bias", 0, 96));
  EXPECT_EQ(file.tensors.at("blk.0.ffn_norm.bias").values, rows_of(model, "h.0.ln_2.bias", 0, 32));
}

TEST(GgufModel, GivesGpt2WithoutBiasesZeroOnes) {
  GptConfig config = gpt2_config();
  config.bias = false;
  config.tie_weights = false;
  const LoadedModel model = random_model(config);
  const GgufFile file = write_model(model, TensorEncoding::kF16, 29).file;
  std::set<std::string> expected =
      names_of(write_model(random_model(gpt2_config()), TensorEncoding::kF16, 29).file);
  expected.insert("output.weight");
  EXPECT_EQ(names_of(file), expected);
  for (const auto& [name, tensor] : file.tensors) {
    if (!name.ends_with(".bias")) continue;
    const GgufFile::Tensor& weight = file.tensors.at(name.substr(0, name.size() - 4) + "weight");
    EXPECT_EQ(tensor.dims, std::vector{weight.dims.back()}) << name;
    EXPECT_EQ(tensor.type, 0U);
    EXPECT_TRUE(std::ranges::all_of(tensor.values, [](float value) { return value == 0; })) << name;
  }
}

TEST(GgufModel, WritesLlamaWithPairedQueriesAndKeys) {
  const LoadedModel model = random_model(llama_config());
  const auto [file, summary] = write_model(model, TensorEncoding::kF32, 29);
  EXPECT_EQ(summary.architecture, "llama");
  EXPECT_EQ(file.number("llama.attention.head_count"), 4U);
  EXPECT_EQ(file.number("llama.attention.head_count_kv"), 2U);
  EXPECT_EQ(file.number("llama.rope.dimension_count"), 16U);
  EXPECT_EQ(std::get<float>(file.values.at("llama.rope.freq_base")), 50000.0F);
  EXPECT_EQ(std::get<float>(file.values.at("llama.attention.layer_norm_rms_epsilon")), 1e-6F);
  std::set<std::string> names = {"token_embd.weight", "output_norm.weight"};
  for (const std::string block : {"blk.0.", "blk.1."}) {
    for (const std::string module : {"attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm",
                                     "ffn_gate", "ffn_up", "ffn_down"}) {
      names.insert(block + module + ".weight");
    }
  }
  EXPECT_EQ(names_of(file), names);

  // Heads of 16: row 2 j + s of a head is row j + 8 s.
  const auto expect_paired = [&](const char* name, std::int64_t first_row, std::int64_t heads) {
    const std::vector<float>& written = file.tensors.at(name).values;
    ASSERT_EQ(written.size(), static_cast<std::size_t>(heads * 16 * 64));
    for (std::int64_t row = 0; row < heads * 16; ++row) {
      const std::int64_t in_head = row % 16;
      const std::int64_t from = row - in_head + in_head / 2 + 8 * (in_head % 2);
      const std::vector<float> expected = rows_of(model, "h.1.attn.c_attn.weight", first_row + from, 1);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), written.begin() + row * 64))
          << name << " " << row;
    }
  };
  expect_paired("blk.1.attn_q.weight", 0, 4);
  expect_paired("blk.1.attn_k.weight", 64, 2);
  EXPECT_EQ(file.tensors.at("blk.1.attn_v.weight").values, rows_of(model, "h.1.attn.c_attn.weight", 96, 32));
  EXPECT_EQ(file.tensors.at("blk.0.ffn_gate.weight").values, rows_of(model, "h.0.mlp.c_fc.weight", 0, 40));
  EXPECT_EQ(file.tensors.at("blk.0.ffn_up.weight").values, rows_of(model, "h.0.mlp.c_fc.weight", 40, 40));
  EXPECT_EQ(file.tensors.at("blk.0.ffn_down.weight").dims, (std::vector<std::uint64_t>{40, 64}));
}

TEST(GgufModel, LeavesQwensRowsAsTheyAre) {
  GptConfig config = llama_config();
  config.qk_norm = true;
  const LoadedModel model = random_model(config);
  const auto [file, summary] = write_model(model, TensorEncoding::kF32, 29);
  EXPECT_EQ(summary.architecture, "qwen3");
  EXPECT_EQ(file.tensors.at("blk.0.attn_q.weight").values, rows_of(model, "h.0.attn.c_attn.weight", 0, 64));
  EXPECT_EQ(file.tensors.at("blk.0.attn_k_norm.weight").values,
            rows_of(model, "h.0.attn.k_norm.weight", 0, 16));
}

TEST(GgufModel, StoresMatricesOnlyInTheAskedEncoding) {
  const LoadedModel model = random_model(llama_config());
  const std::vector<std::tuple<TensorEncoding, std::uint32_t, std::uint32_t>> cases = {
      {TensorEncoding::kF32, 0, 0},
      {TensorEncoding::kF16, 1, 1},
      {TensorEncoding::kBF16, 30, 32},
      {TensorEncoding::kQ8_0, 8, 7}};
  for (const auto& [encoding, type, file_type] : cases) {
    const auto [file, summary] = write_model(model, encoding, 29);
    EXPECT_EQ(file.number("general.file_type"), file_type);
    const bool quantized = encoding == TensorEncoding::kQ8_0;
    EXPECT_EQ(summary.not_quantized, quantized ? 2 : 0);  // ffn_down: rows of 40
    for (const auto& [name, tensor] : file.tensors) {
      const std::uint32_t matrix_type = quantized && name.ends_with("ffn_down.weight") ? 1 : type;
      EXPECT_EQ(tensor.type, tensor.dims.size() == 1 ? 0 : matrix_type) << name;
    }
    const std::vector<float> expected = rows_of(model, "h.0.attn.c_proj.weight", 0, 64);
    const std::vector<float>& values = file.tensors.at("blk.0.attn_output.weight").values;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(values[i], expected[i], quantized ? 5e-4 : std::fabs(expected[i]) / 256) << i;
    }
  }
  const GgufFile gpt2 = write_model(random_model(gpt2_config()), TensorEncoding::kQ8_0, 29).file;
  EXPECT_EQ(gpt2.tensors.at("position_embd.weight").type, 0U);
}

TEST(GgufModel, RefusesWhatLlamaCppCannotRun) {
  const std::vector<std::tuple<GptConfig, std::function<void(GptConfig&)>, std::string>> cases = {
      {gpt2_config(), [](GptConfig& c) { c.attention_window = 4; }, "attention_window"},
      {gpt2_config(), [](GptConfig& c) { c.logit_softcap = 30; }, "logit_softcap"},
      {gpt2_config(), [](GptConfig& c) { c.parallel_blocks = true; }, "parallel_blocks"},
      {gpt2_config(), [](GptConfig& c) { c.mlp = "relu2"; }, "mlp = relu2"},
      {gpt2_config(), [](GptConfig& c) { c.mlp = "gelu_erf"; }, "mlp = gelu_erf"},
      {gpt2_config(), [](GptConfig& c) { c.qk_norm = true; }, "qk_norm with learned positions"},
      {gpt2_config(), [](GptConfig& c) { c.norm = "rmsnorm"; }, "norm = rmsnorm"},
      {llama_config(), [](GptConfig& c) { c.pos_encoding = "learned"; }, "pos_encoding = learned"},
      {llama_config(), [](GptConfig& c) { c.bias = c.qk_norm = true; }, "qk_norm with biases"},
  };
  for (auto [config, change, part] : cases) {
    change(config);
    const std::string text = expect_error([&] { gguf_architecture(config); }, part);
    EXPECT_TRUE(text.starts_with("llama.cpp has no architecture for ")) << text;
  }
  GptConfig biased = llama_config();
  biased.bias = true;
  EXPECT_EQ(gguf_architecture(biased), "llama");
}

TEST(GgufModel, WritesAModelWhoseWindowIsBeyondItsContext) {
  GptConfig config = llama_config();
  config.attention_window = config.block_size;
  EXPECT_EQ(gguf_architecture(config), "llama");
}

TEST(GgufModel, NamesTheTensorThatDoesNotFit) {
  LoadedModel model = random_model(llama_config());
  model.arena[static_cast<std::size_t>(model.params.find("h.1.attn.c_proj.weight").offset)] = 1e6F;
  expect_error([&] { write_model(model, TensorEncoding::kF16, 29); }, "blk.1.attn_output.weight holds 1e+06");
}

}  // namespace
}  // namespace vkgpt::model
