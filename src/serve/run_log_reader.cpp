#include "serve/run_log_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vkgpt::serve {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostColumns = 400, kMostRows = 20000;  // of a grid
constexpr std::size_t kLongestLine = 16 << 20;                // statistics of all tensors

/// Walks over a line of flat JSON.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool take(char c) {
    skip_space();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// A string without escapes.
  bool string(std::string_view& into) {
    if (!take('"')) return false;
    const std::size_t end = text_.find_first_of("\"\\");
    if (end == std::string_view::npos || text_[end] == '\\') return false;
    into = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return true;
  }
  /// A number, or NaN for null; `is_number` says whether it was one of them. False where it is no plain
  /// value.
  bool value(double& into, bool& is_number) {
    skip_space();
    is_number = true;
    std::string_view words;
    if (!text_.empty() && text_.front() == '"') {
      is_number = false;
      return string(words);
    }
    for (const auto& [word, meaning] :
         {std::pair{std::string_view("null"), kNan}, {"true", 1.0}, {"false", 0.0}}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      into = meaning;
      return true;
    }
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), into);
    if (error != std::errc()) return false;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return true;
  }
  bool at_end() {
    skip_space();
    return text_.empty();
  }

 private:
  void skip_space() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t' || text_.front() == '\r'))
      text_.remove_prefix(1);
  }

  std::string_view text_;
};

}  // namespace

bool read_flat_record(std::string_view line,
                      const std::function<void(std::string_view key, double)>& number) {
  Scanner scanner(line);
  if (!scanner.take('{')) return false;
  if (scanner.take('}')) return scanner.at_end();
  do {
    std::string_view key;
    double value = 0;
    bool is_number = false;
    if (!scanner.string(key) || !scanner.take(':') || !scanner.value(value, is_number)) return false;
    if (is_number) number(key, value);
  } while (scanner.take(','));
  return scanner.take('}') && scanner.at_end();
}

LogSeries thinned(const LogSeries& series, double from, double to, std::size_t points) {
  const auto index = [&](auto iterator) { return static_cast<std::size_t>(iterator - series.steps.begin()); };
  const std::size_t first = index(std::ranges::lower_bound(series.steps, from));
  const std::size_t last = index(std::ranges::upper_bound(series.steps, to));
  LogSeries result;
  const auto add = [&](std::size_t i) {
    result.steps.push_back(series.steps[i]);
    result.values.push_back(series.values[i]);
  };
  const std::size_t count = last > first ? last - first : 0;
  if (count <= points) {
    for (std::size_t i = first; i < last; ++i) add(i);
    return result;
  }
  const std::size_t stretches = std::max<std::size_t>(1, points / 2);
  for (std::size_t s = 0; s < stretches; ++s) {
    const std::size_t begin = first + count * s / stretches, end = first + count * (s + 1) / stretches;
    std::size_t least = begin, largest = begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (!(series.values[i] >= series.values[least])) least = i;
      if (series.values[i] > series.values[largest]) largest = i;
    }
    add(std::min(least, largest));
    if (least != largest) add(std::max(least, largest));
  }
  return result;
}

void LogGrid::add(double step, const nlohmann::ordered_json& values) {
  if (steps.size() >= kMostColumns) {
    const auto halve = [](auto& list) {
      for (std::size_t i = 0; 2 * i < list.size(); ++i) list[i] = list[2 * i];
      list.resize((list.size() + 1) / 2);
    };
    halve(steps);
    for (auto& [name, row] : rows) halve(row);
  }
  for (const auto& [name, value] : values.items()) {
    auto row = std::ranges::find(rows, name, &std::pair<std::string, std::vector<float>>::first);
    if (row == rows.end()) {
      if (rows.size() >= kMostRows) continue;
      rows.emplace_back(name, std::vector<float>());
      row = std::prev(rows.end());
    }
    const auto number = value.is_object() ? value.value("norm", nlohmann::ordered_json()) : value;
    row->second.resize(steps.size(), static_cast<float>(kNan));
    row->second.push_back(number.is_number() ? number.get<float>() : static_cast<float>(kNan));
  }
  steps.push_back(step);
  for (auto& [name, row] : rows) row.resize(steps.size(), static_cast<float>(kNan));
}

RunLogReader::RunLogReader(Path directory) : directory_(std::move(directory)) {}

void RunLogReader::restart() {
  for (Followed& file : files_) file.offset = 0;
  elapsed_seconds_ = 0;
  elapsed_step_ = 0;
  series_.clear();
  grids_.clear();
  ++grids_version_;
  ++generation_;
}

bool RunLogReader::was_replaced(Followed& file) const {
  struct stat status{};
  if (::stat((directory_ / file.name).c_str(), &status) != 0) return false;
  const bool is_other = status.st_ino != file.inode;
  const bool was_read = file.inode != 0;
  file.inode = status.st_ino;
  return was_read && (is_other || static_cast<std::uint64_t>(status.st_size) < file.offset);
}

std::size_t RunLogReader::read(std::size_t bytes) {
  bool restarts = false;
  for (Followed& file : files_) restarts |= was_replaced(file);
  if (restarts) restart();
  std::size_t count = 0;
  for (Followed& file : files_) count += read(file, bytes);
  return count;
}

std::size_t RunLogReader::read(Followed& followed, std::size_t bytes) {
  const int file = ::open((directory_ / followed.name).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  struct stat status{};
  std::string text;
  if (::fstat(file, &status) == 0) {
    const auto size = static_cast<std::uint64_t>(status.st_size);
    text.resize(
        std::min<std::uint64_t>(size - std::min(size, followed.offset), std::max(bytes, kLongestLine)));
    const ssize_t count = ::pread(file, text.data(), text.size(), static_cast<off_t>(followed.offset));
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  }
  ::close(file);
  const std::size_t end = text.rfind('\n');
  if (end == std::string::npos) return 0;
  std::string_view rest = std::string_view(text).substr(0, end + 1);
  while (!rest.empty()) {
    const std::size_t length = rest.find('\n');
    take(rest.substr(0, length));
    rest.remove_prefix(length + 1);
  }
  followed.offset += end + 1;
  return end + 1;
}

void RunLogReader::add_to_series(std::string_view key, double step, double value) {
  auto series = series_.find(key);
  if (series == series_.end()) series = series_.emplace(std::string(key), LogSeries{}).first;
  series->second.steps.push_back(step);
  series->second.values.push_back(static_cast<float>(value));
}

void RunLogReader::take(std::string_view line) {
  double step = kNan;
  const bool is_flat = read_flat_record(line, [&](std::string_view key, double value) {
    if (key == "step") {
      step = value;
      return;
    }
    if (!(step >= 0)) return;
    add_to_series(key, step, value);
    if (key != "step_seconds") return;
    if (std::isfinite(value)) elapsed_seconds_ += value * (step - elapsed_step_);
    elapsed_step_ = step;
    add_to_series("elapsed_seconds", step, elapsed_seconds_);
  });
  if (is_flat || line.size() > kLongestLine) return;
  const auto record = nlohmann::ordered_json::parse(line, nullptr, false);
  if (!record.is_object()) return;
  const auto step_of = record.find("step");
  if (step_of == record.end() || !step_of->is_number()) return;
  for (const auto& [key, value] : record.items()) {
    if (value.is_object()) grids_[key].add(step_of->get<double>(), value);
  }
  ++grids_version_;
}

}  // namespace vkgpt::serve
