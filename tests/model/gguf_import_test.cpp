#include "vkgpt/model/gguf_import.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/model/gguf_model.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

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
    config.rope_scaling = "none";
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
  }
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
