#include "fuzz/fuzz_target.hpp"

#include <fstream>
#include <string>

#include "vkgpt/core/check.hpp"

namespace vkgpt::fuzz {

void run(Target target, std::string_view input) {
  try {
    target(input);
  } catch (const Error& error) {
    const std::string_view message = error.what();
    VKGPT_CHECK(!message.empty() && !message.contains('\n'), "{}", message);
  }
}

const Path& directory() {
  static const TempDirectory directory(TempDirectory::in_memory());
  static const Path& path = directory.path();
  return path;
}

Path write_input(std::string_view name, std::string_view input) {
  const Path path = directory() / name;
  std::ofstream file(path, std::ios::binary);
  file.write(input.data(), static_cast<std::streamsize>(input.size()));
  file.close();
  VKGPT_CHECK(file.good(), "cannot write {}", path.string());
  return path;
}

}  // namespace vkgpt::fuzz
