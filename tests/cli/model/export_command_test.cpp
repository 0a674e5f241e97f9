#include <algorithm>
#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/half.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/model/llmc_file.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "cli/model/save_model.hpp"
#include "cli/run_vkgpt.hpp"
#include "support/gguf_file.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

/// A directory as transformers saved it, with a tokenizer of characters.
class SavedModel {
 public:
  explicit SavedModel(const std::string& name, const std::string& text = kEveryLetter) {
    std::filesystem::copy(test::source_dir() / "tests/golden" / name, temp_ / "model");
    const auto tokenizer = text::CharTokenizer::from_text(text, "test");
    for (const text::TokenizerFile& file : tokenizer.files())
      write_file(temp_ / "model" / file.name, file.contents);
  }
  std::string operator/(const char* name) const { return (temp_ / name).string(); }

  RunResult run(const std::string& format, const std::string& dtype, const std::string& out,
                std::vector<std::string> more = {}) const {
    std::vector<std::string> args = {"export",  "--model", *this / "model", "--format", format,
                                     "--dtype", dtype,     "--out",         out};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }

  void expect_refusal(const std::string& format, const std::string& dtype, const std::string& part, int code,
                      std::vector<std::string> more = {}) const {
    const RunResult result = run(format, dtype, *this / "refused", std::move(more));
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    for (const Path& left : list_directory(temp_.path())) EXPECT_EQ(left.filename(), "model");
  }

 private:
  TempDirectory temp_;
};

TEST(ExportCommand, WritesGguf) {
  const SavedModel saved("hf_qwen2");
  const RunResult result = saved.run("gguf", "f32", saved / "new/x.gguf");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("x.gguf: llama in f32, 0.02 M parameters, "));
  const test::GgufFile file(saved / "new/x.gguf");
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.text("general.name"), "x");
  // 28 characters of 41 tokens, and the end of text that llama.cpp needs.
  EXPECT_EQ(file.texts("tokenizer.ggml.tokens").size(), 42U);
  EXPECT_EQ(file.number("llama.vocab_size"), 42U);
  const model::LoadedModel model = model::load_model(saved / "model");
  const std::vector<float>& embedding = file.tensors.at("token_embd.weight").values;
  const auto wte = model.arena.begin() + model.params.find("wte.weight").offset;
  const std::int64_t width = model.params.config().n_embd;
  ASSERT_EQ(embedding.size(), static_cast<std::size_t>(42 * width));
  EXPECT_TRUE(std::equal(embedding.begin(), embedding.begin() + 41 * width, wte));
  EXPECT_TRUE(
      std::all_of(embedding.begin() + 41 * width, embedding.end(), [](float value) { return value == 0; }));
}

// These very files were read by the gguf package and run by llama.cpp (tools/interop).
TEST(ExportCommand, WritesTheBytesThatLlamaCppRan) {
  const SavedModel llama("hf_qwen2");
  const SavedModel gpt2("hf_gpt2");
  for (const auto& [saved, dtype, hash] :
       {std::tuple(&llama, "f32", "805197c38f609f20dd582c2f699b5db1c433fb4462bd7847f9140633e442e4a1"),
        std::tuple(&llama, "q8_0", "cb38ac50a0ee0726c08356a6aae7e8d722d24a52128a6c928aa076bb81d16777"),
        std::tuple(&gpt2, "f32", "b732a30ea86482188b6dfd805490b1d6da11a3cb2d0db32fd46df79c7fc09680"),
        std::tuple(&gpt2, "q8_0", "ef6bd49ad0fc66ae05d7b1a35b75a80e1b19d565426ec6940f922b17abadd9a5")}) {
    const RunResult result = saved->run("gguf", dtype, *saved / "x.gguf", {"--overwrite"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(sha256_file(*saved / "x.gguf"), hash) << dtype;
  }
}

TEST(ExportCommand, WritesLlmc) {
  const SavedModel saved("hf_gpt2");
  const model::LoadedModel model = model::load_model(saved / "model");
  for (const std::string dtype : {"f32", "bf16"}) {
    const std::string out = saved / (dtype + ".bin").c_str();
    const RunResult result = saved.run("llmc", dtype, out, {"--json"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Json json = parse_json(result.out, "output");
    EXPECT_EQ(json["architecture"], "gpt2");
    EXPECT_EQ(json["bytes"], std::filesystem::file_size(out));
    std::vector<float> expected = model.arena;
    if (dtype == "bf16") {
      for (float& value : expected) value = bf16_to_float(float_to_bf16(value));
    }
    EXPECT_EQ(model::read_llmc_model(out).arena, expected);
  }
}

TEST(ExportCommand, WritesDirectoriesInSixteenBits) {
  for (const char* name : {"hf_gpt2", "hf_llama", "hf_qwen3"}) {
    const SavedModel saved(name);
    const model::LoadedModel model = model::load_model(saved / "model");
    for (const std::string dtype : {"f32", "f16", "bf16"}) {
      SCOPED_TRACE(name + (" " + dtype));
      const std::string out = saved / dtype.c_str();
      const RunResult result = saved.run("hf", dtype, out);
      ASSERT_EQ(result.code, 0) << result.err;
      const Json config = read_json_file(Path(out) / "config.json");
      EXPECT_EQ(config["dtype"], dtype == "f32" ? "float32" : dtype == "f16" ? "float16" : "bfloat16");
      std::vector<float> expected = model.arena;
      for (float& value : expected) {
        if (dtype == "f16") value = f16_to_float(float_to_f16(value));
        if (dtype == "bf16") value = bf16_to_float(float_to_bf16(value));
      }
      const model::LoadedModel back = model::load_model(out);
      EXPECT_EQ(back.arena, expected);
      EXPECT_EQ(back.params.config(), model.params.config());
      EXPECT_TRUE(std::filesystem::exists(Path(out) / "tokenizer.json"));
      EXPECT_EQ(saved.run("hf", dtype, out, {"--overwrite"}).code, 1);
    }
  }
}

TEST(ExportCommand, ReplacesOnlyWhatItIsToldTo) {
  const SavedModel saved("hf_gpt2");
  write_file(saved / "x.gguf", "old");
  const RunResult refused = saved.run("gguf", "q8_0", saved / "x.gguf");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("x.gguf is already there: --overwrite replaces it"));
  EXPECT_EQ(read_file(saved / "x.gguf"), "old");
  EXPECT_EQ(saved.run("gguf", "q8_0", saved / "x.gguf", {"--overwrite"}).code, 0);
  EXPECT_EQ(test::GgufFile(saved / "x.gguf").text("general.architecture"), "gpt2");
  EXPECT_EQ(saved.run("gguf", "q8_0", saved / "model", {"--overwrite"}).code, 1);
}

TEST(ExportCommand, TakesADirectoryThatEndsWithASlash) {
  const SavedModel saved("hf_gpt2");
  std::filesystem::create_directory(saved / "out.tmp");
  write_file(saved / "out.tmp/precious", "mine");
  const RunResult result = saved.run("hf", "f32", saved / "out/");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(model::load_model(saved / "out").arena, model::load_model(saved / "model").arena);
  EXPECT_EQ(read_file(saved / "out.tmp/precious"), "mine");
  EXPECT_EQ(saved.run("hf", "f32", saved / "out/").code, 1);
  write_file(saved / "x.gguf.tmp", "mine");
  EXPECT_EQ(saved.run("gguf", "f32", saved / "x.gguf").code, 0);
  EXPECT_EQ(read_file(saved / "x.gguf.tmp"), "mine");
  EXPECT_EQ(list_directory(Path(saved / "out").parent_path()).size(), 5U) << "nothing else is left";
}

TEST(ExportCommand, WritesTheContextThatIsAskedFor) {
  const SavedModel saved("hf_qwen2");
  const auto shorten = [&](const char* directory, std::int64_t block_size) {
    model::LoadedModel model = model::load_model(saved / "model");
    model::shorten_context(model, block_size);
    save_model(saved / directory, model, *text::load_tokenizer(saved / "model"));
  };
  shorten("short", 8);
  const auto exported = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = {"export", "--model", saved / "short",  "--format",
                                     "gguf",   "--out",   saved / "x.gguf", "--overwrite"};
    args.insert(args.end(), more.begin(), more.end());
    const RunResult result = run_vkgpt(args);
    EXPECT_EQ(result.code, 0) << result.err;
    return std::pair(test::GgufFile(saved / "x.gguf").number("llama.context_length"), result.err);
  };
  const auto [context, said] = exported({});
  EXPECT_EQ(context, 8U);
  EXPECT_THAT(said, HasSubstr("the model began with 20 (--block_size 20)"));
  EXPECT_EQ(exported({"--block_size", "20"}).first, 20U);
  const std::string whole = sha256_file(saved / "x.gguf");
  EXPECT_EQ(saved.run("gguf", "f32", saved / "x.gguf", {"--overwrite"}).code, 0);
  EXPECT_EQ(sha256_file(saved / "x.gguf"), whole) << "as of the model that was not shortened";
  EXPECT_EQ(exported({"--block_size", "5"}).first, 5U);
  SavedModel("hf_gpt2").expect_refusal("gguf", "f32", "learned 20 positions and has no more", 2,
                                       {"--block_size", "21"});
}

TEST(ExportCommand, EndsWithASignal) {
  const SavedModel saved("hf_gpt2");
  const auto tokenizer = text::load_tokenizer(saved / "model");
  const model::LoadedModel model = model::load_model(saved / "model");
  install_interrupt_handlers();
  std::raise(SIGINT);
  try {
    save_model(saved / "out", model, *tokenizer);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kInterrupted);
  }
  clear_interrupt();
  EXPECT_EQ(list_directory(Path(saved / "out").parent_path()).size(), 1U) << "nothing is left";
}

TEST(ExportCommand, RefusesWithOneLine) {
  const SavedModel llama("hf_llama");
  llama.expect_refusal("hf", "q8_0", "--dtype q8_0 is one of llama.cpp's", 2);
  llama.expect_refusal("llmc", "f16", "llm.c does not read f16", 2);
  llama.expect_refusal("llmc", "f32", "holds GPT-2 with a tied head only, and this model has norm = rmsnorm",
                       1);
  EXPECT_THAT(llama.run("gguf", "f32", llama / "x/").err,
              HasSubstr("x/ is the name of a directory: --format"));
  llama.expect_refusal("onnx", "f32", "one of hf|gguf|gguf_adapter|llmc", 2);
  llama.expect_refusal("gguf", "f32", "model_ema.safetensors", 1, {"--use_ema"});
  SavedModel("hf_mistral").expect_refusal("gguf", "f32", "no architecture for attention_window", 1);
  SavedModel("hf_gpt2", "caf\u00e9").expect_refusal("gguf", "f32", "beyond ASCII such as '\u00e9'", 1);
  EXPECT_THAT(run_vkgpt({"export", "--model", llama / "model"}).err, HasSubstr("--out is missing"));
  EXPECT_THAT(run_vkgpt({"export", "--out", llama / "x"}).err, HasSubstr("--model is missing"));
}

}  // namespace
}  // namespace vkgpt::cli
