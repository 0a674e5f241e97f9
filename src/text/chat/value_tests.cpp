// Jinja 2's tests: what may follow `is`.

#include <algorithm>
#include <array>

#include "text/chat/filters.hpp"
#include "text/chat/operations.hpp"
#include "text/chat/text_case.hpp"
#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {
namespace {

template <Operator Operation>
bool compared(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return compares(Operation, input, bind(arguments, {"other"}, 1)[0], runtime.heap());
}

template <bool (*Holds)(const Value&)>
bool holds(Runtime&, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  return Holds(input);
}

std::int64_t remainder(const Value& input, std::int64_t divisor) {
  return floor_remainder(expect_integer(input, "a test for divisibility"), divisor);
}

bool is_defined(const Value& value) {
  return !is<Undefined>(value);
}
bool is_undefined(const Value& value) {
  return is<Undefined>(value);
}
bool is_none(const Value& value) {
  return is<None>(value);
}
bool is_boolean(const Value& value) {
  return is<bool>(value);
}
bool is_false(const Value& value) {
  return is<bool>(value) && !is_true(value);
}
bool is_really_true(const Value& value) {
  return is<bool>(value) && is_true(value);
}
bool is_integer(const Value& value) {
  return is<std::int64_t>(value);
}
bool is_float(const Value& value) {
  return is<double>(value);
}
bool is_number(const Value& value) {
  return as_number(value).has_value();
}
bool is_string(const Value& value) {
  return is<Text>(value);
}
bool is_mapping(const Value& value) {
  return is<const Dict*>(value);
}
bool is_iterable(const Value& value) {
  return is<Text>(value) || is<const List*>(value) || is<const Dict*>(value) || is<Undefined>(value);
}
bool is_callable(const Value& value) {
  return is<const Function*>(value) || is<const Loop*>(value);
}
bool is_odd(const Value& value) {
  return remainder(value, 2) == 1;
}
bool is_even(const Value& value) {
  return remainder(value, 2) == 0;
}
bool is_filter(const Value& value) {
  return find_filter(expect_text(value, "a test for filters").bytes) != nullptr;
}
bool is_test(const Value& value) {
  return find_test(expect_text(value, "a test for tests").bytes) != nullptr;
}
bool is_never(const Value&) {
  return false;
}

bool divisible_by(Runtime&, const Value& input, const Arguments& arguments) {
  return remainder(input, expect_integer(bind(arguments, {"num"}, 1)[0], "divisibleby")) == 0;
}

template <bool (*Holds)(const Text&, Heap&)>
bool text_holds(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  return Holds(to_text(input, runtime.heap()), runtime.heap());
}

/// Python's `is`: of what is small by value, else by identity.
bool same_as(Runtime&, const Value& input, const Arguments& arguments) {
  const Value other = bind(arguments, {"other"}, 1)[0];
  if (input.index() != other.index()) return false;
  if (const auto* list = get_if<const List*>(input)) return *list == *get_if<const List*>(other);
  if (const auto* dict = get_if<const Dict*>(input)) return *dict == *get_if<const Dict*>(other);
  return equal(input, other);
}

constexpr auto kTests = std::to_array<Named<Test>>({{"defined", holds<is_defined>},
                                                    {"undefined", holds<is_undefined>},
                                                    {"none", holds<is_none>},
                                                    {"boolean", holds<is_boolean>},
                                                    {"false", holds<is_false>},
                                                    {"true", holds<is_really_true>},
                                                    {"integer", holds<is_integer>},
                                                    {"float", holds<is_float>},
                                                    {"number", holds<is_number>},
                                                    {"string", holds<is_string>},
                                                    {"mapping", holds<is_mapping>},
                                                    {"sequence", holds<is_iterable>},
                                                    {"iterable", holds<is_iterable>},
                                                    {"callable", holds<is_callable>},
                                                    {"odd", holds<is_odd>},
                                                    {"even", holds<is_even>},
                                                    {"filter", holds<is_filter>},
                                                    {"test", holds<is_test>},
                                                    {"escaped", holds<is_never>},
                                                    {"divisibleby", divisible_by},
                                                    {"lower", text_holds<is_lower>},
                                                    {"upper", text_holds<is_upper>},
                                                    {"sameas", same_as},
                                                    {"in", compared<Operator::kIn>},
                                                    {"==", compared<Operator::kEqual>},
                                                    {"eq", compared<Operator::kEqual>},
                                                    {"equalto", compared<Operator::kEqual>},
                                                    {"!=", compared<Operator::kNotEqual>},
                                                    {"ne", compared<Operator::kNotEqual>},
                                                    {">", compared<Operator::kGreater>},
                                                    {"gt", compared<Operator::kGreater>},
                                                    {"greaterthan", compared<Operator::kGreater>},
                                                    {">=", compared<Operator::kGreaterEqual>},
                                                    {"ge", compared<Operator::kGreaterEqual>},
                                                    {"<", compared<Operator::kLess>},
                                                    {"lt", compared<Operator::kLess>},
                                                    {"lessthan", compared<Operator::kLess>},
                                                    {"<=", compared<Operator::kLessEqual>},
                                                    {"le", compared<Operator::kLessEqual>}});

}  // namespace

Test find_test(std::string_view name) {
  return find_named(kTests, name);
}

}  // namespace vkgpt::text::jinja
