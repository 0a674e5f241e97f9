#include "text/chat/evaluator.hpp"

#include <algorithm>

#include "vkgpt/core/format.hpp"

#include "text/chat/builtins.hpp"
#include "text/chat/filters.hpp"
#include "text/chat/lexer.hpp"
#include "text/chat/methods.hpp"
#include "text/chat/operations.hpp"
#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {

using Kind = Expression::Kind;

Evaluator::Evaluator(const Template& source, const Limits& limits, std::time_t now)
    : Runtime(limits), source_(source), scope_(&make_scope(nullptr)) {
  scope_->names = builtin_functions(heap(), now);
}

Text Evaluator::run() {
  TextBuilder out(heap());
  out_ = &out;
  scope_ = &make_scope(scope_);
  try {
    execute(source_.body);
    return out.finish();
  } catch (const Refusal& refusal) {
    fail("{} refuses this conversation: {}", source_.where, printable(refusal.what(), 300));
  } catch (const Failure& failure) {
    fail_at(source_.where, line_, "{}", failure.what());
  }
}

Evaluator::Deeper::Deeper(Evaluator& evaluator) : evaluator_(evaluator) {
  const int limit = evaluator.heap().limits().depth;
  if (evaluator.depth_ >= limit) throw Failure(vkgpt::format("it goes deeper than {} levels", limit));
  ++evaluator.depth_;
}

Evaluator::Inside::Inside(Evaluator& evaluator, Scope& scope)
    : evaluator_(evaluator), before_(evaluator.scope_) {
  evaluator.scope_ = &scope;
}

Evaluator::Scope& Evaluator::make_scope(Scope* parent) {
  heap().charge(sizeof(Scope) + 128);
  return scopes_.emplace_back(parent);
}

Value Evaluator::look_up(std::string_view name) const {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (auto at = scope->names.rbegin(); at != scope->names.rend(); ++at) {
      if (at->first == name) return at->second;
    }
  }
  return Undefined{.name = name};
}

void Evaluator::set(std::string_view name, const Value& value) {
  for (auto& [known, old] : scope_->names) {
    if (known != name) continue;
    old = value;
    return;
  }
  scope_->names.emplace_back(name, value);
}

void Evaluator::assign_member(const Expression& target, const Value& value) {
  const Value of = look_up(target.parts[0]->name);
  const auto* space = get_if<Namespace*>(of);
  if (space == nullptr)
    throw Failure(vkgpt::format("'{}' is no namespace() that could be changed", target.parts[0]->name));
  const auto found =
      std::ranges::find((*space)->members, target.name, &std::pair<std::string_view, Value>::first);
  if (found != (*space)->members.end()) {
    found->second = value;
  } else {
    heap().charge(sizeof(Value) * 2);
    (*space)->members.emplace_back(target.name, value);
  }
}

void Evaluator::assign(const Expression& target, const Value& value) {
  if (target.kind == Kind::kName) return set(target.name, value);
  if (target.kind == Kind::kMember) return assign_member(target, value);
  const List& items = items_of(value, heap());
  if (items.items.size() != target.parts.size()) {
    throw Failure(
        vkgpt::format("{} values cannot be given to {} names", items.items.size(), target.parts.size()));
  }
  for (std::size_t i = 0; i < target.parts.size(); ++i) assign(*target.parts[i], items.items[i]);
}

Value Evaluator::evaluate(const Expression& expression) {
  heap().step();
  const Deeper deeper(*this);
  line_ = expression.line;
  const auto part = [&](std::size_t i) { return evaluate(*expression.parts[i]); };
  switch (expression.kind) {
    case Kind::kConstant:
      return expression.constant;
    case Kind::kName:
      return look_up(expression.name);
    case Kind::kList:
      return evaluate_list(expression, false);
    case Kind::kTuple:
      return evaluate_list(expression, true);
    case Kind::kDict:
      return evaluate_dict(expression);
    case Kind::kAttribute:
      return attribute_of(part(0), expression.name, *this);
    case Kind::kItem: {
      const Value of = part(0);
      return subscript_of(of, part(1), *this);
    }
    case Kind::kSlice:
      return evaluate_slice(expression);
    case Kind::kCall: {
      const Value function = part(0);
      return call(function, evaluate_arguments(expression.arguments));
    }
    case Kind::kFilter:
      return evaluate_filter(expression);
    case Kind::kTest: {
      const Value of = part(0);
      return test(expression.name, of, evaluate_arguments(expression.arguments));
    }
    case Kind::kNot:
      return !is_true(part(0));
    case Kind::kNegative:
      return negative(part(0));
    case Kind::kPositive:
      return part(0);
    case Kind::kAnd:
      return evaluate_logic(expression, false);
    case Kind::kOr:
      return evaluate_logic(expression, true);
    case Kind::kConcat:
      return evaluate_concat(expression);
    case Kind::kBinary: {
      const Value left = part(0);
      return combine(expression.operators[0], left, part(1), heap());
    }
    case Kind::kCompare:
      return evaluate_comparison(expression);
    case Kind::kCondition:
      return evaluate_condition(expression);
    case Kind::kMember:
      break;
  }
  return Undefined{};
}

Value Evaluator::evaluate_optional(const ExpressionPtr& expression) {
  return expression ? evaluate(*expression) : Value(None{});
}

Value Evaluator::evaluate_list(const Expression& expression, bool tuple) {
  std::vector<Value> items;
  for (const ExpressionPtr& part : expression.parts) items.push_back(evaluate(*part));
  return heap().list(std::move(items), tuple);
}

Value Evaluator::evaluate_dict(const Expression& expression) {
  std::vector<std::pair<Value, Value>> members;
  for (std::size_t i = 0; i < expression.parts.size(); i += 2) {
    const Value key = evaluate(*expression.parts[i]);
    const Value value = evaluate(*expression.parts[i + 1]);
    if (is<const List*>(key) || is<const Dict*>(key)) {
      throw Failure(vkgpt::format("{} cannot be a key", type_name(key)));
    }
    const auto same =
        std::ranges::find_if(members, [&](const auto& member) { return equal(member.first, key); });
    if (same != members.end()) {
      same->second = value;
    } else {
      members.emplace_back(key, value);
    }
  }
  return heap().dict(std::move(members));
}

Value Evaluator::evaluate_logic(const Expression& expression, bool stop_at) {
  Value value;
  for (const ExpressionPtr& part : expression.parts) {
    value = evaluate(*part);
    if (is_true(value) == stop_at) break;
  }
  return value;
}

Value Evaluator::evaluate_concat(const Expression& expression) {
  TextBuilder out(heap());
  for (const ExpressionPtr& part : expression.parts) append_text(evaluate(*part), out);
  return out.finish();
}

Value Evaluator::evaluate_comparison(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    const Value right = evaluate(*expression.parts[i + 1]);
    if (!compares(expression.operators[i], left, right, heap())) return false;
    left = right;
  }
  return true;
}

Value Evaluator::evaluate_condition(const Expression& expression) {
  if (is_true(evaluate(*expression.parts[0]))) return evaluate(*expression.parts[1]);
  return expression.parts[2] ? evaluate(*expression.parts[2])
                             : Value(Undefined{.name = "the else of an inline if"});
}

Value Evaluator::evaluate_slice(const Expression& expression) {
  const Value of = evaluate(*expression.parts[0]);
  const Value begin = evaluate_optional(expression.parts[1]);
  const Value end = evaluate_optional(expression.parts[2]);
  return slice_of(of, begin, end, evaluate_optional(expression.parts[3]), heap());
}

Value Evaluator::evaluate_filter(const Expression& expression) {
  const ExpressionPtr& input = expression.parts[0];
  const Value of = input ? evaluate(*input) : filter_input_;
  const Arguments arguments = evaluate_arguments(expression.arguments);
  line_ = expression.line;
  return filter(expression.name, of, arguments);
}

Arguments Evaluator::evaluate_arguments(const CallArguments& arguments) {
  Arguments given;
  for (const ExpressionPtr& one : arguments.positional) given.positional.push_back(evaluate(*one));
  for (const NamedExpression& one : arguments.named) given.named.emplace_back(one.name, evaluate(*one.value));
  if (arguments.list) {
    const Value more = evaluate(*arguments.list);
    const List& items = items_of(more, heap());
    heap().charge(items.items.size() * sizeof(Value));
    given.positional.insert(given.positional.end(), items.items.begin(), items.items.end());
  }
  if (arguments.members) {
    const Value more = evaluate(*arguments.members);
    const auto* dict = get_if<const Dict*>(more);
    if (dict == nullptr) throw Failure(vkgpt::format("** takes a dict, not {}", type_name(more)));
    heap().charge((*dict)->members.size() * 2 * sizeof(Value));
    for (const auto& [key, value] : (*dict)->members)
      given.named.emplace_back(expect_text(key, "**").bytes, value);
  }
  return given;
}

Value Evaluator::call(const Value& function, const Arguments& arguments) {
  const Deeper deeper(*this);
  if (const auto* callable = get_if<const Function*>(function)) return (*callable)->call(*this, arguments);
  if (const auto* loop = get_if<const Loop*>(function); loop != nullptr && (*loop)->recurse != nullptr) {
    return (*loop)->recurse->call(*this, arguments);
  }
  if (const auto* undefined = get_if<Undefined>(function)) {
    throw Failure(vkgpt::format("'{}' is undefined and cannot be called", undefined->name));
  }
  throw Failure(vkgpt::format("{} cannot be called", type_name(function)));
}

Value Evaluator::filter(std::string_view name, const Value& input, const Arguments& arguments) {
  heap().step();
  const Filter found = find_filter(name);
  if (found == nullptr) throw Failure(vkgpt::format("there is no filter '{}'", name));
  const Deeper deeper(*this);
  return found(*this, input, arguments);
}

bool Evaluator::test(std::string_view name, const Value& input, const Arguments& arguments) {
  heap().step();
  const Test found = find_test(name);
  if (found == nullptr) throw Failure(vkgpt::format("there is no test '{}'", name));
  return found(*this, input, arguments);
}

}  // namespace vkgpt::text::jinja
