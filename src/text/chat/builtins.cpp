#include "text/chat/builtins.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "text/chat/operations.hpp"
#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {
namespace {

constexpr std::int64_t kMaxRange = 100'000;  // as Jinja's sandbox has it

Value range(Runtime& runtime, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"start", "stop", "step"}, 1);
  const bool one = is<Undefined>(given[1]);
  const std::int64_t begin = one ? 0 : expect_integer(given[0], "range");
  const std::int64_t end = expect_integer(one ? given[0] : given[1], "range");
  const std::int64_t step = is<Undefined>(given[2]) ? 1 : expect_integer(given[2], "range");
  if (step == 0) throw Failure("range: the step is zero");
  std::vector<Value> items;
  for (std::int64_t at = begin; step > 0 ? at < end : at > end;) {
    if (static_cast<std::int64_t>(items.size()) == kMaxRange)
      throw Failure("range: more than 100000 numbers");
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return runtime.heap().list(std::move(items));
}

using Members = std::vector<std::pair<Value, Value>>;

/// What dict() and namespace() are given: a dict or pairs, and names. A later value of a key takes the place
/// of an earlier one.
Members members_of(Runtime& runtime, const Arguments& arguments) {
  Members members;
  const auto put = [&](const Value& key, const Value& value) {
    runtime.heap().step(members.size());
    const auto known = std::ranges::find_if(members, [&](const auto& one) { return equal(one.first, key); });
    if (known == members.end()) {
      members.emplace_back(key, value);
    } else {
      known->second = value;
    }
  };
  if (arguments.positional.size() > 1) throw Failure("a dict is made of one value and names");
  if (!arguments.positional.empty()) {
    if (const auto* dict = get_if<const Dict*>(arguments.positional[0])) {
      members = (*dict)->members;
    } else {
      for (const Value& pair : items_of(arguments.positional[0], runtime.heap()).items) {
        const List& two = items_of(pair, runtime.heap());
        if (two.items.size() != 2) throw Failure("a dict is made of pairs");
        put(two.items[0], two.items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) put(text_value(name), value);
  return members;
}

Value dict(Runtime& runtime, const Arguments& arguments) {
  return runtime.heap().dict(members_of(runtime, arguments));
}

Value name_space(Runtime& runtime, const Arguments& arguments) {
  Namespace* made = runtime.heap().name_space();
  for (const auto& [name, value] : members_of(runtime, arguments)) {
    made->members.emplace_back(expect_text(name, "namespace()").bytes, value);
  }
  return made;
}

Value raise_exception(Runtime& runtime, const Arguments& arguments) {
  const Value message = bind(arguments, {"message"}, 1)[0];
  throw Refusal(std::string(to_text(message, runtime.heap()).bytes));
}

Value time_text(Runtime& runtime, const Arguments& arguments, std::time_t now) {
  const Value given = bind(arguments, {"format"}, 1)[0];
  const std::string form(expect_text(given, "strftime_now()").bytes);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 1024> buffer{};
  const std::size_t length = std::strftime(buffer.data(), buffer.size(), form.c_str(), &local);
  return runtime.heap().copy({buffer.data(), length});
}

/// joiner(", "): nothing the first time it is called, then its text.
Value joiner(Runtime& runtime, const Arguments& arguments) {
  const Value given = bind(arguments, {"sep"})[0];
  const Value between = is<Undefined>(given) ? text_value(", ") : given;
  Namespace* state = runtime.heap().name_space();
  return runtime.heap().function("joiner", [between, state](Runtime&, const Arguments&) {
    const bool first = state->members.empty();
    if (first) state->members.emplace_back("used", true);
    return first ? text_value("") : between;
  });
}

}  // namespace

std::vector<std::pair<std::string_view, Value>> builtin_functions(Heap& heap, std::time_t now) {
  std::vector<std::pair<std::string_view, Value>> functions;
  const auto add = [&](std::string_view name, std::function<Value(Runtime&, const Arguments&)> call) {
    functions.emplace_back(name, heap.function(name, std::move(call)));
  };
  add("range", range);
  add("dict", dict);
  add("namespace", name_space);
  add("joiner", joiner);
  add("raise_exception", raise_exception);
  add("strftime_now",
      [now](Runtime& runtime, const Arguments& arguments) { return time_text(runtime, arguments, now); });
  return functions;
}

}  // namespace vkgpt::text::jinja
