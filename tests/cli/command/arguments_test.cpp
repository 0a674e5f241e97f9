#include "cli/command/arguments.hpp"

#include <gtest/gtest.h>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::cli {
namespace {

class ArgumentsTest : public testing::Test {
 protected:
  ArgumentsTest() {
    fields_.add(model_);
    fields_.add(train_);
  }

  Arguments read(const std::vector<std::string>& args) { return read_arguments(fields_, args); }
  /// "key=value" of the only setting.
  std::string only(const std::vector<std::string>& args) {
    const Arguments arguments = read(args);
    if (arguments.settings.size() != 1) return "not one setting";
    return arguments.settings[0].key + "=" + arguments.settings[0].text;
  }

  model::GptConfig model_;
  train::TrainConfig train_;
  FieldSet fields_;
};

TEST_F(ArgumentsTest, TakesEverySpelling) {
  EXPECT_EQ(only({"--n_layer", "6"}), "n_layer=6");
  EXPECT_EQ(only({"--n-layer", "6"}), "n_layer=6");
  EXPECT_EQ(only({"--n_layer=6"}), "n_layer=6");
  EXPECT_EQ(only({"--sample-prompt=a=b"}), "sample_prompt=a=b");
  EXPECT_EQ(only({"--sample_prompt="}), "sample_prompt=");
  EXPECT_EQ(only({"--sample_prompt", ""}), "sample_prompt=");
  EXPECT_EQ(only({"--learning_rate", "-1"}), "learning_rate=-1");
}

TEST_F(ArgumentsTest, TakesBooleans) {
  EXPECT_EQ(only({"--tie_weights"}), "tie_weights=true");
  EXPECT_EQ(only({"--tie_weights=off"}), "tie_weights=off");
  EXPECT_EQ(only({"--tie-weights", "false"}), "tie_weights=false");
  for (const char* flag : {"--no-tie_weights", "--no-tie-weights", "--no_tie_weights"}) {
    EXPECT_EQ(only({flag}), "tie_weights=false");
  }
  const Arguments arguments = read({"--resume", "file"});
  EXPECT_EQ(arguments.settings.at(0).text, "true");
  EXPECT_EQ(arguments.positionals, std::vector<std::string>{"file"});
}

TEST_F(ArgumentsTest, SeparatesPositionalsConfigAndHelp) {
  const Arguments arguments = read({"get", "--config", "a.yaml", "-", "--", "--n_layer"});
  EXPECT_EQ(arguments.positionals, (std::vector<std::string>{"get", "-", "--n_layer"}));
  EXPECT_EQ(arguments.config_path, "a.yaml");
  EXPECT_TRUE(arguments.settings.empty());
  EXPECT_EQ(read({"--help", "--nonsense"}).help, "text");
  EXPECT_EQ(read({"-h"}).help, "text");
  EXPECT_EQ(read({"--help=man"}).help, "man");
}

TEST_F(ArgumentsTest, RefusesWithOneClearLine) {
  const auto refuse = [&](const std::vector<std::string>& args, const std::string& message) {
    EXPECT_EQ(expect_error([&] { read(args); }, ""), message);
  };
  refuse({"--n_layrs", "6"}, "unknown flag --n_layrs: did you mean --n_layer?");
  refuse({"--n-layrs=6"}, "unknown flag --n-layrs: did you mean --n_layer?");
  refuse({"--confg", "x"}, "unknown flag --confg: did you mean --config?");
  refuse({"--zebra"}, "unknown flag --zebra (--help lists them)");
  refuse({"-x"}, "unknown flag -x: flags are written as --name");
  refuse({"--no-n_layer"}, "unknown flag --no-n_layer: did you mean --n_layer?");
  refuse({"--n_layer"}, "--n_layer needs a value");
  refuse({"--n_layer", "--n_head"}, "--n_layer needs a value (--n_layer=VALUE for one that begins with --)");
  refuse({"--no-tie_weights=false"},
         "--no-tie_weights takes no value: write --tie_weights=false or --no-tie_weights");
  refuse({"--config="}, "--config needs the path of a JSON or YAML file");
  EXPECT_EQ(only({"--n_layer", "2", "--n-layer=3"}), "n_layer=3");
  EXPECT_EQ(only({"--resume", "--no-resume"}), "resume=false");
}

}  // namespace
}  // namespace vkgpt::cli
