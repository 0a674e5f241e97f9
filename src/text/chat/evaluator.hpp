#pragma once

#include <ctime>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat/parse_template.hpp"
#include "text/chat/runtime.hpp"

namespace vkgpt::text::jinja {

/// Runs a template once.
class Evaluator final : public Runtime {
 public:
  /// `source` outlives this and all values.
  Evaluator(const Template& source, const Limits& limits, std::time_t now);

  /// Gives the template a variable.
  void define(std::string_view name, const Value& value) { scope_->names.emplace_back(name, value); }

  /// What the template writes. Throws `Error` with one line that names it and the line in it.
  Text run();

  Value call(const Value& function, const Arguments& arguments) override;
  Value filter(std::string_view name, const Value& input, const Arguments& arguments) override;
  bool test(std::string_view name, const Value& input, const Arguments& arguments) override;

 private:
  /// Names that are seen together; those of an inner scope hide those around it.
  struct Scope {
    Scope* parent = nullptr;
    std::vector<std::pair<std::string_view, Value>> names = {};
  };
  enum class Flow { kOn, kBreak, kContinue };

  /// One level deeper, for as long as it lives.
  class Deeper {
   public:
    explicit Deeper(Evaluator& evaluator);
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ~Deeper() { --evaluator_.depth_; }

   private:
    Evaluator& evaluator_;
  };

  /// In another scope, for as long as it lives.
  class Inside {
   public:
    Inside(Evaluator& evaluator, Scope& scope);
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { evaluator_.scope_ = before_; }

   private:
    Evaluator& evaluator_;
    Scope* before_;
  };

  Scope& make_scope(Scope* parent);
  Value look_up(std::string_view name) const;
  void set(std::string_view name, const Value& value);
  void assign(const Expression& target, const Value& value);
  void assign_member(const Expression& target, const Value& value);

  Value evaluate(const Expression& expression);
  Value evaluate_optional(const ExpressionPtr& expression);
  Value evaluate_list(const Expression& expression, bool tuple);
  Value evaluate_dict(const Expression& expression);
  Value evaluate_logic(const Expression& expression, bool stop_at);
  Value evaluate_concat(const Expression& expression);
  Value evaluate_comparison(const Expression& expression);
  Value evaluate_condition(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_filter(const Expression& expression);
  Arguments evaluate_arguments(const CallArguments& arguments);

  Flow execute(const Statements& statements);
  Flow execute_one(const Statement& statement);
  Flow execute_if(const Statement& statement);
  Flow execute_for(const Statement& statement, const Value& items, std::int64_t depth);
  const List& chosen_items(const Statement& statement, const Value& items);
  void execute_with(const Statement& statement);
  void execute_call(const Statement& statement);
  /// What `statements` write in a scope of their own.
  Text captured(const Statements& statements);
  Value filtered(const ExpressionPtr& filters, const Text& text);

  Value make_macro(const Statement& statement, std::string_view name);
  Value run_macro(const Statement& statement, Scope* around, const Arguments& arguments);

  const Template& source_;
  std::deque<Scope> scopes_;
  Scope* scope_ = nullptr;
  TextBuilder* out_ = nullptr;
  Value filter_input_;  // of a block's filters
  int depth_ = 0;
  int line_ = 1;
};

}  // namespace vkgpt::text::jinja
