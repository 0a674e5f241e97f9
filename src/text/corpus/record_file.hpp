#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::text {

/// White space between the values of JSON.
inline constexpr std::string_view kJsonSpace = " \t\r\n";

/// A record and where it stands.
struct Record {
  std::string_view text;
  std::size_t number;
};

/// A file's records: lines, or the elements of an array. Throws `Error` for a file without any.
class RecordFile {
 public:
  explicit RecordFile(const Path& path);
  /// Of bytes that were read; `name` is for messages.
  RecordFile(std::string name, std::string bytes);

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

/// `encode(text)` of every record of these files, on all processors, and then, in their order,
/// `use(encoded, place)`, where the place says which record it was. Throws `Error` as the above do.
template <typename Encode, typename Use>
void for_each_record(std::span<const Path> files, const Encode& encode, const Use& use) {
  for (const Path& path : files) {
    const RecordFile file(path);
    std::vector<std::invoke_result_t<const Encode&, std::string_view>> all(file.records().size());
    on_all_processors(all.size(), [&](std::size_t i) { all[i] = encode(file.records()[i].text); });
    for (std::size_t i = 0; i < all.size(); ++i) use(all[i], file.place(file.records()[i]));
  }
}

}  // namespace vkgpt::text
