// How an Evaluator runs statements.

#include <algorithm>
#include <utility>

#include "vkgpt/core/format.hpp"

#include "text/chat/evaluator.hpp"
#include "text/chat/operations.hpp"
#include "text/chat/value_text.hpp"

namespace vkgpt::text::jinja {

using Form = Statement::Kind;

Evaluator::Flow Evaluator::execute(const Statements& statements) {
  const Deeper deeper(*this);
  for (const Statement& statement : statements) {
    heap().step();
    line_ = statement.line;
    const Flow flow = execute_one(statement);
    if (flow != Flow::kOn) return flow;
  }
  return Flow::kOn;
}

Evaluator::Flow Evaluator::execute_one(const Statement& statement) {
  switch (statement.kind) {
    case Form::kText:
      out_->append(statement.name);
      break;
    case Form::kOutput:
      for (const ExpressionPtr& expression : statement.expressions) append_text(evaluate(*expression), *out_);
      break;
    case Form::kFor:
      return execute_for(statement, evaluate(*statement.expressions[1]), 1);
    case Form::kIf:
      return execute_if(statement);
    case Form::kSet:
      assign(*statement.expressions[0], evaluate(*statement.expressions[1]));
      break;
    case Form::kSetBlock:
      assign(*statement.expressions[0], filtered(statement.expressions[1], captured(statement.body)));
      break;
    case Form::kMacro:
      set(statement.name, make_macro(statement, statement.name));
      break;
    case Form::kCall:
      execute_call(statement);
      break;
    case Form::kFilter:
      append_text(filtered(statement.expressions[0], captured(statement.body)), *out_);
      break;
    case Form::kWith:
      execute_with(statement);
      break;
    case Form::kGeneration:
      out_->append_marked(captured(statement.body), kByAssistant);
      break;
    case Form::kBreak:
      return Flow::kBreak;
    case Form::kContinue:
      return Flow::kContinue;
  }
  return Flow::kOn;
}

Evaluator::Flow Evaluator::execute_if(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (branch.condition && !is_true(evaluate(*branch.condition))) continue;
    return execute(branch.body);
  }
  return Flow::kOn;
}

const List& Evaluator::chosen_items(const Statement& statement, const Value& items) {
  const List& all = items_of(items, heap());
  const ExpressionPtr& condition = statement.expressions[2];
  if (!condition) return all;
  const Inside inside(*this, make_scope(scope_));
  std::vector<Value> chosen;
  for (const Value& item : all.items) {
    assign(*statement.expressions[0], item);
    if (is_true(evaluate(*condition))) chosen.push_back(item);
  }
  const Value made = heap().list(std::move(chosen));
  return **get_if<const List*>(made);
}

Evaluator::Flow Evaluator::execute_for(const Statement& statement, const Value& items, std::int64_t depth) {
  Loop& loop = *heap().loop();
  loop.items = &chosen_items(statement, items);
  loop.depth = depth;
  if (loop.items->items.empty()) return execute(statement.otherwise);
  Scope* around = scope_;
  if (statement.recursive) {
    const Value again =
        heap().function("loop", [this, &statement, around, depth](Runtime&, const Arguments& arguments) {
          const Value deeper_items = bind(arguments, {"iterable"}, 1)[0];
          const Inside inside(*this, *around);
          TextBuilder out(heap());
          TextBuilder* before = std::exchange(out_, &out);
          execute_for(statement, deeper_items, depth + 1);
          out_ = before;
          return Value(out.finish());
        });
    loop.recurse = *get_if<const Function*>(again);
  }
  const Inside inside(*this, make_scope(around));
  for (const Value& item : loop.items->items) {
    heap().step();
    scope_->names.clear();
    assign(*statement.expressions[0], item);
    set("loop", &std::as_const(loop));
    if (execute(statement.body) == Flow::kBreak) break;
    ++loop.index;
  }
  return Flow::kOn;
}

void Evaluator::execute_with(const Statement& statement) {
  std::vector<Value> values;
  for (std::size_t i = 1; i < statement.expressions.size(); i += 2) {
    values.push_back(evaluate(*statement.expressions[i]));
  }
  const Inside inside(*this, make_scope(scope_));
  for (std::size_t i = 0; i < values.size(); ++i) assign(*statement.expressions[2 * i], values[i]);
  execute(statement.body);
}

void Evaluator::execute_call(const Statement& statement) {
  const Expression& called = *statement.expressions[0];
  const Value function = evaluate(*called.parts[0]);
  Arguments arguments = evaluate_arguments(called.arguments);
  arguments.named.emplace_back("caller", make_macro(statement, "caller"));
  append_text(call(function, arguments), *out_);
}

Text Evaluator::captured(const Statements& statements) {
  const Inside inside(*this, make_scope(scope_));
  TextBuilder out(heap());
  TextBuilder* before = std::exchange(out_, &out);
  execute(statements);
  out_ = before;
  return out.finish();
}

Value Evaluator::filtered(const ExpressionPtr& filters, const Text& text) {
  if (!filters) return text;
  const Value before = std::exchange(filter_input_, text);
  const Value made = evaluate(*filters);
  filter_input_ = before;
  return made;
}

Value Evaluator::make_macro(const Statement& statement, std::string_view name) {
  return heap().function(name, [this, &statement, around = scope_](Runtime&, const Arguments& arguments) {
    return run_macro(statement, around, arguments);
  });
}

Value Evaluator::run_macro(const Statement& statement, Scope* around, const Arguments& arguments) {
  const Inside inside(*this, make_scope(around));
  const std::size_t count = statement.parameters.size();
  const auto& positional = arguments.positional;
  for (std::size_t i = 0; i < std::min(count, positional.size()); ++i)
    set(statement.parameters[i].name, positional[i]);
  std::vector<std::pair<Value, Value>> others;
  for (const auto& [name, value] : arguments.named) {
    const auto parameter = std::ranges::find(statement.parameters, name, &Parameter::name);
    if (parameter != statement.parameters.end() || name == "caller") {
      set(name, value);
    } else {
      others.emplace_back(text_value(name), value);
    }
  }
  for (std::size_t i = positional.size(); i < count; ++i) {
    const Parameter& parameter = statement.parameters[i];
    const bool given =
        std::ranges::contains(scope_->names, parameter.name, &std::pair<std::string_view, Value>::first);
    if (given) continue;
    set(parameter.name,
        parameter.fallback ? evaluate(*parameter.fallback) : Value(Undefined{.name = parameter.name}));
  }
  const auto extra = static_cast<std::ptrdiff_t>(std::min(count, positional.size()));
  set("varargs", heap().list({positional.begin() + extra, positional.end()}, true));
  set("kwargs", heap().dict(std::move(others)));
  TextBuilder out(heap());
  TextBuilder* before = std::exchange(out_, &out);
  execute(statement.body);
  out_ = before;
  return out.finish();
}

}  // namespace vkgpt::text::jinja
