#include "vkgpt/model/file_tensors.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "support/tiny_config.hpp"

namespace vkgpt::model {
namespace {

using test::tiny_gpt2_config;

GptConfig untied_llama_config() {
  GptConfig config = test::tiny_llama_config();
  config.qk_norm = true;
  config.tie_weights = false;
  return config;
}

std::map<std::string, FileTensor> by_name(std::vector<FileTensor> tensors) {
  std::map<std::string, FileTensor> named;
  for (FileTensor& tensor : tensors) {
    EXPECT_FALSE(named.contains(tensor.name)) << tensor.name;
    const std::string name = tensor.name;
    named.emplace(name, std::move(tensor));
  }
  return named;
}

std::vector<float> counting(std::int64_t elements, float first) {
  std::vector<float> values(static_cast<std::size_t>(elements));
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// Every element of a model is in one file tensor and returns to its place; the padding stays as it was.
void expect_round_trip(const GptParams& params, const std::vector<FileTensor>& tensors) {
  const std::vector<float> arena = counting(params.arena_elements(), 1);
  std::vector<float> back(arena.size(), 0.0f);
  std::int64_t elements = 0;
  for (const FileTensor& tensor : tensors) {
    std::vector<float> file(static_cast<std::size_t>(tensor.shape.numel()));
    to_file(tensor, arena, file);
    from_file(tensor, file, back);
    elements += tensor.shape.numel();
  }
  EXPECT_EQ(elements, params.parameter_count());
  for (const ParamSpec& spec : params.specs()) {
    for (std::int64_t i = 0; i < spec.numel(); ++i) {
      const auto at = static_cast<std::size_t>(spec.offset + i);
      ASSERT_EQ(back[at], i < spec.unpadded_shape.numel() ? arena[at] : 0.0f) << spec.name << " " << i;
    }
  }
}

TEST(FileTensors, EveryParameterIsInOneTensor) {
  const GptParams gpt2(tiny_gpt2_config());
  expect_round_trip(gpt2, file_tensors(gpt2, TensorLayout::kGpt2));
  const GptParams llama(untied_llama_config());
  expect_round_trip(llama, file_tensors(llama, TensorLayout::kLlama));
  expect_round_trip(llama, file_tensors(llama, TensorLayout::kGpt2));
}

TEST(FileTensors, Gpt2HasTransposedMatricesUnderItsNames) {
  const GptParams params(tiny_gpt2_config());
  const auto tensors = by_name(file_tensors(params, TensorLayout::kGpt2));
  const FileTensor& c_fc = tensors.at("transformer.h.1.mlp.c_fc.weight");
  EXPECT_EQ(c_fc.shape, (Shape{32, 128}));
  EXPECT_EQ(tensors.at("transformer.wte.weight").shape, (Shape{29, 32}));
  EXPECT_FALSE(tensors.at("transformer.wte.weight").transposed);
  EXPECT_FALSE(tensors.contains("lm_head.weight"));

  const std::vector<float> arena = counting(params.arena_elements(), 0);
  std::vector<float> file(static_cast<std::size_t>(c_fc.shape.numel()));
  to_file(c_fc, arena, file);
  const auto offset = static_cast<float>(c_fc.spec->offset);
  EXPECT_EQ(file[0], offset);
  EXPECT_EQ(file[1], offset + 32);                    // in 0, out 1
  EXPECT_EQ(file[3 * 128 + 5], offset + 5 * 32 + 3);  // in 3, out 5
}

TEST(FileTensors, LlamaHasItsProjectionsApart) {
  const GptParams params(untied_llama_config());
  const auto tensors = by_name(file_tensors(params, TensorLayout::kLlama));
  const auto expect = [&](const std::string& name, const Shape& shape, const std::string& parameter,
                          std::int64_t first_row) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(tensors.contains(name));
    const FileTensor& tensor = tensors.at(name);
    EXPECT_EQ(tensor.shape, shape);
    EXPECT_EQ(tensor.spec->name, parameter);
    EXPECT_EQ(tensor.first_row, first_row);
    EXPECT_FALSE(tensor.transposed);
  };
  expect("model.embed_tokens.weight", {29, 64}, "wte.weight", 0);
  expect("model.layers.1.input_layernorm.weight", {64}, "h.1.ln_1.weight", 0);
  expect("model.layers.1.self_attn.q_proj.weight", {64, 64}, "h.1.attn.c_attn.weight", 0);
  expect("model.layers.1.self_attn.k_proj.weight", {32, 64}, "h.1.attn.c_attn.weight", 64);
  expect("model.layers.1.self_attn.v_proj.weight", {32, 64}, "h.1.attn.c_attn.weight", 96);
  expect("model.layers.1.self_attn.v_proj.bias", {32}, "h.1.attn.c_attn.bias", 96);
  expect("model.layers.1.self_attn.q_norm.weight", {16}, "h.1.attn.q_norm.weight", 0);
  expect("model.layers.1.self_attn.k_norm.weight", {16}, "h.1.attn.k_norm.weight", 0);
  expect("model.layers.1.self_attn.o_proj.weight", {64, 64}, "h.1.attn.c_proj.weight", 0);
  expect("model.layers.1.post_attention_layernorm.weight", {64}, "h.1.ln_2.weight", 0);
  expect("model.layers.0.mlp.gate_proj.weight", {40, 64}, "h.0.mlp.c_fc.weight", 0);
  expect("model.layers.0.mlp.up_proj.weight", {40, 64}, "h.0.mlp.c_fc.weight", 40);
  expect("model.layers.0.mlp.down_proj.weight", {64, 40}, "h.0.mlp.c_proj.weight", 0);
  expect("model.norm.weight", {64}, "ln_f.weight", 0);
  expect("lm_head.weight", {29, 64}, "lm_head.weight", 0);
}

TEST(FileTensors, AdaptersOfSplitProjectionsShareTheirA) {
  const GptParams params(
      untied_llama_config(),
      {.freeze = {}, .lora_rank = 2, .lora_alpha = 4, .lora_targets = {"c_attn", "c_proj"}});
  const auto tensors = by_name(adapter_tensors(params, TensorLayout::kLlama));
  EXPECT_EQ(tensors.size(), 2u * (6 + 2 + 2));
  const std::string layer = "base_model.model.model.layers.0.";
  for (const char* module : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}) {
    const FileTensor& a = tensors.at(layer + module + ".lora_A.weight");
    EXPECT_EQ(a.shape, (Shape{2, 64}));
    EXPECT_EQ(a.first_row, 0);
  }
  EXPECT_EQ(tensors.at(layer + "self_attn.k_proj.lora_B.weight").shape, (Shape{32, 2}));
  EXPECT_EQ(tensors.at(layer + "self_attn.k_proj.lora_B.weight").first_row, 64);
  EXPECT_EQ(tensors.at(layer + "mlp.down_proj.lora_A.weight").shape, (Shape{2, 40}));

  const auto gpt2 = by_name(adapter_tensors(params, TensorLayout::kGpt2));
  EXPECT_EQ(gpt2.at("base_model.model.transformer.h.0.attn.c_attn.lora_B.weight").shape, (Shape{128, 2}));
  EXPECT_TRUE(std::ranges::none_of(file_tensors(params, TensorLayout::kLlama),
                                   [](const FileTensor& tensor) { return tensor.spec->is_adapter; }));
}

}  // namespace
}  // namespace vkgpt::model
