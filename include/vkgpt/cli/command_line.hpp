#pragma once

#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/config_field.hpp"

namespace vkgpt::cli {

/// The configuration of one command: structs are bound to it, then filled from everywhere a user can set
/// them.
///
///   model::GptConfig model;
///   RunOptions run;
///   CommandLine command("train", "Trains a GPT on a text.");
///   command.add(model).add(run);
///   if (!command.parse(args)) return 0;
///
/// Precedence: defaults < --config file < VKGPT_* < flags.
class CommandLine {
 public:
  /// `positionals` is what the usage line shows after the name, e.g. "get NAME"; without it there must be
  /// none.
  CommandLine(std::string name, std::string summary, std::string positionals = {});

  /// Binds the fields of `config`, which must outlive this object.
  template <typename Config>
  CommandLine& add(Config& config) {
    fields_.add(config);
    return *this;
  }

  /// Fills the bound structs. Prints the help and gives false where --help is asked for. Throws usage errors.
  bool parse(std::span<const std::string> args);

  const std::vector<std::string>& positionals() const { return positionals_; }
  /// The fields with the places where their values come from; `to_json` of it is the effective configuration.
  const FieldSet& fields() const { return fields_; }
  /// Usage, summary, and the fields by group with their defaults.
  std::string help() const;

 private:
  std::string name_;
  std::string summary_;
  std::string positional_usage_;
  FieldSet fields_;
  std::vector<std::string> positionals_;
};

}  // namespace vkgpt::cli
