// Adapters from the command line: generate, merge, export.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/adapter_config.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

/// The golden's model and adapters, with a tokenizer of characters.
class Files {
 public:
  Files() {
    const Path golden = test::source_dir() / "tests/golden/base_llama";
    std::filesystem::copy(golden, temp_ / "base");
    std::filesystem::copy(golden / "adapter", temp_ / "adapter");
    const auto tokenizer = text::CharTokenizer::from_text("abcdefghijklmnopqrstuvwxyz .,?!", "test");
    for (const text::TokenizerFile& file : tokenizer.files()) {
      write_file(temp_ / "base" / file.name, file.contents);
    }
    Json config = read_json_file(temp_ / "adapter" / model::kAdapterConfigFile);
    config["base_model_name_or_path"] = *this / "base";
    write_file(temp_ / "adapter" / model::kAdapterConfigFile, config.dump());
  }
  std::string operator/(const char* name) const { return (temp_ / name).string(); }

  RunResult generate(std::vector<std::string> more) const {
    std::vector<std::string> args = {"generate", "--prompt",      "what is it", "--max_new_tokens",
                                     "12",       "--temperature", "0",          "--json"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }

 private:
  TempDirectory temp_;
};

Json tokens_of(const RunResult& result) {
  EXPECT_EQ(result.code, 0) << result.err;
  return Json::parse(result.out)["tokens"];
}

TEST(GpuAdapterCommands, GenerateMergeAndExportAgree) {
  const Files files;
  const Json plain = tokens_of(files.generate({"--model", files / "base"}));
  const Json adapted = tokens_of(files.generate({"--model", files / "base", "--adapter", files / "adapter"}));
  EXPECT_NE(adapted, plain);
  EXPECT_EQ(tokens_of(files.generate({"--adapter", files / "adapter"})), adapted)
      << "it says what its base is";
  const Json in_blocks = tokens_of(files.generate({"--adapter", files / "adapter", "--dtype", "q8_0"}));
  EXPECT_EQ(in_blocks.size(), adapted.size());

  const RunResult merged = run_vkgpt({"merge", "--adapter", files / "adapter", "--out", files / "merged"});
  ASSERT_EQ(merged.code, 0) << merged.err;
  EXPECT_EQ(tokens_of(files.generate({"--model", files / "merged"})), adapted);
  const RunResult exported = run_vkgpt({"export", "--model", files / "base", "--adapter", files / "adapter",
                                        "--format", "hf", "--out", files / "hf"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_EQ(read_file(Path(files / "hf") / model::kModelWeightsFile),
            read_file(Path(files / "merged") / model::kModelWeightsFile));
  const RunResult gguf = run_vkgpt({"export", "--model", files / "base", "--adapter", files / "adapter",
                                    "--format", "gguf_adapter", "--out", files / "adapter.gguf"});
  ASSERT_EQ(gguf.code, 0) << gguf.err;
  EXPECT_THAT(gguf.out, HasSubstr("adapters of llama"));
  EXPECT_EQ(tokens_of(files.generate({"--model", files / "base", "--adapter", files / "adapter.gguf"})),
            adapted);
  const RunResult again = run_vkgpt({"merge", "--model", files / "base", "--adapter", files / "adapter.gguf",
                                     "--out", files / "merged_gguf"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_file(Path(files / "merged_gguf") / model::kModelWeightsFile),
            read_file(Path(files / "merged") / model::kModelWeightsFile));
}

TEST(AdapterCommands, ExportTakesTheModelThatTheAdaptersName) {
  const Files files;
  const auto exported = [&](const std::string& format, const std::vector<std::string>& source) {
    std::vector<std::string> args = {"export", "--format", format, "--out", files / "out", "--overwrite"};
    args.insert(args.end(), source.begin(), source.end());
    const RunResult result = run_vkgpt(args);
    EXPECT_EQ(result.code, 0) << result.err;
    return sha256_file(files / "out");
  };
  for (const char* format : {"gguf", "gguf_adapter"}) {
    const std::string named = exported(format, {"--model", files / "base", "--adapter", files / "adapter"});
    EXPECT_EQ(exported(format, {"--adapter", files / "adapter"}), named) << format;
  }
  // Adapters beside their model are added once.
  const std::string named = exported("gguf", {"--model", files / "base", "--adapter", files / "adapter"});
  for (const char* name : {model::kAdapterConfigFile, model::kAdapterWeightsFile}) {
    std::filesystem::copy(Path(files / "adapter") / name, Path(files / "base") / name);
  }
  EXPECT_EQ(exported("gguf", {"--adapter", files / "base"}), named);
}

TEST(AdapterCommands, SayWhatToGiveInPlaceOfTheWrongDirectory) {
  const Files files;
  const auto refuse = [&](const std::vector<std::string>& args, const std::string& part) {
    const RunResult result = run_vkgpt(args);
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_THAT(result.err, HasSubstr(part));
  };
  const std::string base = files / "base", adapter = files / "adapter", out = files / "out";
  std::filesystem::remove(Path(adapter) / model::kModelConfigFile);  // PEFT writes none
  refuse({"export", "--model", adapter, "--out", out},
         "adapter holds adapters, not a model: give it with --adapter");
  refuse({"merge", "--model", base, "--adapter", base, "--out", out},
         "base holds no adapters (adapter_config.json)");
  Json config = read_json_file(Path(adapter) / model::kAdapterConfigFile);
  config["base_model_name_or_path"] = "somebody/model";
  write_file(Path(adapter) / model::kAdapterConfigFile, config.dump());
  refuse({"merge", "--adapter", adapter, "--out", out}, "nor at \"somebody/model\": give it with --model");
  std::filesystem::rename(Path(adapter) / model::kAdapterWeightsFile, Path(adapter) / "adapter_model.bin");
  refuse({"merge", "--model", base, "--adapter", adapter, "--out", out}, "safe_serialization");
}

TEST(AdapterCommands, RefuseInOneLine) {
  const Files files;
  const auto refuse = [&](const std::vector<std::string>& args, int code, const std::string& part) {
    const RunResult result = run_vkgpt(args);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  };
  const std::string base = files / "base", adapter = files / "adapter", out = files / "out";
  refuse({"merge", "--out", out}, 2, "--adapter is missing");
  refuse({"merge", "--adapter", adapter}, 2, "--out is missing");
  refuse({"merge", "--model", base, "--adapter", base, "--out", out}, 1, "adapter_config.json");
  const std::string other = (test::source_dir() / "tests/golden/hf_gpt2").string();
  refuse({"export", "--model", other, "--adapter", adapter, "--format", "gguf_adapter", "--out", out}, 1,
         "has no place in this model");
  refuse({"export", "--model", base, "--format", "gguf_adapter", "--out", out}, 2, "factors of --adapter");
  write_file(Path(files / "adapter.gguf"), "GGUF");
  refuse({"merge", "--adapter", files / "adapter.gguf", "--out", out}, 2, "--model is missing");
  refuse({"merge", "--model", base, "--adapter", files / "adapter.gguf", "--out", out}, 1, "adapter.gguf");
  refuse({"serve", "--model", base, "--adapter", adapter}, 2, "expected NAME=PATH");
  refuse({"serve", "--model", base, "--adapter", "base=" + adapter}, 2, "the name 'base' is taken");
  refuse({"serve", "--model", base, "--adapter", "x=" + adapter + ",x=" + adapter}, 2, "'x' is taken");
}

}  // namespace
}  // namespace vkgpt::cli
