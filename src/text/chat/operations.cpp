#include "text/chat/operations.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "vkgpt/core/format.hpp"

#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {
namespace {

constexpr const char* kTooLarge = "a whole number is beyond 64 bits";

std::string_view symbol(Operator operation) {
  constexpr std::array<std::string_view, 15> kSymbols = {
      "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kSymbols[static_cast<std::size_t>(operation)];
}

[[noreturn]] void no_meaning(Operator operation, const Value& left, const Value& right) {
  throw Failure(
      vkgpt::format("{} {} {} has no meaning", type_name(left), symbol(operation), type_name(right)));
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  if (base == 1 || (base == 0 && exponent > 0)) return base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) throw Failure(kTooLarge);
  }
  return result;
}

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  if (b == 0) throw Failure("a division by zero");
  if (a == std::numeric_limits<std::int64_t>::min() && b == -1) throw Failure(kTooLarge);
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

Value combine_integers(Operator operation, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (operation) {
    case Operator::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Operator::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Operator::kMultiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Operator::kDivide:
      if (b == 0) throw Failure("a division by zero");
      return static_cast<double>(a) / static_cast<double>(b);
    case Operator::kFloorDivide:
      return floor_quotient(a, b);
    case Operator::kModulo:
      return floor_remainder(a, b);
    default:
      if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
      result = power(a, b);
  }
  if (overflow) throw Failure(kTooLarge);
  return result;
}

Value combine_numbers(Operator operation, double a, double b) {
  const bool divides =
      operation == Operator::kDivide || operation == Operator::kFloorDivide || operation == Operator::kModulo;
  if (divides && b == 0) throw Failure("a division by zero");
  switch (operation) {
    case Operator::kAdd:
      return a + b;
    case Operator::kSubtract:
      return a - b;
    case Operator::kMultiply:
      return a * b;
    case Operator::kDivide:
      return a / b;
    case Operator::kFloorDivide:
      return std::floor(a / b);
    case Operator::kModulo:
      return a - std::floor(a / b) * b;
    default:
      return std::pow(a, b);
  }
}

Value repeat(const Value& what, std::int64_t count, Heap& heap) {
  count = std::max<std::int64_t>(count, 0);
  if (const auto* text = get_if<Text>(what)) {
    TextBuilder out(heap);
    for (std::int64_t i = 0; i < count && !text->bytes.empty(); ++i) {
      heap.step();
      out.append(*text);
    }
    return out.finish();
  }
  const List& list = **get_if<const List*>(what);
  std::vector<Value> items;
  for (std::int64_t i = 0; i < count && !list.items.empty(); ++i) {
    heap.step(list.items.size());
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return heap.list(std::move(items), list.tuple);
}

bool is_sequence(const Value& value) {
  return is<Text>(value) || is<const List*>(value);
}

/// Python's old way to fill in: %s, %d, %i, %f, %r, %x and %%.
Value fill_in(const Text& form, const Value& values, Heap& heap) {
  TextBuilder out(heap);
  const auto* list = get_if<const List*>(values);
  const bool several = list != nullptr && (*list)->tuple;
  std::size_t used = 0;
  const auto next = [&]() -> const Value& {
    const std::size_t count = several ? (*list)->items.size() : 1;
    if (used >= count) throw Failure("there are fewer values than places for them");
    return several ? (*list)->items[used++] : (++used, values);
  };
  std::size_t done = 0;
  for (std::size_t at = form.bytes.find('%'); at != std::string_view::npos; at = form.bytes.find('%', done)) {
    out.append(form.part(done, at - done));
    const char kind = at + 1 < form.size() ? form.bytes[at + 1] : '\0';
    done = at + 2;
    if (kind == '%') {
      out.append("%");
    } else if (kind == 's') {
      append_text(next(), out);
    } else if (kind == 'r') {
      append_repr(next(), out);
    } else if (kind == 'd' || kind == 'i') {
      const auto number = as_number(next());
      if (!number || !(std::abs(*number) < 9e18)) throw Failure("%d takes a number");
      out.append(vkgpt::format("{}", static_cast<std::int64_t>(*number)));
    } else if (kind == 'f') {
      const auto number = as_number(next());
      if (!number) throw Failure("%f takes a number");
      out.append(vkgpt::format("{:.6f}", *number));
    } else {
      throw Failure("a form with % is not supported");
    }
  }
  if (several && used < (*list)->items.size()) throw Failure("there are more values than places for them");
  out.append(form.part(done));
  return out.finish();
}

bool contains(const Value& where, const Value& what, Heap& heap) {
  if (const auto* text = get_if<Text>(where)) {
    const Text& part = expect_text(what, "'in' a string");
    heap.step(text->size() / 64);
    return text->bytes.contains(part.bytes);
  }
  if (const auto* dict = get_if<const Dict*>(where)) {
    heap.step((*dict)->members.size() / 8);
    return std::ranges::any_of((*dict)->members,
                               [&](const auto& member) { return equal(member.first, what); });
  }
  const List& list = items_of(where, heap);
  heap.step(list.items.size() / 8);
  return std::ranges::any_of(list.items, [&](const Value& item) { return equal(item, what); });
}

/// Python's slice.indices(): the positions that a slice takes, in order.
std::vector<std::int64_t> positions(std::int64_t length, const Value& begin, const Value& end,
                                    const Value& step, Heap& heap) {
  const auto given = [](const Value& value) { return !is<None>(value) && !is<Undefined>(value); };
  const std::int64_t by = given(step) ? expect_integer(step, "a slice") : 1;
  if (by == 0) throw Failure("the step of a slice is zero");
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    if (!given(value)) return otherwise;
    std::int64_t at = expect_integer(value, "a slice");
    if (at < 0) at = at < -length ? -1 : at + length;
    return by > 0 ? std::clamp<std::int64_t>(at, 0, length) : std::clamp<std::int64_t>(at, -1, length - 1);
  };
  const std::int64_t from = bound(begin, by > 0 ? 0 : length - 1);
  const std::int64_t to = bound(end, by > 0 ? length : -1);
  std::vector<std::int64_t> taken;
  if (by > 0) {
    for (std::int64_t at = from; at<to; at = by> to - at ? to : at + by) taken.push_back(at);
  } else {
    for (std::int64_t at = from; at > to; at = by < to - at ? to : at + by) taken.push_back(at);
  }
  heap.step(taken.size());
  return taken;
}

}  // namespace

std::int64_t floor_remainder(std::int64_t a, std::int64_t b) {
  if (b == 0) throw Failure("a division by zero");
  const std::int64_t rest = b == -1 ? 0 : a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value combine(Operator operation, const Value& left, const Value& right, Heap& heap) {
  const auto a = as_integer(left);
  const auto b = as_integer(right);
  if (a && b) return combine_integers(operation, *a, *b);
  const auto x = as_number(left);
  const auto y = as_number(right);
  if (x && y) return combine_numbers(operation, *x, *y);
  if (operation == Operator::kMultiply && is_sequence(left) && b) return repeat(left, *b, heap);
  if (operation == Operator::kMultiply && is_sequence(right) && a) return repeat(right, *a, heap);
  if (operation == Operator::kModulo && is<Text>(left)) return fill_in(*get_if<Text>(left), right, heap);
  if (operation != Operator::kAdd) no_meaning(operation, left, right);
  if (is<Text>(left) && is<Text>(right)) {
    TextBuilder out(heap);
    out.append(*get_if<Text>(left));
    out.append(*get_if<Text>(right));
    return out.finish();
  }
  const auto* list = get_if<const List*>(left);
  const auto* more = get_if<const List*>(right);
  if (list == nullptr || more == nullptr || (*list)->tuple != (*more)->tuple)
    no_meaning(operation, left, right);
  std::vector<Value> items = (*list)->items;
  items.insert(items.end(), (*more)->items.begin(), (*more)->items.end());
  return heap.list(std::move(items), (*list)->tuple);
}

bool compares(Operator operation, const Value& left, const Value& right, Heap& heap) {
  switch (operation) {
    case Operator::kEqual:
      return equal(left, right);
    case Operator::kNotEqual:
      return !equal(left, right);
    case Operator::kLess:
      return compare(left, right) < 0;
    case Operator::kLessEqual:
      return compare(left, right) <= 0;
    case Operator::kGreater:
      return compare(left, right) > 0;
    case Operator::kGreaterEqual:
      return compare(left, right) >= 0;
    case Operator::kIn:
      return contains(right, left, heap);
    default:
      return !contains(right, left, heap);
  }
}

Value negative(const Value& value) {
  if (const auto integer = as_integer(value)) return combine_integers(Operator::kSubtract, 0, *integer);
  if (const auto number = as_number(value)) return -*number;
  throw Failure(vkgpt::format("{} cannot be negated", type_name(value)));
}

const List& items_of(const Value& value, Heap& heap) {
  if (const auto* list = get_if<const List*>(value)) return **list;
  std::vector<Value> items;
  if (const auto* text = get_if<Text>(value)) {
    items = characters_of(*text, heap);
  } else if (const auto* dict = get_if<const Dict*>(value)) {
    for (const auto& member : (*dict)->members) items.push_back(member.first);
  } else if (!is<Undefined>(value)) {
    throw Failure(vkgpt::format("{} has no items", type_name(value)));
  }
  const Value made = heap.list(std::move(items));
  return **get_if<const List*>(made);
}

std::int64_t length_of(const Value& value) {
  if (const auto* text = get_if<Text>(value)) return count_characters(text->bytes);
  if (const auto* list = get_if<const List*>(value)) return static_cast<std::int64_t>((*list)->items.size());
  if (const auto* dict = get_if<const Dict*>(value))
    return static_cast<std::int64_t>((*dict)->members.size());
  if (is<Undefined>(value)) return 0;
  throw Failure(vkgpt::format("{} has no length", type_name(value)));
}

Value item_of(const Value& of, const Value& key, Heap& heap) {
  if (const auto* undefined = get_if<Undefined>(of))
    throw Failure(vkgpt::format("'{}' is undefined", undefined->name));
  const auto* name = get_if<Text>(key);
  const Undefined missing{.name = name == nullptr ? "an item" : name->bytes};
  if (const auto* dict = get_if<const Dict*>(of)) {
    heap.step((*dict)->members.size() / 16);
    for (const auto& [member, value] : (*dict)->members) {
      if (equal(member, key)) return value;
    }
    return missing;
  }
  const auto index = as_integer(key);
  if (!index || !is_sequence(of)) return missing;
  const std::int64_t length = length_of(of);
  const std::int64_t at = *index < 0 ? *index + length : *index;
  if (at < 0 || at >= length) return missing;
  if (const auto* list = get_if<const List*>(of)) return (*list)->items[static_cast<std::size_t>(at)];
  const Text& text = *get_if<Text>(of);
  heap.step(text.size() / 64);
  return character_at(text, at);
}

Value slice_of(const Value& of, const Value& begin, const Value& end, const Value& step, Heap& heap) {
  if (const auto* undefined = get_if<Undefined>(of))
    throw Failure(vkgpt::format("'{}' is undefined", undefined->name));
  if (!is_sequence(of)) throw Failure(vkgpt::format("{} cannot be sliced", type_name(of)));
  const std::vector<std::int64_t> taken = positions(length_of(of), begin, end, step, heap);
  if (const auto* list = get_if<const List*>(of)) {
    std::vector<Value> items;
    for (const std::int64_t at : taken) items.push_back((*list)->items[static_cast<std::size_t>(at)]);
    return heap.list(std::move(items), (*list)->tuple);
  }
  const Text& text = *get_if<Text>(of);
  if (taken.empty()) return text.part(0, 0);
  if (taken.back() - taken.front() == static_cast<std::int64_t>(taken.size()) - 1) {
    const std::size_t from = character_offset(text.bytes, taken.front());
    const Text tail = text.part(from);
    return tail.part(0, character_offset(tail.bytes, static_cast<std::int64_t>(taken.size())));
  }
  const std::vector<Value> characters = characters_of(text, heap);
  TextBuilder out(heap);
  for (const std::int64_t at : taken) out.append(*get_if<Text>(characters[static_cast<std::size_t>(at)]));
  return out.finish();
}

Text character_at(const Text& text, std::int64_t index) {
  const std::size_t at = character_offset(text.bytes, index);
  return text.part(at, character_length(text.bytes, at));
}

std::vector<Value> characters_of(const Text& text, Heap& heap) {
  heap.step(text.size());
  heap.charge(text.size() * sizeof(Value));
  std::vector<Value> characters;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.bytes, at);
    characters.emplace_back(text.part(at, length));
    at += length;
  }
  return characters;
}

}  // namespace vkgpt::text::jinja
