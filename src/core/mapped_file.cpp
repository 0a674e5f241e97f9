#include "vkgpt/core/mapped_file.hpp"

#include <cerrno>
#include <utility>

#include <sys/mman.h>

namespace vkgpt {

MappedFile::MappedFile(const Path& path) : path_(path) {
  const InputFile file(path);
  if (file.size() == 0) return;
  void* const data = ::mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (data == MAP_FAILED) throw IoError("map", path, errno);
  bytes_ = {static_cast<const std::byte*>(data), file.size()};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace vkgpt
