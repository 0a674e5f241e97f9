#include "cli/model/save_model.hpp"

#include <filesystem>
#include <string_view>
#include <system_error>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"

#include "cli/model/polled_file_system.hpp"

namespace vkgpt::cli {
namespace {

std::string_view torch_dtype(model::TensorEncoding encoding) {
  if (encoding == model::TensorEncoding::kF16) return "float16";
  return encoding == model::TensorEncoding::kBF16 ? "bfloat16" : "float32";
}

}  // namespace

void save_model(const Path& directory, const model::LoadedModel& model, const text::Tokenizer& tokenizer,
                model::TensorEncoding encoding) {
  std::error_code ignored;
  if (std::filesystem::exists(directory, ignored)) {
    fail("{} is already there: choose another directory", directory.string());
  }
  const Path named = directory.has_filename() ? directory : directory.parent_path();
  const Path temporary = temporary_beside(named);
  PolledFileSystem file_system;
  install_interrupt_handlers();
  make_directories(temporary);
  try {
    for (const text::TokenizerFile& file : tokenizer.files()) {
      write_file(temporary / file.name, file.contents, file_system);
    }
    write_file(temporary / model::kModelConfigFile,
               model::model_config_json(model.params.config(), tokenizer.token_ids(), torch_dtype(encoding)),
               file_system);
    OutputFile weights(temporary / model::kModelWeightsFile, file_system);
    model::write_model_parameters(weights, model.params, model.arena, encoding);
    weights.finish();
    sync_directory(temporary);
    rename_path(temporary, named);
  } catch (...) {
    std::filesystem::remove_all(temporary, ignored);
    throw;
  }
  sync_directory(named.has_parent_path() ? named.parent_path() : Path("."));
}

}  // namespace vkgpt::cli
