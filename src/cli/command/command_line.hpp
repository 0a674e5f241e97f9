#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/train/run_settings.hpp"

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
/// Precedence: defaults < preset (where the command has one) < the settings of the run that is continued
/// < --config file < VKGPT_* < flags.
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

  /// The same for those fields only whose names are not bound yet.
  template <typename Config>
  CommandLine& add_missing(Config& config) {
    Missing<Config> missing{config, fields_};
    fields_.add(missing);
    return *this;
  }

  /// A command that continues runs: where `resume` is set, the settings saved in the run directory `out_dir`
  /// come between the preset and the configuration file.
  void continue_runs() { continues_runs_ = true; }

  /// Fills the bound structs. Prints the help and gives false where --help is asked for. Throws usage errors.
  bool parse(std::span<const std::string> args);

  /// Saved settings of the continued run that this command line changes.
  const std::vector<train::SettingChange>& changes() const { return changes_; }

  const std::vector<std::string>& positionals() const { return positionals_; }
  /// The fields with the places where their values come from; `to_json` of it is the effective configuration.
  const FieldSet& fields() const { return fields_; }
  /// The help in one of the formats of `help_text`.
  std::string help(std::string_view format = "text") const;

 private:
  template <typename Config>
  struct Missing {
    Config& config;
    const FieldSet& bound;

    template <typename Visitor, typename Self>
    static void visit_fields(Visitor&& visit, Self& self) {
      const auto visit_missing = [&](const FieldInfo& info, auto& member) {
        if (self.bound.find(info.name) == nullptr) visit(info, member);
      };
      Config::visit_fields(visit_missing, self.config);
    }
  };

  /// Sets what the preset says that the last setting of that name chooses.
  void apply_preset(std::span<const Setting> settings);
  /// The settings of the run that `settings` ask to continue; none where they do not.
  std::vector<Setting> saved_settings(std::span<const Setting> settings) const;

  std::string name_;
  std::string summary_;
  std::string positional_usage_;
  bool continues_runs_ = false;
  std::vector<train::SettingChange> changes_;
  FieldSet fields_;
  std::vector<std::string> positionals_;
};

}  // namespace vkgpt::cli
