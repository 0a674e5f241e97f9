#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat/lexer.hpp"
#include "text/chat/syntax.hpp"

namespace vkgpt::text::jinja {

template <typename... Parts>
std::vector<ExpressionPtr> parts_of(Parts... parts) {
  std::vector<ExpressionPtr> all;
  (all.push_back(std::move(parts)), ...);
  return all;
}

/// Reads expressions off a template's pieces, by Jinja 2's grammar.
class ExpressionParser {
 public:
  /// Both outlive this.
  ExpressionParser(const std::vector<Lexeme>& lexemes, std::string_view where)
      : lexemes_(lexemes), where_(where) {}

  const Lexeme& current() const { return lexemes_[at_]; }
  bool at_name(std::string_view name) const;
  bool at_operator(std::string_view text) const;
  bool take_name(std::string_view name);
  bool take_operator(std::string_view text);
  Lexeme take();
  std::string expect_name();
  void expect_operator(std::string_view text);
  void expect(Lexeme::Kind kind, std::string_view what);

  template <typename... Args>
  [[noreturn]] void refuse(std::format_string<Args...> format, Args&&... args) const {
    fail_at(where_, current().line, format, std::forward<Args>(args)...);
  }
  [[noreturn]] void refuse_current(std::string_view wanted) const;

  ExpressionPtr expression(bool with_condition = true);
  /// One, or several with commas between them: a tuple. `end` is a name that ends it too.
  ExpressionPtr tuple(bool with_condition = true, std::string_view end = {});
  /// What is assigned to: a name, several, or, with `members`, one of a namespace.
  ExpressionPtr target(bool members);
  CallArguments call_arguments();
  /// `|name(...)`, once and more; at the first the bar is left out with `begun`. `input` may be null.
  ExpressionPtr filters(ExpressionPtr input, bool begun = false);

  /// Counts how deep the parser is, for as long as it lives.
  class Level {
   public:
    explicit Level(ExpressionParser& parser);
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --parser_.level_; }

   private:
    ExpressionParser& parser_;
  };

 private:
  ExpressionPtr make(Expression::Kind kind, int line, std::vector<ExpressionPtr> parts = {}) const;
  void check_depth(Expression& made) const;
  ExpressionPtr several(Expression::Kind kind, std::string_view name,
                        ExpressionPtr (ExpressionParser::*next)());
  ExpressionPtr binary(std::initializer_list<std::pair<std::string_view, Operator>> operators,
                       ExpressionPtr (ExpressionParser::*next)());
  ExpressionPtr or_expression();
  ExpressionPtr and_expression();
  ExpressionPtr not_expression();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr filtered_unary();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr primary();
  ExpressionPtr parenthesized();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr of);
  ExpressionPtr call(ExpressionPtr of);
  ExpressionPtr attribute(ExpressionPtr of);
  ExpressionPtr subscript(ExpressionPtr of);
  ExpressionPtr filters_and_tests(ExpressionPtr of);
  ExpressionPtr test(ExpressionPtr of);

  const std::vector<Lexeme>& lexemes_;
  std::string_view where_;
  std::size_t at_ = 0;
  int level_ = 0;
};

}  // namespace vkgpt::text::jinja
