#include "text/chat/methods.hpp"

#include <algorithm>
#include <optional>

#include "vkgpt/core/format.hpp"

#include "text/chat/operations.hpp"

namespace vkgpt::text::jinja {
namespace {

Value pair_of(const Value& key, const Value& value, Heap& heap) {
  return heap.list({key, value}, true);
}

/// Python's dict methods that change nothing.
Value dict_method(const Dict& dict, std::string_view name, Heap& heap) {
  if (name == "items") {
    return heap.function(name, [&dict](Runtime& runtime, const Arguments& arguments) {
      bind(arguments, {});
      std::vector<Value> items;
      for (const auto& [key, value] : dict.members) items.push_back(pair_of(key, value, runtime.heap()));
      return runtime.heap().list(std::move(items));
    });
  }
  if (name == "keys" || name == "values") {
    const bool keys = name == "keys";
    return heap.function(name, [&dict, keys](Runtime& runtime, const Arguments& arguments) {
      bind(arguments, {});
      std::vector<Value> items;
      for (const auto& [key, value] : dict.members) items.push_back(keys ? key : value);
      return runtime.heap().list(std::move(items));
    });
  }
  if (name == "get") {
    return heap.function(name, [&dict](Runtime& runtime, const Arguments& arguments) {
      std::vector<Value> given = bind(arguments, {"key", "default"}, 1);
      const Value found = item_of(&dict, given[0], runtime.heap());
      if (!is<Undefined>(found)) return found;
      const bool has_default = arguments.positional.size() + arguments.named.size() > 1;
      return has_default ? given[1] : Value(None{});
    });
  }
  if (name == "copy") {
    return heap.function(name, [&dict](Runtime&, const Arguments&) { return Value(&dict); });
  }
  return Undefined{};
}

Value list_method(const List& list, std::string_view name, Heap& heap) {
  if (name == "count" || name == "index") {
    const bool counts = name == "count";
    return heap.function(name, [&list, counts](Runtime& runtime, const Arguments& arguments) -> Value {
      const Value what = bind(arguments, {"value"}, 1)[0];
      runtime.heap().step(list.items.size());
      const auto same = [&](const Value& item) { return equal(item, what); };
      if (counts) return std::int64_t{std::ranges::count_if(list.items, same)};
      const auto found = std::ranges::find_if(list.items, same);
      if (found == list.items.end()) throw Failure("index(): the list has no such item");
      return std::int64_t{found - list.items.begin()};
    });
  }
  constexpr std::string_view kChanging[] = {"append", "extend", "insert", "pop",
                                            "remove", "clear",  "sort",   "reverse"};
  if (std::ranges::contains(kChanging, name)) {
    throw Failure(vkgpt::format("'{}' would change a list, which templates may not", name));
  }
  return Undefined{};
}

Value loop_member(const Loop& loop, std::string_view name, Heap& heap) {
  const auto length = static_cast<std::int64_t>(loop.items->items.size());
  const auto item = [&](std::int64_t at) -> Value {
    if (at < 0 || at >= length) return Undefined{.name = "an item beside the loop's"};
    return loop.items->items[static_cast<std::size_t>(at)];
  };
  if (name == "index") return loop.index + 1;
  if (name == "index0") return loop.index;
  if (name == "revindex") return length - loop.index;
  if (name == "revindex0") return length - loop.index - 1;
  if (name == "first") return loop.index == 0;
  if (name == "last") return loop.index == length - 1;
  if (name == "length") return length;
  if (name == "depth") return loop.depth;
  if (name == "depth0") return loop.depth - 1;
  if (name == "previtem") return item(loop.index - 1);
  if (name == "nextitem") return item(loop.index + 1);
  if (name == "cycle") {
    return heap.function(name, [&loop](Runtime&, const Arguments& arguments) -> Value {
      const auto count = static_cast<std::int64_t>(arguments.positional.size());
      if (count == 0) throw Failure("loop.cycle() needs something to go through");
      return arguments.positional[static_cast<std::size_t>(loop.index % count)];
    });
  }
  if (name == "changed") {
    return heap.function(name, [&loop](Runtime&, const Arguments& arguments) -> Value {
      const bool same = loop.last && std::ranges::equal(*loop.last, arguments.positional, equal);
      loop.last = arguments.positional;
      return !same;
    });
  }
  return Undefined{};
}

Value namespace_member(const Namespace& space, std::string_view name) {
  for (const auto& [member, value] : space.members) {
    if (member == name) return value;
  }
  return Undefined{};
}

/// A method or member by name, but for the items of dicts.
Value own_member(const Value& of, std::string_view name, Runtime& runtime) {
  Heap& heap = runtime.heap();
  if (const auto* text = get_if<Text>(of)) return text_method(*text, name, heap);
  if (const auto* dict = get_if<const Dict*>(of)) return dict_method(**dict, name, heap);
  if (const auto* list = get_if<const List*>(of)) return list_method(**list, name, heap);
  if (const auto* loop = get_if<const Loop*>(of)) return loop_member(**loop, name, heap);
  if (const auto* space = get_if<Namespace*>(of)) return namespace_member(**space, name);
  if (const auto* function = get_if<const Function*>(of); function != nullptr && name == "name") {
    return text_value((*function)->name);
  }
  return Undefined{};
}

}  // namespace

Value attribute_of(const Value& of, std::string_view name, Runtime& runtime) {
  if (const auto* undefined = get_if<Undefined>(of)) {
    throw Failure(vkgpt::format("'{}' is undefined and so has no '{}'", undefined->name, name));
  }
  const Value member = own_member(of, name, runtime);
  if (!is<Undefined>(member)) return member;
  if (const auto* dict = get_if<const Dict*>(of)) {
    runtime.heap().step((*dict)->members.size() / 16);
    if (const Value* found = (*dict)->find(name)) return *found;
  }
  return Undefined{.name = name};
}

Value subscript_of(const Value& of, const Value& key, Runtime& runtime) {
  const Value item = item_of(of, key, runtime.heap());
  if (!is<Undefined>(item)) return item;
  if (const auto* name = get_if<Text>(key)) {
    const Value member = own_member(of, name->bytes, runtime);
    if (!is<Undefined>(member)) return member;
  }
  return item;
}

}  // namespace vkgpt::text::jinja
