#include "text/chat/parse_expression.hpp"

#include <algorithm>
#include <optional>

#include "vkgpt/core/format.hpp"

namespace vkgpt::text::jinja {
namespace {

using Kind = Expression::Kind;
using Piece = Lexeme::Kind;

constexpr int kMaxLevel = 300;      // of the parser's own recursion
constexpr int kMaxTreeDepth = 200;  // of a tree

std::string describe(const Lexeme& lexeme) {
  switch (lexeme.kind) {
    case Piece::kData:
      return "text";
    case Piece::kBlockBegin:
      return "{%";
    case Piece::kBlockEnd:
      return "%}";
    case Piece::kVariableBegin:
      return "{{";
    case Piece::kVariableEnd:
      return "}}";
    case Piece::kEnd:
      return "the end";
    default:
      return vkgpt::format("'{}'", lexeme.text);
  }
}

std::optional<Operator> comparison_operator(const Lexeme& lexeme) {
  if (lexeme.kind != Piece::kOperator) return std::nullopt;
  if (lexeme.text == "==") return Operator::kEqual;
  if (lexeme.text == "!=") return Operator::kNotEqual;
  if (lexeme.text == "<") return Operator::kLess;
  if (lexeme.text == "<=") return Operator::kLessEqual;
  if (lexeme.text == ">") return Operator::kGreater;
  if (lexeme.text == ">=") return Operator::kGreaterEqual;
  return std::nullopt;
}

}  // namespace

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.level_ > kMaxLevel) parser_.refuse("it is nested deeper than {} levels", kMaxLevel);
}

bool ExpressionParser::at_name(std::string_view name) const {
  return current().kind == Piece::kName && current().text == name;
}

bool ExpressionParser::at_operator(std::string_view text) const {
  return current().kind == Piece::kOperator && current().text == text;
}

bool ExpressionParser::take_name(std::string_view name) {
  const bool there = at_name(name);
  if (there) ++at_;
  return there;
}

bool ExpressionParser::take_operator(std::string_view text) {
  const bool there = at_operator(text);
  if (there) ++at_;
  return there;
}

Lexeme ExpressionParser::take() {
  Lexeme taken = current();
  if (taken.kind != Piece::kEnd) ++at_;
  return taken;
}

void ExpressionParser::refuse_current(std::string_view wanted) const {
  refuse("{} instead of {}", describe(current()), wanted);
}

std::string ExpressionParser::expect_name() {
  if (current().kind != Piece::kName) refuse_current("a name");
  return take().text;
}

void ExpressionParser::expect_operator(std::string_view text) {
  if (!take_operator(text)) refuse_current(vkgpt::format("'{}'", text));
}

void ExpressionParser::expect(Piece kind, std::string_view what) {
  if (current().kind != kind) refuse_current(what);
  take();
}

void ExpressionParser::check_depth(Expression& made) const {
  const auto deepen = [&](const ExpressionPtr& part) {
    if (part) made.depth = std::max(made.depth, part->depth + 1);
  };
  for (const ExpressionPtr& part : made.parts) deepen(part);
  for (const ExpressionPtr& part : made.arguments.positional) deepen(part);
  for (const NamedExpression& part : made.arguments.named) deepen(part.value);
  deepen(made.arguments.list);
  deepen(made.arguments.members);
  if (made.depth > kMaxTreeDepth) refuse("an expression is nested deeper than {} levels", kMaxTreeDepth);
}

ExpressionPtr ExpressionParser::make(Kind kind, int line, std::vector<ExpressionPtr> parts) const {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = line;
  made->parts = std::move(parts);
  check_depth(*made);
  return made;
}

ExpressionPtr ExpressionParser::expression(bool with_condition) {
  const Level level(*this);
  ExpressionPtr value = or_expression();
  while (with_condition && at_name("if")) {
    const int line = take().line;
    ExpressionPtr condition = or_expression();
    ExpressionPtr otherwise = take_name("else") ? expression() : nullptr;
    value =
        make(Kind::kCondition, line, parts_of(std::move(condition), std::move(value), std::move(otherwise)));
  }
  return value;
}

ExpressionPtr ExpressionParser::several(Kind kind, std::string_view name,
                                        ExpressionPtr (ExpressionParser::*next)()) {
  const int line = current().line;
  std::vector<ExpressionPtr> parts = parts_of((this->*next)());
  while (name == "~" ? take_operator(name) : take_name(name)) parts.push_back((this->*next)());
  return parts.size() == 1 ? std::move(parts[0]) : make(kind, line, std::move(parts));
}

ExpressionPtr ExpressionParser::or_expression() {
  return several(Kind::kOr, "or", &ExpressionParser::and_expression);
}

ExpressionPtr ExpressionParser::and_expression() {
  return several(Kind::kAnd, "and", &ExpressionParser::not_expression);
}

ExpressionPtr ExpressionParser::not_expression() {
  const Level level(*this);
  if (!at_name("not")) return comparison();
  const int line = take().line;
  return make(Kind::kNot, line, parts_of(not_expression()));
}

ExpressionPtr ExpressionParser::comparison() {
  const int line = current().line;
  std::vector<ExpressionPtr> parts = parts_of(sum());
  std::vector<Operator> operators;
  while (true) {
    std::optional<Operator> found = comparison_operator(current());
    if (at_name("in")) found = Operator::kIn;
    if (at_name("not") && lexemes_[at_ + 1].kind == Piece::kName && lexemes_[at_ + 1].text == "in") {
      take();
      found = Operator::kNotIn;
    }
    if (!found) break;
    take();
    operators.push_back(*found);
    parts.push_back(sum());
  }
  if (operators.empty()) return std::move(parts[0]);
  ExpressionPtr made = make(Kind::kCompare, line, std::move(parts));
  made->operators = std::move(operators);
  return made;
}

ExpressionPtr ExpressionParser::binary(std::initializer_list<std::pair<std::string_view, Operator>> operators,
                                       ExpressionPtr (ExpressionParser::*next)()) {
  ExpressionPtr left = (this->*next)();
  while (current().kind == Piece::kOperator) {
    const auto found =
        std::ranges::find(operators, current().text, &std::pair<std::string_view, Operator>::first);
    if (found == operators.end()) break;
    const int line = take().line;
    left = make(Kind::kBinary, line, parts_of(std::move(left), (this->*next)()));
    left->operators = {found->second};
  }
  return left;
}

ExpressionPtr ExpressionParser::sum() {
  return binary({{"+", Operator::kAdd}, {"-", Operator::kSubtract}}, &ExpressionParser::concatenation);
}

ExpressionPtr ExpressionParser::concatenation() {
  return several(Kind::kConcat, "~", &ExpressionParser::product);
}

ExpressionPtr ExpressionParser::product() {
  return binary({{"*", Operator::kMultiply},
                 {"/", Operator::kDivide},
                 {"//", Operator::kFloorDivide},
                 {"%", Operator::kModulo}},
                &ExpressionParser::power);
}

ExpressionPtr ExpressionParser::power() {
  return binary({{"**", Operator::kPower}}, &ExpressionParser::filtered_unary);
}

ExpressionPtr ExpressionParser::filtered_unary() {
  return unary(true);
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const Level level(*this);
  const int line = current().line;
  ExpressionPtr value;
  if (take_operator("-")) {
    value = make(Kind::kNegative, line, parts_of(unary(false)));
  } else if (take_operator("+")) {
    value = make(Kind::kPositive, line, parts_of(unary(false)));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::primary() {
  const Lexeme lexeme = current();
  if (at_operator("(")) return parenthesized();
  if (at_operator("[")) return list();
  if (at_operator("{")) return dict();
  ExpressionPtr made = make(Kind::kConstant, lexeme.line);
  made->name = lexeme.text;
  switch (lexeme.kind) {
    case Piece::kName:
      if (lexeme.text == "true" || lexeme.text == "True") {
        made->constant = true;
      } else if (lexeme.text == "false" || lexeme.text == "False") {
        made->constant = false;
      } else if (lexeme.text == "none" || lexeme.text == "None") {
        made->constant = None{};
      } else {
        made->kind = Kind::kName;
      }
      break;
    case Piece::kInteger:
      made->constant = lexeme.integer;
      break;
    case Piece::kFloat:
      made->constant = lexeme.number;
      break;
    case Piece::kString:
      while (lexemes_[at_ + 1].kind == Piece::kString) {
        take();
        made->name += current().text;
      }
      made->constant = text_value(made->name);
      break;
    default:
      refuse_current("an expression");
  }
  take();
  return made;
}

ExpressionPtr ExpressionParser::parenthesized() {
  const int line = take().line;
  if (take_operator(")")) return make(Kind::kTuple, line);
  ExpressionPtr value = tuple();
  expect_operator(")");
  return value;
}

ExpressionPtr ExpressionParser::tuple(bool with_condition, std::string_view end) {
  const Level level(*this);
  const int line = current().line;
  const auto ends = [&] {
    const Piece kind = current().kind;
    return kind == Piece::kBlockEnd || kind == Piece::kVariableEnd || at_operator(")") ||
           (!end.empty() && at_name(end));
  };
  std::vector<ExpressionPtr> parts = parts_of(expression(with_condition));
  bool is_tuple = false;
  while (take_operator(",")) {
    is_tuple = true;
    if (ends()) break;
    parts.push_back(expression(with_condition));
  }
  return is_tuple ? make(Kind::kTuple, line, std::move(parts)) : std::move(parts[0]);
}

ExpressionPtr ExpressionParser::target(bool members) {
  const int line = current().line;
  const auto one = [&] {
    if (take_operator("(")) {
      const Level level(*this);
      ExpressionPtr inner = target(members);
      expect_operator(")");
      return inner;
    }
    ExpressionPtr made = make(Kind::kName, current().line);
    made->name = expect_name();
    if (!members || !take_operator(".")) return made;
    const int member_line = made->line;
    ExpressionPtr member = make(Kind::kMember, member_line, parts_of(std::move(made)));
    member->name = expect_name();
    return member;
  };
  std::vector<ExpressionPtr> parts = parts_of(one());
  bool is_tuple = false;
  while (take_operator(",")) {
    is_tuple = true;
    if (current().kind != Piece::kName && !at_operator("(")) break;
    if (at_name("in")) break;
    parts.push_back(one());
  }
  return is_tuple ? make(Kind::kTuple, line, std::move(parts)) : std::move(parts[0]);
}

ExpressionPtr ExpressionParser::list() {
  const int line = take().line;
  std::vector<ExpressionPtr> parts;
  while (!at_operator("]")) {
    if (!parts.empty()) expect_operator(",");
    if (at_operator("]")) break;
    parts.push_back(expression());
  }
  take();
  return make(Kind::kList, line, std::move(parts));
}

ExpressionPtr ExpressionParser::dict() {
  const int line = take().line;
  std::vector<ExpressionPtr> parts;
  while (!at_operator("}")) {
    if (!parts.empty()) expect_operator(",");
    if (at_operator("}")) break;
    parts.push_back(expression());
    expect_operator(":");
    parts.push_back(expression());
  }
  take();
  return make(Kind::kDict, line, std::move(parts));
}

}  // namespace vkgpt::text::jinja
