#include "comm/mpi_library.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <dlfcn.h>

#include "vkgpt/core/error.hpp"

namespace vkgpt::comm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "libvkgpt_mpi.so";

std::vector<fs::path> places() {
  if (const char* given = std::getenv("VKGPT_MPI_PLUGIN"); given != nullptr && *given != '\0') return {given};
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  return {program / kFile, program.parent_path() / "lib" / "vkgpt" / kFile};
}

}  // namespace

const VkgptMpi& open_mpi_library() {
  std::string tried;
  for (const fs::path& path : places()) {
    std::error_code error;
    tried += (tried.empty() ? "" : ", ") + path.string();
    if (!fs::exists(path, error)) continue;
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) fail("{} cannot be opened: {}", path.string(), dlerror());
    using Entry = const VkgptMpi*();
    auto* const entry = reinterpret_cast<Entry*>(dlsym(library, "vkgpt_mpi"));
    const VkgptMpi* const api = entry == nullptr ? nullptr : entry();
    if (api == nullptr || api->version != kVkgptMpiVersion) {
      fail("{} belongs to another version of vkgpt", path.string());
    }
    return *api;
  }
  fail(
      "several ranks need MPI, and there is no {} (looked for {}): build vkgpt where an MPI is installed, "
      "such "
      "as Debian's libopenmpi-dev",
      kFile, tried);
}

}  // namespace vkgpt::comm
