#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat/value.hpp"

namespace vkgpt::text::jinja {

/// What one rendering may cost.
struct Limits {
  std::uint64_t steps = 20'000'000;            ///< nodes evaluated and list items gone through
  std::size_t bytes = std::size_t{256} << 20;  ///< all memory that is ever taken
  int depth = 400;                             ///< of evaluation
};

/// Owns what the values of one rendering point to, and counts what the rendering costs. Fails at a limit.
class Heap {
 public:
  explicit Heap(const Limits& limits) : limits_(limits) {}

  const Limits& limits() const { return limits_; }

  /// Counts work.
  void step(std::uint64_t count = 1);
  /// Counts memory that someone else holds.
  void charge(std::size_t bytes);

  /// Room for `size` bytes.
  char* bytes(std::size_t size);
  /// A copy that stays.
  Text copy(std::string_view text, Marks marks = 0);

  Value list(std::vector<Value> items, bool tuple = false);
  Value dict(std::vector<std::pair<Value, Value>> members);
  Value function(std::string_view name, std::function<Value(Runtime&, const Arguments&)> call);
  Namespace* name_space();
  Loop* loop();

 private:
  Limits limits_;
  std::uint64_t steps_ = 0;
  std::size_t taken_ = 0;
  std::deque<List> lists_;
  std::deque<Dict> dicts_;
  std::deque<Function> functions_;
  std::deque<Namespace> namespaces_;
  std::deque<Loop> loops_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;
  std::size_t left_ = 0;
};

/// Puts text together.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(&heap) {}

  std::size_t size() const { return bytes_.size(); }
  void append(const Text& text);
  void append(std::string_view bytes, Marks marks = 0);
  /// Text that gets `more` marks.
  void append_marked(const Text& text, Marks more);
  /// Text that stays; nothing is left here.
  Text finish();

 private:
  Heap* heap_;
  std::string bytes_;
  std::vector<Marks> marks_;
};

}  // namespace vkgpt::text::jinja
