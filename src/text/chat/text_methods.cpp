// Python's str methods, as far as templates use them.

#include <algorithm>
#include <array>
#include <optional>

#include "vkgpt/core/utf8.hpp"

#include "text/chat/methods.hpp"
#include "text/chat/operations.hpp"
#include "text/chat/text_case.hpp"
#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

Value title(const Text& text, const Arguments& arguments, Heap& heap) {
  bind(arguments, {});
  return titled(text, heap);
}
Value upper(const Text& text, const Arguments& arguments, Heap& heap) {
  bind(arguments, {});
  return upper_case(text, heap);
}
Value lower(const Text& text, const Arguments& arguments, Heap& heap) {
  bind(arguments, {});
  return lower_case(text, heap);
}
Value capitalize(const Text& text, const Arguments& arguments, Heap& heap) {
  bind(arguments, {});
  return capitalized(text, heap);
}

/// The characters to strip; nothing: white space.
std::optional<std::string_view> stripped_set(const Arguments& arguments) {
  const Value set = bind(arguments, {"chars"})[0];
  if (is<Undefined>(set) || is<None>(set)) return std::nullopt;
  return expect_text(set, "strip()").bytes;
}
Value strip(const Text& text, const Arguments& arguments, Heap&) {
  const auto set = stripped_set(arguments);
  return strip_right(strip_left(text, set ? &*set : nullptr), set ? &*set : nullptr);
}
Value left_strip(const Text& text, const Arguments& arguments, Heap&) {
  const auto set = stripped_set(arguments);
  return strip_left(text, set ? &*set : nullptr);
}
Value right_strip(const Text& text, const Arguments& arguments, Heap&) {
  const auto set = stripped_set(arguments);
  return strip_right(text, set ? &*set : nullptr);
}

/// The words between white space.
std::vector<Value> words_of(Text text, std::int64_t most, Heap& heap) {
  std::vector<Value> words;
  for (text = strip_left(text, nullptr); text.size() > 0; text = strip_left(text, nullptr)) {
    heap.step();
    if (most >= 0 && static_cast<std::int64_t>(words.size()) == most) {
      words.emplace_back(text);
      break;
    }
    std::size_t end = 0;
    while (end < text.size() && !is_python_space(decode_utf8(text.bytes, end).code_point)) {
      end += character_length(text.bytes, end);
    }
    words.emplace_back(text.part(0, end));
    text = text.part(end);
  }
  return words;
}

/// The same from the end.
std::vector<Value> last_words_of(Text text, std::int64_t most, Heap& heap) {
  std::vector<Value> all = words_of(text, -1, heap);
  if (most < 0 || static_cast<std::int64_t>(all.size()) <= most) return all;
  std::vector<Value> words(all.end() - most, all.end());
  const auto& next = *get_if<Text>(all[all.size() - static_cast<std::size_t>(most) - 1]);
  const auto length = static_cast<std::size_t>(next.bytes.data() + next.size() - text.bytes.data());
  words.insert(words.begin(), text.part(0, length));
  return words;
}

struct Split {
  std::optional<Text> separator;
  std::int64_t most = -1;
};
Split split_arguments(const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"sep", "maxsplit"});
  Split split;
  if (!is<Undefined>(given[0]) && !is<None>(given[0])) {
    split.separator = expect_text(given[0], "split()");
    if (split.separator->size() == 0) throw Failure("split() with an empty separator");
  }
  if (!is<Undefined>(given[1])) split.most = expect_integer(given[1], "split()");
  return split;
}

Value split(const Text& text, const Arguments& arguments, Heap& heap) {
  const Split by = split_arguments(arguments);
  if (!by.separator) return heap.list(words_of(text, by.most, heap));
  std::vector<Value> parts;
  std::size_t begin = 0;
  while (by.most < 0 || static_cast<std::int64_t>(parts.size()) < by.most) {
    const std::size_t at = text.bytes.find(by.separator->bytes, begin);
    if (at == kNone) break;
    parts.emplace_back(text.part(begin, at - begin));
    begin = at + by.separator->size();
  }
  parts.emplace_back(text.part(begin));
  return heap.list(std::move(parts));
}

Value right_split(const Text& text, const Arguments& arguments, Heap& heap) {
  const Split by = split_arguments(arguments);
  if (!by.separator) return heap.list(last_words_of(text, by.most, heap));
  std::vector<Value> parts;
  Text rest = text;
  while (by.most < 0 || static_cast<std::int64_t>(parts.size()) < by.most) {
    const std::size_t at = rest.bytes.rfind(by.separator->bytes);
    if (at == kNone) break;
    parts.emplace_back(rest.part(at + by.separator->size()));
    rest = rest.part(0, at);
  }
  parts.emplace_back(rest);
  std::ranges::reverse(parts);
  return heap.list(std::move(parts));
}

Value split_lines(const Text& text, const Arguments& arguments, Heap& heap) {
  const Value keep = bind(arguments, {"keepends"})[0];
  const auto ends_line = [](char32_t c) {
    return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
  };
  std::vector<Value> lines;
  std::size_t begin = 0;
  heap.step(text.size() / 16);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.bytes, at);
    const bool ends = ends_line(decode_utf8(text.bytes, at).code_point);
    std::size_t next = at + length;
    if (text.bytes[at] == '\r' && next < text.size() && text.bytes[next] == '\n') ++next;
    if (ends) {
      lines.emplace_back(text.part(begin, (is_true(keep) ? next : at) - begin));
      begin = next;
    }
    at = ends ? next : at + length;
  }
  if (begin < text.size()) lines.emplace_back(text.part(begin));
  return heap.list(std::move(lines));
}

Value partition_at(const Text& text, const Arguments& arguments, Heap& heap, bool last) {
  const Value given = bind(arguments, {"sep"}, 1)[0];
  const Text& separator = expect_text(given, "partition()");
  if (separator.size() == 0) throw Failure("partition() with an empty separator");
  const std::size_t at = last ? text.bytes.rfind(separator.bytes) : text.bytes.find(separator.bytes);
  const Text none = text.part(0, 0);
  if (at == kNone) return last ? heap.list({none, none, text}, true) : heap.list({text, none, none}, true);
  return heap.list({text.part(0, at), separator, text.part(at + separator.size())}, true);
}
Value partition(const Text& text, const Arguments& arguments, Heap& heap) {
  return partition_at(text, arguments, heap, false);
}
Value right_partition(const Text& text, const Arguments& arguments, Heap& heap) {
  return partition_at(text, arguments, heap, true);
}

/// The stretch of `text` that arguments 1 and 2 name, and the index of its first character.
std::pair<Text, std::int64_t> stretch(const Text& text, const std::vector<Value>& given, Heap& heap) {
  const Value part = slice_of(text, given[1], given[2], None{}, heap);
  const Text& found = *get_if<Text>(part);
  const auto before = static_cast<std::size_t>(found.bytes.data() - text.bytes.data());
  return {found, found.size() == 0 ? 0 : count_characters(text.bytes.substr(0, before))};
}

bool has_at_end(const Text& text, const Arguments& arguments, Heap& heap, bool begin) {
  const std::vector<Value> given = bind(arguments, {"what", "start", "end"}, 1);
  const Text part = stretch(text, given, heap).first;
  const auto matches = [&](const Value& what) {
    const std::string_view bytes = expect_text(what, begin ? "startswith()" : "endswith()").bytes;
    return begin ? part.bytes.starts_with(bytes) : part.bytes.ends_with(bytes);
  };
  if (const auto* list = get_if<const List*>(given[0])) return std::ranges::any_of((*list)->items, matches);
  return matches(given[0]);
}
Value starts_with(const Text& text, const Arguments& arguments, Heap& heap) {
  return has_at_end(text, arguments, heap, true);
}
Value ends_with(const Text& text, const Arguments& arguments, Heap& heap) {
  return has_at_end(text, arguments, heap, false);
}

std::int64_t find_in(const Text& text, const Arguments& arguments, Heap& heap, bool last) {
  const std::vector<Value> given = bind(arguments, {"what", "start", "end"}, 1);
  const auto [part, before] = stretch(text, given, heap);
  const std::string_view what = expect_text(given[0], "find()").bytes;
  const std::size_t at = last ? part.bytes.rfind(what) : part.bytes.find(what);
  return at == kNone ? -1 : before + count_characters(part.bytes.substr(0, at));
}
Value find(const Text& text, const Arguments& arguments, Heap& heap) {
  return find_in(text, arguments, heap, false);
}
Value right_find(const Text& text, const Arguments& arguments, Heap& heap) {
  return find_in(text, arguments, heap, true);
}
Value index(const Text& text, const Arguments& arguments, Heap& heap) {
  const std::int64_t at = find_in(text, arguments, heap, false);
  if (at < 0) throw Failure("index(): the text is not there");
  return at;
}

Value count(const Text& text, const Arguments& arguments, Heap& heap) {
  const std::vector<Value> given = bind(arguments, {"what", "start", "end"}, 1);
  const Text part = stretch(text, given, heap).first;
  const std::string_view what = expect_text(given[0], "count()").bytes;
  if (what.empty()) return count_characters(part.bytes) + 1;
  std::int64_t times = 0;
  for (std::size_t at = part.bytes.find(what); at != kNone; at = part.bytes.find(what, at + what.size()))
    ++times;
  return times;
}

Value replace(const Text& text, const Arguments& arguments, Heap& heap) {
  const std::vector<Value> given = bind(arguments, {"old", "new", "count"}, 2);
  const std::int64_t times = is<Undefined>(given[2]) ? -1 : expect_integer(given[2], "replace()");
  return replaced(text, expect_text(given[0], "replace()"), expect_text(given[1], "replace()"), times, heap);
}

Value remove_prefix(const Text& text, const Arguments& arguments, Heap&) {
  const Value what = bind(arguments, {"prefix"}, 1)[0];
  const std::string_view prefix = expect_text(what, "removeprefix()").bytes;
  return text.bytes.starts_with(prefix) ? text.part(prefix.size()) : text;
}
Value remove_suffix(const Text& text, const Arguments& arguments, Heap&) {
  const Value what = bind(arguments, {"suffix"}, 1)[0];
  const std::string_view suffix = expect_text(what, "removesuffix()").bytes;
  return text.bytes.ends_with(suffix) ? text.part(0, text.size() - suffix.size()) : text;
}

Value join(const Text& text, const Arguments& arguments, Heap& heap) {
  const Value what = bind(arguments, {"items"}, 1)[0];
  TextBuilder out(heap);
  bool first = true;
  for (const Value& item : items_of(what, heap).items) {
    heap.step();
    if (!std::exchange(first, false)) out.append(text);
    out.append(expect_text(item, "join()"));
  }
  return out.finish();
}

/// `{}`, `{0}` and `{name}`, without forms of their own.
Value format_text(const Text& text, const Arguments& arguments, Heap& heap) {
  TextBuilder out(heap);
  std::size_t next = 0;
  const auto value_of = [&](std::string_view name) -> const Value& {
    const bool digits = std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
    if (digits && name.size() < 6) {
      const std::size_t i = name.empty() ? next++ : static_cast<std::size_t>(std::stoul(std::string(name)));
      if (i < arguments.positional.size()) return arguments.positional[i];
    }
    const auto named = std::ranges::find(arguments.named, name, &std::pair<std::string_view, Value>::first);
    if (named == arguments.named.end()) throw Failure("format(): there is no value for a place");
    return named->second;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t brace = std::min(text.bytes.find_first_of("{}", at), text.size());
    out.append(text.part(at, brace - at));
    if (brace == text.size()) break;
    if (brace + 1 < text.size() && text.bytes[brace + 1] == text.bytes[brace]) {
      out.append(text.part(brace, 1));
      at = brace + 2;
      continue;
    }
    const std::size_t end = text.bytes.find('}', brace);
    if (text.bytes[brace] == '}' || end == kNone) throw Failure("format(): a brace stands alone");
    append_text(value_of(text.bytes.substr(brace + 1, end - brace - 1)), out);
    at = end + 1;
  }
  return out.finish();
}

Value fill(const Text& text, const Arguments& arguments, Heap& heap, bool left) {
  const std::vector<Value> given = bind(arguments, {"width", "fillchar"}, 1);
  const std::int64_t missing = expect_integer(given[0], "a width") - count_characters(text.bytes);
  const Text with = is<Undefined>(given[1]) ? Text{.bytes = " "} : expect_text(given[1], "a width");
  TextBuilder out(heap);
  if (!left) out.append(text);
  for (std::int64_t i = 0; i < missing; ++i) {
    heap.step();
    out.append(with);
  }
  if (left) out.append(text);
  return out.finish();
}
Value left_justify(const Text& text, const Arguments& arguments, Heap& heap) {
  return fill(text, arguments, heap, false);
}
Value right_justify(const Text& text, const Arguments& arguments, Heap& heap) {
  return fill(text, arguments, heap, true);
}

template <bool (*Test)(const Text&, Heap&)>
Value tested(const Text& text, const Arguments& arguments, Heap& heap) {
  bind(arguments, {});
  return Test(text, heap);
}

struct Method {
  std::string_view name;
  Value (*run)(const Text&, const Arguments&, Heap&);
};

constexpr auto kMethods = std::to_array<Method>({{"strip", strip},
                                                 {"lstrip", left_strip},
                                                 {"rstrip", right_strip},
                                                 {"split", split},
                                                 {"rsplit", right_split},
                                                 {"splitlines", split_lines},
                                                 {"partition", partition},
                                                 {"rpartition", right_partition},
                                                 {"startswith", starts_with},
                                                 {"endswith", ends_with},
                                                 {"find", find},
                                                 {"rfind", right_find},
                                                 {"index", index},
                                                 {"count", count},
                                                 {"replace", replace},
                                                 {"removeprefix", remove_prefix},
                                                 {"removesuffix", remove_suffix},
                                                 {"join", join},
                                                 {"format", format_text},
                                                 {"upper", upper},
                                                 {"lower", lower},
                                                 {"title", title},
                                                 {"capitalize", capitalize},
                                                 {"ljust", left_justify},
                                                 {"rjust", right_justify},
                                                 {"isalpha", tested<is_alpha>},
                                                 {"isdigit", tested<is_digit>},
                                                 {"isalnum", tested<is_alnum>},
                                                 {"isspace", tested<is_space>},
                                                 {"isupper", tested<is_upper>},
                                                 {"islower", tested<is_lower>}});

}  // namespace

Value text_method(const Text& text, std::string_view name, Heap& heap) {
  const auto found = std::ranges::find(kMethods, name, &Method::name);
  if (found == kMethods.end()) return Undefined{};
  return heap.function(name, [text, run = found->run](Runtime& runtime, const Arguments& arguments) {
    return run(text, arguments, runtime.heap());
  });
}

Text replaced(const Text& text, const Text& from, const Text& to, std::int64_t count, Heap& heap) {
  TextBuilder out(heap);
  std::size_t done = 0;
  std::size_t at = from.size() == 0 ? 0 : text.bytes.find(from.bytes);
  for (; at != kNone && count != 0; --count) {
    heap.step();
    out.append(text.part(done, at - done));
    out.append(to);
    done = at + from.size();
    if (from.size() > 0) {
      at = text.bytes.find(from.bytes, done);
    } else {
      at = done < text.size() ? done + character_length(text.bytes, done) : kNone;
    }
  }
  out.append(text.part(done));
  return out.finish();
}

}  // namespace vkgpt::text::jinja
