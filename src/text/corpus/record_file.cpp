#include "text/corpus/record_file.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/chat/python_json.hpp"
#include "vkgpt/text/corpus/corpus.hpp"

namespace vkgpt::text {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 30;

}  // namespace

RecordFile::RecordFile(const Path& path)
    : RecordFile(printable(path.string(), 200), read_bytes(path, kMaxBytes)) {}

RecordFile::RecordFile(std::string name, std::string bytes)
    : name_(std::move(name)), bytes_(std::move(bytes)) {
  std::string_view text = bytes_;
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::size_t begin = text.find_first_not_of(kJsonSpace);
  if (begin == std::string_view::npos) fail("{} is empty", name_);
  if (text[begin] == '[') {
    read_array(text);
  } else {
    read_lines(text);
  }
}

std::string RecordFile::place(const Record& record) const {
  return vkgpt::format("{}: {} {}", name_, is_array_ ? "record" : "line", record.number);
}

void RecordFile::read_lines(std::string_view text) {
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(kJsonSpace) != std::string_view::npos) records_.push_back({line, number});
  }
}

void RecordFile::read_array(std::string_view text) {
  is_array_ = true;
  const ChatJson all = parse_python_json(text, name_);
  for (const ChatJson& record : all) {
    elements_.push_back(record.dump(-1, ' ', false, ChatJson::error_handler_t::replace));
  }
  for (std::size_t i = 0; i < elements_.size(); ++i) records_.push_back({elements_[i], i + 1});
}

void on_all_processors(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  const auto run = [&] {
    for (std::size_t i = next++; i < count && !interrupted(); i = next++) work(i);
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
      threads.emplace_back(run);
    run();
  }
  if (interrupted()) throw Error("interrupted while conversations were encoded", ExitCode::kInterrupted);
}

}  // namespace vkgpt::text
