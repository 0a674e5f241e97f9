#include "vkgpt/model/gguf_import.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/model/gguf_model.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "model/gguf_rope.hpp"
#include "model/gpt_block.hpp"
#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

Path seed(const char* name) {
  return test::source_dir() / "tests/fuzz/corpus/gguf_model" / name;
}

/// Numbers of every type are those of the Python package gguf, to the last bit (tools/golden).
TEST(GgufImport, TypesStandForTheSameNumbersAsInPython) {
  const GgufFile file(test::source_dir() / "tests/golden/quants.gguf");
  int types = 0;
  for (const GgufTensorInfo& tensor : file.tensors()) {
    const GgufTensorInfo* expected = file.find(tensor.name + ".expected");
    if (expected == nullptr) continue;
    ASSERT_EQ(tensor.shape, expected->shape);
    std::vector<float> read(512);
    std::vector<float> wanted(512);
    file.read(tensor, read);
    file.read(*expected, wanted);
    EXPECT_EQ(read, wanted) << tensor.name;
    ++types;
  }
  EXPECT_EQ(types, 10);
}

/// What `vkgpt export` writes is read back as it was, also where rows of queries and keys were permuted.
TEST(GgufImport, ExportsComeBackAsTheyWere) {
  for (const char* name : {"hf_gpt2", "hf_qwen3", "hf_llama"}) {
    SCOPED_TRACE(name);
    LoadedModel model = load_model(test::source_dir() / "tests/golden" / name);
    GptConfig config = model.params.config();
    config.attention_window = 0;
    model.params = GptParams(config);
    const TempDirectory temp;
    {
      OutputFile file(temp / "x.gguf");
      write_gguf_model(file, model, TensorEncoding::kF32,
                       {.name = "x", .vocabulary = {}, .vocabulary_rows = config.vocab_size});
      file.finish();
    }
    const LoadedModel back = load_model(temp / "x.gguf");
    EXPECT_EQ(back.arena, model.arena);
    EXPECT_EQ(back.params.config().n_layer, config.n_layer);
    EXPECT_EQ(back.params.config().qk_norm, config.qk_norm);
    EXPECT_EQ(back.params.config().tie_weights, config.tie_weights);
    EXPECT_EQ(back.params.config().rope_scaling, config.rope_scaling);
  }
}

/// As a cache stores it, under a hash.
TEST(GgufImport, AFileIsKnownByItsFirstBytes) {
  const TempDirectory temp;
  const LoadedModel model = load_model(test::source_dir() / "tests/golden/hf_gpt2");
  OutputFile file(temp / "sha256-0123");
  write_gguf_model(file, model, TensorEncoding::kF32,
                   {.name = "x", .vocabulary = {}, .vocabulary_rows = model.params.config().vocab_size});
  file.finish();
  EXPECT_TRUE(is_gguf(temp / "sha256-0123"));
  EXPECT_EQ(load_model(temp / "sha256-0123").arena, model.arena);
  write_file(temp / "short", "GGU");
  EXPECT_FALSE(is_gguf(temp / "short") || is_gguf(temp.path()) || is_gguf(temp / "none"));
}

/// Stretched positions and layers without them go through llama.cpp's keys and come back.
TEST(GgufImport, RotaryRulesComeBackAsTheyWere) {
  GptConfig plain;
  plain.vocab_size = 29;
  plain.n_head = 2;
  plain.n_embd = 64;
  plain.norm = "rmsnorm";
  plain.mlp = "swiglu";
  plain.pos_encoding = "rope";
  plain.bias = false;
  plain.rope_factor = 4;
  GptConfig linear = plain, yarn = plain, dynamic = plain, no_positions = plain;
  linear.rope_scaling = "linear";
  yarn.rope_scaling = "yarn";
  yarn.rope_beta_fast = 16;
  yarn.rope_original_context = 64;
  yarn.rope_attention_factor = 0.75;
  yarn.qk_norm = true;
  dynamic.rope_scaling = "dynamic";
  dynamic.rope_original_context = 32;
  no_positions.rope_layers = "rrrn";
  for (const GptConfig& config : {linear, yarn, dynamic, no_positions}) {
    SCOPED_TRACE(config.rope_scaling);
    const GptParams params(config);
    const LoadedModel model{params, initial_parameters(params, 1), {}};
    const TempDirectory temp;
    {
      OutputFile file(temp / "x.gguf");
      write_gguf_model(file, model, TensorEncoding::kF32,
                       {.name = "x", .vocabulary = {}, .vocabulary_rows = config.vocab_size});
      file.finish();
    }
    const LoadedModel back = load_model(temp / "x.gguf");
    EXPECT_EQ(back.arena, model.arena);
    EXPECT_EQ(back.params.config().rope_layers, config.rope_layers);
    const ops::RopeAngles made = rope_angles(back.params.config()), given = rope_angles(config);
    EXPECT_NEAR(made.magnitude, given.magnitude, 1e-6);
    for (std::int64_t i = 0; i < config.head_size() / 2; ++i) {
      const double expected = ops::rope_frequency(given, i, config.head_size());
      EXPECT_NEAR(ops::rope_frequency(made, i, config.head_size()), expected, 1e-6 * expected) << i;
    }
  }
  GptConfig config = no_positions;
  config.rope_layers = "rn";
  expect_error([&] { gguf_architecture(config); }, "such rope_layers");
  config = yarn;
  config.rope_truncate = false;
  expect_error([&] { gguf_architecture(config); }, "rope_truncate false");
}

/// Gemma 3's norms, which the file counts from 0, its layers and their positions.
TEST(GgufImport, Gemma3ComesBackAsItWas) {
  GptConfig config;
  config.vocab_size = 29;
  config.n_layer = 7;
  config.n_head = 2;
  config.n_kv_head = 1;
  config.n_embd = 64;
  config.n_inner = 96;
  config.head_dim = 24;
  config.norm = "rmsnorm1p";
  config.mlp = "geglu";
  config.pos_encoding = "rope";
  config.bias = false;
  config.qk_norm = config.branch_norms = true;
  config.embedding_scale = 8;
  config.attention_window = 16;
  config.window_layers = "wwwwwf";
  config.rope_layers = "lllllr";
  config.rope_scaling = "linear";
  const GptParams params(config);
  LoadedModel model{params, initial_parameters(params, 1), {}};
  for (const ParamSpec& spec : params.specs()) {
    if (spec.shape.rank() == 1) std::fill_n(model.arena.begin() + spec.offset, spec.numel(), 0.25F);
  }
  const TempDirectory temp;
  {
    OutputFile file(temp / "x.gguf");
    write_gguf_model(file, model, TensorEncoding::kF32,
                     {.name = "x", .vocabulary = {}, .vocabulary_rows = config.vocab_size});
    file.finish();
  }
  std::vector<float> norm(64);
  const GgufFile file(temp / "x.gguf");
  file.read(*file.find("blk.6.post_ffw_norm.weight"), norm);
  EXPECT_EQ(norm.back(), 1.25F);
  const LoadedModel back = load_model(temp / "x.gguf");
  EXPECT_EQ(back.arena, model.arena);
  GptConfig found = back.params.config();
  EXPECT_NEAR(found.layer_norm_eps, config.layer_norm_eps, 1e-9);
  found.layer_norm_eps = config.layer_norm_eps;
  EXPECT_EQ(found, config);
  // As training with a short context leaves it, and as older versions did.
  const std::pair<std::int64_t, std::int64_t> windows[] = {{16, 16}, {0, 8}};
  for (const auto& [window, written] : windows) {
    GptConfig shorter = with_shorter_context(config, 8);
    shorter.attention_window = window;
    if (window == 0) shorter.window_layers.clear();
    EXPECT_EQ(gguf_architecture(shorter), "gemma3");
    model.params = GptParams(shorter);
    OutputFile short_file(temp / "short.gguf");
    write_gguf_model(short_file, model, TensorEncoding::kF32,
                     {.name = "x", .vocabulary = {}, .vocabulary_rows = config.vocab_size});
    short_file.finish();
    EXPECT_EQ(GgufFile(temp / "short.gguf").get<std::int64_t>("gemma3.attention.sliding_window"), written);
    EXPECT_FALSE(read_model_config(temp / "short.gguf").has_window());
    EXPECT_EQ(read_model_config(temp / "short.gguf").attention_window, written);
  }
  const std::pair<void (*)(GptConfig&), const char*> cases[] = {
      {[](GptConfig& c) { c.rope_layers = "lr", c.window_layers = "wf"; }, "such rope_layers"},
      {[](GptConfig& c) { c.branch_norms = false; }, "a part of Gemma 3"},
      {[](GptConfig& c) { c.rope_local_theta = 5; }, "rope_local_theta"},
      {[](GptConfig& c) { c.attention_scalar = 9; }, "attention_scalar"}};
  for (const auto& [change, part] : cases) {
    GptConfig other = config;
    change(other);
    expect_error([&] { gguf_architecture(other); }, part);
  }
}

/// llama.cpp holds the numbers that Llama 3's settings come to; the settings are found again.
TEST(GgufImport, StretchedPositionsAreFoundAgain) {
  GptConfig config;
  config.n_head = 4;
  config.n_embd = 512;
  config.pos_encoding = "rope";
  config.rope_theta = 500000;
  config.rope_scaling = "llama3";
  for (const double factor : {8.0, 32.0}) {
    for (const double high : {4.0, 2.5}) {
      for (const std::int64_t context : {8192, 100, 32768}) {
        config.rope_factor = factor;
        config.rope_high_freq_factor = high;
        config.rope_original_context = context;
        const std::vector<float> divisors = rope_divisors(config);
        ASSERT_EQ(divisors.size(), 64U);
        EXPECT_EQ(divisors.front(), 1.0F);
        EXPECT_EQ(divisors.back(), static_cast<float>(factor));
        GptConfig found = config;
        found.rope_scaling = "none";
        set_rope_divisors(divisors, found, "t");
        EXPECT_EQ(found.rope_scaling, "llama3");
        EXPECT_EQ(found.rope_factor, factor);
        const std::vector<float> again = rope_divisors(found);
        for (std::size_t i = 0; i < again.size(); ++i) EXPECT_NEAR(again[i] / divisors[i], 1, 1e-4) << i;
        if (high == 4) {
          EXPECT_EQ(found.rope_original_context, context) << "the model's own numbers";
        }
      }
    }
  }
  set_rope_divisors(std::vector<float>(64, 4.0F), config, "t");
  EXPECT_EQ(rope_divisors(config), std::vector<float>(64, 4.0F)) << "one number for all";
  config.rope_scaling = "none";
  set_rope_divisors(std::vector<float>(64, 1.0F), config, "t");
  EXPECT_EQ(config.rope_scaling, "none");
  std::vector<float> odd(64, 2.0F);
  odd[10] = 3;
  expect_error([&] { set_rope_divisors(odd, config, "t"); }, "not Llama 3's");
  odd.assign(64, 0.5F);
  expect_error([&] { set_rope_divisors(odd, config, "t"); }, "not Llama 3's");
}

TEST(GgufImport, ReadsModelsOfOtherWriters) {
  const TempDirectory temp;
  write_file(temp / "m.gguf", read_file(seed("llama")));
  const LoadedModel model = load_model(temp / "m.gguf");
  EXPECT_EQ(model.format.model_type, "llama");
  EXPECT_EQ(model.params.config().vocab_size, 14);
  EXPECT_EQ(model.params.config().kv_heads(), 1);
  EXPECT_TRUE(model.params.config().tie_weights);
  const auto tokenizer = text::load_tokenizer(temp / "m.gguf");
  EXPECT_EQ(tokenizer->encode_prompt("ab"), (std::vector<text::Token>{1, 12})) << "<s>, then the whole word";
  EXPECT_EQ(tokenizer->rules().chat_template, "{{ bos_token }}x");
  EXPECT_TRUE(tokenizer->ends_text(2));
  EXPECT_EQ(tokenizer->files()[1].name, "tokenizer_config.json");

  write_file(temp / "g.gguf", read_file(seed("gpt2")));
  EXPECT_EQ(load_model(temp / "g.gguf").format.model_type, "gpt2");
  EXPECT_EQ(text::load_tokenizer(temp / "g.gguf")->encode("ab a"), (std::vector<text::Token>{2, 4}));
}

TEST(GgufImport, RefusesDamagedFilesInOneLine) {
  const TempDirectory temp;
  const std::string whole = read_file(seed("llama"));
  const Path path = temp / "m.gguf";
  const auto refuse = [&](const std::string& contents, const std::string& part) {
    write_file(path, contents);
    expect_error([&] { load_model(path); }, part);
  };
  refuse("", "is no GGUF file");
  refuse("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "is a Git LFS pointer");
  refuse("GGML" + whole.substr(4), "is no GGUF file");
  refuse(whole.substr(0, 100), "cut short or damaged");
  refuse(whole.substr(0, whole.size() - 1), "lie outside the file");
  std::string changed = whole;
  changed[4] = 9;
  refuse(changed, "GGUF version 9");
  changed = whole;
  changed.replace(changed.find("llama"), 5, "mamba");
  refuse(changed, "architecture \"mamba\"");
  changed = whole;
  changed.replace(changed.find("blk.0.attn_q.weight"), 19, "blk.0.attn_x.weight");
  refuse(changed, "blk.0.attn_q.weight");
}

}  // namespace
}  // namespace vkgpt::model
