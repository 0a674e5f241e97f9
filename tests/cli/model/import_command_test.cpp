#include <cmath>
#include <filesystem>
#include <format>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/llmc_file.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/safetensors.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "cli/run_vkgpt.hpp"
#include "golden/golden_file.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

/// A directory as transformers saved it, with a tokenizer of fewer tokens than the model has.
class ForeignModel {
 public:
  explicit ForeignModel(const std::string& name) {
    std::filesystem::copy(test::source_dir() / "tests/golden" / name, path());
    const auto tokenizer = text::CharTokenizer::from_text(kEveryLetter, "test");
    for (const text::TokenizerFile& file : tokenizer.files()) write_file(path() / file.name, file.contents);
  }
  Path path() const { return temp_ / "model"; }
  std::string operator/(const char* name) const { return (temp_ / name).string(); }

 private:
  TempDirectory temp_;
};

TEST(ImportCommand, WritesAModelDirectory) {
  for (const auto& [name, summary] :
       {std::pair("hf_gpt2", "gpt2: 0.03 M parameters, F16 to F32"),
        std::pair("hf_llama", "llama: 0.02 M parameters, BF16 to F32"),
        std::pair("hf_qwen2", "qwen2 as llama: 0.02 M parameters, BF16 to F32")}) {
    SCOPED_TRACE(name);
    const ForeignModel foreign(name);
    const RunResult result = run_vkgpt({"import", foreign.path().string(), "--out", foreign / "ours"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr(summary));
    EXPECT_THAT(result.out, HasSubstr("vocabulary 41, context 20"));
    const model::LoadedModel before = model::load_model(foreign.path());
    const model::LoadedModel after = model::load_model(foreign / "ours");
    EXPECT_EQ(after.arena, before.arena);
    EXPECT_EQ(after.params.config(), before.params.config());
    EXPECT_EQ(text::load_tokenizer(foreign / "ours")->fingerprint(),
              text::load_tokenizer(foreign.path())->fingerprint());
    EXPECT_EQ(run_vkgpt({"import", foreign.path().string(), "--out", foreign / "ours"}).code, 2);
  }
}

TEST(ImportCommand, TakesLlmcsFiles) {
  const ForeignModel foreign("hf_gpt2");
  const model::LoadedModel model = model::load_model(foreign.path());
  {
    OutputFile file(foreign / "model.bin");
    model::write_llmc_model(file, model, model::TensorEncoding::kF32);
    file.finish();
  }
  const RunResult result = run_vkgpt(
      {"import", foreign / "model.bin", "--out", foreign / "ours", "--tokenizer", foreign.path().string()});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("gpt2: 0.03 M parameters, F32 to F32"));
  EXPECT_EQ(model::load_model(foreign / "ours").arena, model.arena);
  const RunResult refused = run_vkgpt({"import", foreign / "model.bin", "--out", foreign / "more"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("the tokenizer has 50257 tokens, the model only 41"));
  std::filesystem::resize_file(foreign / "model.bin", 2000);
  EXPECT_EQ(run_vkgpt({"import", foreign / "model.bin", "--out", foreign / "more"}).code, 1);
}

TEST(ImportCommand, LeavesNothingOfWhatItRefuses) {
  const ForeignModel foreign("hf_gpt2");
  std::filesystem::resize_file(foreign.path() / "model.safetensors", 5000);
  const RunResult result = run_vkgpt({"import", foreign.path().string(), "--out", foreign / "ours"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("truncated"));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  EXPECT_EQ(list_directory(foreign.path().parent_path()).size(), 1U);
  EXPECT_EQ(run_vkgpt({"import"}).code, 2);
  EXPECT_EQ(run_vkgpt({"import", foreign / "none", "--out", foreign / "ours"}).code, 1);
}

TEST(GpuImportCommand, GeneratesFromAForeignDirectory) {
  const ForeignModel foreign("hf_llama");
  const RunResult result =
      run_vkgpt({"generate", "--model", foreign.path().string(), "--prompt_tokens", "3,1,4,1,5",
                 "--max_new_tokens", "6", "--temperature", "0", "--json", "--logits", foreign / "logits"});
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = parse_json(result.out, "output");
  const auto tokenizer = text::load_tokenizer(foreign.path());
  ASSERT_EQ(json["tokens"][0].size(), 6u);
  EXPECT_FALSE(std::filesystem::exists(foreign / "logits.tmp"));
  const model::SafetensorsFile file(foreign / "logits");
  const model::SafetensorsEntry& entry = file.expect("logits", {11, 41});
  std::vector<float> logits(11 * 41);
  file.read(entry, std::span<float>(logits));
  for (std::size_t i = 0; i < 6; ++i) {
    // The most likely of those that the tokenizer has.
    const auto row =
        std::span(logits).subspan((4 + i) * 41, static_cast<std::size_t>(tokenizer->vocab_size()));
    EXPECT_EQ(json["tokens"][0][i], std::ranges::max_element(row) - row.begin());
  }
  for (const char* wrong : {"", "1,", "1,,2", "99", "-1", "1;2"}) {
    const RunResult refused =
        run_vkgpt({"generate", "--model", foreign.path().string(), "--prompt_tokens", wrong, "--prompt", ""});
    EXPECT_EQ(refused.code, 2) << wrong;
  }
}

TEST(GpuImportCommand, TrainsOnWithAnotherContext) {
  for (const char* name : {"hf_gpt2", "hf_llama"}) {
    SCOPED_TRACE(name);
    const ForeignModel foreign(name);
    std::string text;
    for (int i = 0; i < 20; ++i) text += kEveryLetter;
    write_file(foreign / "text", text);
    const RunResult trained = run_vkgpt({"train", "--init_from", foreign.path().string(), "--block_size",
                                         "12", "--data_path", foreign / "text", "--out_dir", foreign / "run",
                                         "--max_steps", "3", "--batch_size", "2", "--sample_interval", "0"});
    ASSERT_EQ(trained.code, 0) << trained.err;
    const model::GptConfig config = model::read_model_config(foreign / "run/step-3");
    EXPECT_EQ(config.block_size, 12);
    EXPECT_EQ(config.vocab_size, 41);
    const RunResult resumed =
        run_vkgpt({"train", "--init_from", foreign.path().string(), "--block_size", "12", "--data_path",
                   foreign / "text", "--out_dir", foreign / "run", "--max_steps", "4", "--batch_size", "2",
                   "--sample_interval", "0", "--resume"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    const RunResult evaluated =
        run_vkgpt({"eval", "--model", foreign / "run", "--data_path", foreign / "text", "--json"});
    ASSERT_EQ(evaluated.code, 0) << evaluated.err;
    EXPECT_EQ(parse_json(evaluated.out, "output")["block_size"], 12);
    const RunResult in_parts = run_vkgpt(
        {"eval", "--model", foreign / "run", "--data_path", foreign / "text", "--block_size", "5", "--json"});
    ASSERT_EQ(in_parts.code, 0) << in_parts.err;
    EXPECT_EQ(parse_json(in_parts.out, "output")["block_size"], 5);
    EXPECT_NE(parse_json(in_parts.out, "output")["loss"], parse_json(evaluated.out, "output")["loss"]);
    EXPECT_EQ(
        run_vkgpt({"eval", "--model", foreign / "run", "--data_path", foreign / "text", "--block_size", "13"})
            .code,
        2);
    const bool has_rope = model::read_model_config(foreign.path()).has_rope();
    const RunResult longer = run_vkgpt({"train", "--init_from", foreign.path().string(), "--block_size", "21",
                                        "--data_path", foreign / "text", "--out_dir", foreign / "longer",
                                        "--max_steps", "1", "--batch_size", "2", "--sample_interval", "0"});
    EXPECT_EQ(longer.code, has_rope ? 0 : 2) << longer.err;
  }
}

}  // namespace
}  // namespace vkgpt::cli
