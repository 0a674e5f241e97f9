#include <algorithm>
#include <string>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/train_config.hpp"

#include "cli/command/aliases.hpp"
#include "cli/command/arguments.hpp"
#include "cli/command/environment.hpp"
#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(arguments) {
  // The words of a command line, one on each line; then the same as environment variables.
  std::vector<std::string> words;
  for (std::size_t at = 0; at < input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    words.emplace_back(input.substr(at, end - at));
    at = end + 1;
  }
  model::GptConfig model;
  train::TrainConfig config;
  FieldSet fields;
  fields.add(model);
  fields.add(config);
  const auto apply = [&](const std::vector<Setting>& settings) {
    for (const Setting& setting : cli::translate_all(fields, settings)) fields.set(setting);
  };
  try {
    apply(cli::read_environment(fields, words).settings);
  } catch (const Error&) {  // the command line is read all the same
  }
  apply(cli::read_arguments(fields, words).settings);
}

}  // namespace vkgpt::fuzz
