// Filters that make text or numbers.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <system_error>

#include "vkgpt/core/format.hpp"

#include "text/chat/filters.hpp"
#include "text/chat/methods.hpp"
#include "text/chat/operations.hpp"
#include "text/chat/text_case.hpp"
#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {
namespace {

/// A method of str with the same arguments.
Value run_method(Runtime& runtime, const Value& input, std::string_view name, const Arguments& arguments) {
  const Text text = to_text(input, runtime.heap());
  return runtime.call(text_method(text, name, runtime.heap()), arguments);
}

template <Text (*Change)(const Text&, Heap&)>
Value changed(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  return Change(to_text(input, runtime.heap()), runtime.heap());
}

Value string(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  return to_text(input, runtime.heap());
}

Value trim(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return run_method(runtime, input, "strip", arguments);
}

/// Words begin after white space, hyphens and opening brackets here, unlike in Python.
Value title(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  Heap& heap = runtime.heap();
  const Text text = to_text(input, heap);
  TextBuilder out(heap);
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const bool cuts = at < text.size() && std::string_view(" \t\n\r\f\v-({[<").contains(text.bytes[at]);
    if (at < text.size() && !cuts) continue;
    out.append(capitalized(text.part(begin, at - begin), heap));
    if (cuts) out.append(text.part(at, 1));
    begin = at + 1;
  }
  return out.finish();
}

Value replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Heap& heap = runtime.heap();
  const std::vector<Value> given = bind(arguments, {"old", "new", "count"}, 2);
  const bool all = is<Undefined>(given[2]) || is<None>(given[2]);
  const std::int64_t count = all ? -1 : expect_integer(given[2], "replace");
  return replaced(to_text(input, heap), to_text(given[0], heap), to_text(given[1], heap), count, heap);
}

Value join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Heap& heap = runtime.heap();
  const std::vector<Value> given = bind(arguments, {"d", "attribute"});
  const Text between = to_text(given[0], heap);
  TextBuilder out(heap);
  bool first = true;
  for (const Value& item : items_of(input, heap).items) {
    heap.step();
    if (!std::exchange(first, false)) out.append(between);
    append_text(is<Undefined>(given[1]) ? item : follow_path(item, given[1], runtime), out);
  }
  return out.finish();
}

Value indent(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Heap& heap = runtime.heap();
  const std::vector<Value> given = bind(arguments, {"width", "first", "blank"});
  Text by = {.bytes = "    "};
  if (const auto* text = get_if<Text>(given[0])) {
    by = *text;
  } else if (!is<Undefined>(given[0])) {
    const std::int64_t width = std::clamp<std::int64_t>(expect_integer(given[0], "indent"), 0, 10'000);
    by = heap.copy(std::string(static_cast<std::size_t>(width), ' '));
  }
  TextBuilder with_end(heap);
  append_text(input, with_end);
  with_end.append("\n");
  const Value split = runtime.call(text_method(with_end.finish(), "splitlines", heap), {});
  TextBuilder out(heap);
  bool is_first = true;
  for (const Value& line : items_of(split, heap).items) {
    if (!is_first) out.append("\n");
    const bool filled = get_if<Text>(line)->size() > 0;
    if (is_first ? is_true(given[1]) : filled || is_true(given[2])) out.append(by);
    append_text(line, out);
    is_first = false;
  }
  return out.finish();
}

Value format_filter(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Heap& heap = runtime.heap();
  if (!arguments.named.empty()) throw Failure("format: names are not supported");
  const Value values = heap.list(arguments.positional, true);
  return combine(Operator::kModulo, to_text(input, heap), values, heap);
}

Value center(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value given = bind(arguments, {"width"})[0];
  const Text text = to_text(input, runtime.heap());
  const std::int64_t width = is<Undefined>(given) ? 80 : expect_integer(given, "center");
  const std::int64_t missing = std::max<std::int64_t>(0, width - count_characters(text.bytes));
  // Python puts the odd space on the left where the width is odd.
  const std::int64_t left = missing / 2 + (missing & width & 1);
  TextBuilder out(runtime.heap());
  const auto pad = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      runtime.heap().step();
      out.append(" ");
    }
  };
  pad(left);
  out.append(text);
  pad(missing - left);
  return out.finish();
}

Value truncate(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Heap& heap = runtime.heap();
  const std::vector<Value> given = bind(arguments, {"length", "killwords", "end", "leeway"});
  const auto number = [&](const Value& value, std::int64_t otherwise) {
    return is<Undefined>(value) || is<None>(value) ? otherwise : expect_integer(value, "truncate");
  };
  const Text text = to_text(input, heap);
  const Text end = is<Undefined>(given[2]) ? Text{.bytes = "..."} : expect_text(given[2], "truncate");
  const std::int64_t length = number(given[0], 255);
  if (count_characters(text.bytes) <= length + std::clamp<std::int64_t>(number(given[3], 5), 0, 1'000'000))
    return text;
  const std::int64_t kept = length - count_characters(end.bytes);
  if (kept < 0) throw Failure("truncate: the length is shorter than what is put at the end");
  Text front = text.part(0, character_offset(text.bytes, kept));
  if (!is_true(given[1])) {
    const std::size_t space = front.bytes.rfind(' ');
    if (space != std::string_view::npos) front = front.part(0, space);
  }
  TextBuilder out(heap);
  out.append(front);
  out.append(end);
  return out.finish();
}

Value wordcount(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  return length_of(run_method(runtime, input, "split", {}));
}

Value escape(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  Heap& heap = runtime.heap();
  Text text = to_text(input, heap);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEscapes = {
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"'", "&#39;"}, {"\"", "&#34;"}}};
  for (const auto& [from, to] : kEscapes) text = replaced(text, {.bytes = from}, {.bytes = to}, -1, heap);
  return text;
}

Value urlencode(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  const Text text = to_text(input, runtime.heap());
  TextBuilder out(runtime.heap());
  constexpr std::string_view kPlain = "_.-~/";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.bytes[at];
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kPlain.contains(c);
    if (plain) {
      out.append(text.part(at, 1));
    } else {
      out.append(vkgpt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c))),
                 text.marks_at(at));
    }
  }
  return out.finish();
}

Value tojson(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style{.ascii = is_true(given[0]), .sorted = is_true(given[3])};
  if (!is<Undefined>(given[1]) && !is<None>(given[1])) {
    style.indent = expect_integer(given[1], "tojson");
    style.item_separator = ",";
  }
  if (const auto* separators = get_if<const List*>(given[2])) {
    if ((*separators)->items.size() != 2) throw Failure("tojson: separators are two strings");
    style.item_separator = expect_text((*separators)->items[0], "tojson").bytes;
    style.key_separator = expect_text((*separators)->items[1], "tojson").bytes;
  }
  TextBuilder out(runtime.heap());
  append_json(input, style, out);
  return out.finish();
}

/// Python's int() and float() of text: nothing where it is no number.
std::optional<double> parse_number(std::string_view text) {
  text = strip_right(strip_left({.bytes = text}, nullptr), nullptr).bytes;
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}
std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  text = strip_right(strip_left({.bytes = text}, nullptr), nullptr).bytes;
  if (text.starts_with('+')) text.remove_prefix(1);
  const bool prefixed = (base == 16 && text.starts_with("0x")) || (base == 8 && text.starts_with("0o")) ||
                        (base == 2 && text.starts_with("0b"));
  if (prefixed) text.remove_prefix(2);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Value to_int(Runtime&, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"default", "base"});
  const Value otherwise = is<Undefined>(given[0]) ? Value(std::int64_t{0}) : given[0];
  if (const auto integer = as_integer(input)) return *integer;
  std::optional<double> number = as_number(input);
  if (const auto* text = get_if<Text>(input)) {
    const std::int64_t base = is<Undefined>(given[1]) ? 10 : expect_integer(given[1], "int");
    if (base < 2 || base > 36) throw Failure("int: the base must be from 2 to 36");
    if (const auto integer = parse_integer(text->bytes, static_cast<int>(base))) return *integer;
    number = parse_number(text->bytes);
  }
  if (!number || !(std::abs(*number) < 9.2e18)) return otherwise;
  return static_cast<std::int64_t>(*number);
}

Value to_float(Runtime&, const Value& input, const Arguments& arguments) {
  const Value given = bind(arguments, {"default"})[0];
  const auto* text = get_if<Text>(input);
  const std::optional<double> number = text != nullptr ? parse_number(text->bytes) : as_number(input);
  if (number) return *number;
  return is<Undefined>(given) ? Value(0.0) : given;
}

Value round_filter(Runtime&, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"precision", "method"});
  const std::optional<double> number = as_number(input);
  if (!number) throw Failure("round takes a number");
  const std::int64_t precision = is<Undefined>(given[0]) ? 0 : expect_integer(given[0], "round");
  const std::string_view method = is<Undefined>(given[1]) ? "common" : expect_text(given[1], "round").bytes;
  const double scale = std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(precision, -300, 300)));
  if (method == "ceil") return std::ceil(*number * scale) / scale;
  if (method == "floor") return std::floor(*number * scale) / scale;
  if (method != "common") throw Failure("round: the method is common, ceil or floor");
  if (is<std::int64_t>(input) && precision >= 0) return input;
  if (precision < 0 || precision > 300) return std::nearbyint(*number * scale) / scale;
  // Correct to the last digit: by way of the decimal form.
  return parse_number(vkgpt::format("{:.{}f}", *number, static_cast<int>(precision))).value_or(*number);
}

Value absolute(Runtime&, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  if (const auto integer = as_integer(input)) return *integer < 0 ? negative(input) : Value(*integer);
  if (const auto number = as_number(input)) return std::abs(*number);
  throw Failure("abs takes a number");
}

constexpr auto kTextFilters = std::to_array<Named<Filter>>({{"string", string},
                                                            {"safe", string},
                                                            {"trim", trim},
                                                            {"upper", changed<upper_case>},
                                                            {"lower", changed<lower_case>},
                                                            {"capitalize", changed<capitalized>},
                                                            {"title", title},
                                                            {"replace", replace},
                                                            {"join", join},
                                                            {"indent", indent},
                                                            {"format", format_filter},
                                                            {"center", center},
                                                            {"truncate", truncate},
                                                            {"wordcount", wordcount},
                                                            {"escape", escape},
                                                            {"e", escape},
                                                            {"forceescape", escape},
                                                            {"urlencode", urlencode},
                                                            {"tojson", tojson},
                                                            {"int", to_int},
                                                            {"float", to_float},
                                                            {"round", round_filter},
                                                            {"abs", absolute}});

}  // namespace

Filter find_text_filter(std::string_view name) {
  return find_named(kTextFilters, name);
}

}  // namespace vkgpt::text::jinja
