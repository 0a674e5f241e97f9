#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::text {

/// A record and where it stands.
struct Record {
  std::string_view text;
  std::size_t number;
};

/// A file's records: lines, or the elements of an array. Throws `Error` for a file without any.
class RecordFile {
 public:
  explicit RecordFile(const Path& path);

  const std::vector<Record>& records() const { return records_; }
  std::string place(const Record& record) const;

 private:
  void read_lines(std::string_view text);
  void read_array(std::string_view text);

  std::string name_;
  std::string bytes_;
  bool is_array_ = false;
  std::vector<std::string> elements_;
  std::vector<Record> records_;
};

/// Calls `work` for every number below `count` once, on all processors. Throws `Error` where a signal
/// arrived.
void on_all_processors(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace vkgpt::text
