#include "text/chat/heap.hpp"

#include <algorithm>
#include <cstring>

#include "vkgpt/core/format.hpp"

namespace vkgpt::text::jinja {

void Heap::step(std::uint64_t count) {
  steps_ += count;
  if (steps_ > limits_.steps) throw Failure(vkgpt::format("it takes more than {} steps", limits_.steps));
}

void Heap::charge(std::size_t bytes) {
  if (bytes > limits_.bytes - taken_) {
    throw Failure(vkgpt::format("it takes more than {} MiB of memory", limits_.bytes >> 20U));
  }
  taken_ += bytes;
}

char* Heap::bytes(std::size_t size) {
  constexpr std::size_t kBlock = std::size_t{1} << 14;
  charge(size);
  if (size > left_) {
    left_ = std::max(size, kBlock);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
    free_ = blocks_.back().get();
  }
  char* taken = free_;
  free_ += size;
  left_ -= size;
  return taken;
}

Text Heap::copy(std::string_view text, Marks marks) {
  if (text.empty()) return {.bytes = {}, .each = nullptr, .all = marks};
  char* to = bytes(text.size());
  std::memcpy(to, text.data(), text.size());
  return {.bytes = {to, text.size()}, .each = nullptr, .all = marks};
}

Value Heap::list(std::vector<Value> items, bool tuple) {
  charge(sizeof(List) + items.size() * sizeof(Value));
  step(items.size() / 8);
  return &lists_.emplace_back(std::move(items), tuple);
}

Value Heap::dict(std::vector<std::pair<Value, Value>> members) {
  charge(sizeof(Dict) + members.size() * 2 * sizeof(Value));
  return &dicts_.emplace_back(std::move(members));
}

Value Heap::function(std::string_view name, std::function<Value(Runtime&, const Arguments&)> call) {
  charge(sizeof(Function) + 64);
  return &functions_.emplace_back(name, std::move(call));
}

Namespace* Heap::name_space() {
  charge(sizeof(Namespace) + 64);
  return &namespaces_.emplace_back();
}

Loop* Heap::loop() {
  charge(sizeof(Loop));
  return &loops_.emplace_back();
}

void TextBuilder::append(const Text& text) {
  if (text.each == nullptr) return append(text.bytes, text.all);
  heap_->charge(2 * text.size());
  bytes_ += text.bytes;
  marks_.insert(marks_.end(), text.each, text.each + text.size());
}

void TextBuilder::append(std::string_view bytes, Marks marks) {
  heap_->charge(2 * bytes.size());
  bytes_ += bytes;
  marks_.insert(marks_.end(), bytes.size(), marks);
}

void TextBuilder::append_marked(const Text& text, Marks more) {
  const std::size_t begin = marks_.size();
  append(text);
  for (std::size_t i = begin; i < marks_.size(); ++i) marks_[i] |= more;
}

Text TextBuilder::finish() {
  const Marks first = marks_.empty() ? Marks{0} : marks_.front();
  const bool uniform = std::ranges::all_of(marks_, [&](Marks marks) { return marks == first; });
  Text text = heap_->copy(bytes_, first);
  if (!uniform) {
    auto* each = reinterpret_cast<Marks*>(heap_->bytes(marks_.size()));
    std::memcpy(each, marks_.data(), marks_.size());
    text.each = each;
  }
  bytes_.clear();
  marks_.clear();
  return text;
}

}  // namespace vkgpt::text::jinja
