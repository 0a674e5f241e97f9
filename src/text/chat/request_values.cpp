#include "text/chat/request_values.hpp"

#include <limits>

#include "vkgpt/core/utf8.hpp"

#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {
namespace {

Text request_text(const std::string& text, Marks marks) {
  if (find_invalid_utf8(text) != std::string::npos) throw Failure("the conversation is not UTF-8");
  return {.bytes = text, .each = nullptr, .all = marks};
}

Value value_at(const ChatJson& json, Heap& heap, int depth, Marks marks = kFromRequest) {
  if (depth > kMaxDepth) throw Failure("the conversation is nested too deeply");
  heap.step();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_string()) return request_text(json.get_ref<const std::string&>(), marks);
  if (json.is_number_unsigned()) {
    const auto number = json.get<std::uint64_t>();
    if (number <= std::numeric_limits<std::int64_t>::max()) return static_cast<std::int64_t>(number);
    return static_cast<double>(number);
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_array()) {
    std::vector<Value> items;
    for (const ChatJson& item : json) items.push_back(value_at(item, heap, depth + 1, marks));
    return heap.list(std::move(items));
  }
  if (json.is_object()) {
    std::vector<std::pair<Value, Value>> members;
    for (const auto& [name, member] : json.items()) {
      members.emplace_back(request_text(name, marks), value_at(member, heap, depth + 1, marks));
    }
    return heap.dict(std::move(members));
  }
  return None{};
}

}  // namespace

Value request_value(const ChatJson& json, Heap& heap) {
  return value_at(json, heap, 0);
}

std::string python_json(const ChatJson& json) {
  Heap heap({});
  TextBuilder text(heap);
  append_json(request_value(json, heap), {}, text);
  return std::string(text.finish().bytes);
}

Value request_messages(const ChatJson& messages, Heap& heap) {
  if (!messages.is_array()) return request_value(messages, heap);
  std::vector<Value> items;
  for (const ChatJson& message : messages) {
    const bool is_reply = message.is_object() && message.contains("role") && message["role"] == "assistant";
    if (!is_reply) {
      items.push_back(value_at(message, heap, 1));
      continue;
    }
    std::vector<std::pair<Value, Value>> members;
    for (const auto& [name, member] : message.items()) {
      const Marks marks = name == "role" ? kFromRequest : Marks{kFromRequest | kFromReply};
      members.emplace_back(request_text(name, kFromRequest), value_at(member, heap, 2, marks));
    }
    items.push_back(heap.dict(std::move(members)));
  }
  return heap.list(std::move(items));
}

}  // namespace vkgpt::text::jinja
