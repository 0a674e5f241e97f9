// Defaults < file < environment < flags, for random settings in all of them.

#include <array>
#include <cctype>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/command/command_line.hpp"
#include "support/random_cases.hpp"
#include "support/scoped_environment.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using test::Random;

constexpr std::array kFields = {"n_layer", "n_head", "n_embd", "block_size", "batch_size", "warmup_steps"};

std::string variable_of(std::string field) {
  for (char& c : field) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return "VKGPT_" + field;
}

TEST(PrecedenceProperties, TheLastSourceThatNamesAFieldDecides) {
  const TempDirectory directory(TempDirectory::in_memory());
  const Path file = directory / "config.yaml";
  test::for_random_cases(300, [&](Random& random) {
    std::map<std::string, std::string> expected;
    std::string yaml;
    std::vector<std::unique_ptr<test::ScopedEnvironment>> environment;
    std::vector<std::string> args;
    for (const std::string field : kFields) {
      const auto value = [&] { return expected[field] = std::to_string(random.between(1, 4096)); };
      if (random.chance(0.5)) yaml += field + ": " + value() + "\n";
      if (random.chance(0.5)) {
        const std::string variable = variable_of(field);
        environment.push_back(std::make_unique<test::ScopedEnvironment>(variable.c_str(), value()));
      }
      for (int times = 0; times < 2; ++times) {
        if (!random.chance(0.3)) continue;
        const std::string flag = "--" + field;
        if (random.chance(0.5)) {
          args.push_back(flag + "=" + value());
        } else {
          args.insert(args.end(), {flag, value()});
        }
      }
    }
    if (!yaml.empty()) {
      write_file(file, yaml);
      args.insert(args.begin(), {"--config", file.string()});
    }

    model::GptConfig model;
    train::TrainConfig train;
    CommandLine command("train", "Trains a GPT on a text.");
    command.add(model).add(train);
    ASSERT_TRUE(command.parse(args));
    for (const Field& field : command.fields().fields()) {
      const auto found = expected.find(std::string(field.info.name));
      EXPECT_EQ(field.text(), found == expected.end() ? field.default_text : found->second)
          << field.info.name;
      EXPECT_EQ(field.where.empty(), found == expected.end()) << field.info.name;
    }
  });
}

}  // namespace
}  // namespace vkgpt::cli
