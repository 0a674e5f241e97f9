// What follows a value in an expression: members, calls, filters, tests.

#include <utility>

#include "text/chat/parse_expression.hpp"

namespace vkgpt::text::jinja {
namespace {

using Kind = Expression::Kind;
using Piece = Lexeme::Kind;

}  // namespace

ExpressionPtr ExpressionParser::postfix(ExpressionPtr of) {
  while (true) {
    if (at_operator(".")) {
      of = attribute(std::move(of));
    } else if (at_operator("[")) {
      of = subscript(std::move(of));
    } else if (at_operator("(")) {
      of = call(std::move(of));
    } else {
      return of;
    }
  }
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr of) {
  const int line = take().line;
  if (current().kind == Piece::kInteger) {
    ExpressionPtr index = make(Kind::kConstant, line);
    index->constant = take().integer;
    return make(Kind::kItem, line, parts_of(std::move(of), std::move(index)));
  }
  ExpressionPtr made = make(Kind::kAttribute, line, parts_of(std::move(of)));
  made->name = expect_name();
  return made;
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr of) {
  const int line = take().line;
  ExpressionPtr begin;
  if (!at_operator(":")) {
    begin = expression();
    if (take_operator("]")) return make(Kind::kItem, line, parts_of(std::move(of), std::move(begin)));
  }
  expect_operator(":");
  ExpressionPtr end;
  ExpressionPtr step;
  if (!at_operator(":") && !at_operator("]")) end = expression();
  if (take_operator(":") && !at_operator("]")) step = expression();
  expect_operator("]");
  return make(Kind::kSlice, line, parts_of(std::move(of), std::move(begin), std::move(end), std::move(step)));
}

CallArguments ExpressionParser::call_arguments() {
  const Level level(*this);
  expect_operator("(");
  CallArguments arguments;
  bool first = true;
  while (!at_operator(")")) {
    if (!std::exchange(first, false)) expect_operator(",");
    if (at_operator(")")) break;
    const bool named = current().kind == Piece::kName && lexemes_[at_ + 1].kind == Piece::kOperator &&
                       lexemes_[at_ + 1].text == "=";
    if (arguments.members || (arguments.list && !named && !at_operator("**"))) {
      refuse("an argument stands after those of * or **");
    }
    if (take_operator("*")) {
      arguments.list = expression();
    } else if (take_operator("**")) {
      arguments.members = expression();
    } else if (named) {
      std::string name = take().text;
      take();
      arguments.named.push_back({std::move(name), expression()});
    } else {
      if (!arguments.named.empty()) refuse("an argument without a name stands after one with a name");
      arguments.positional.push_back(expression());
    }
  }
  take();
  return arguments;
}

ExpressionPtr ExpressionParser::call(ExpressionPtr of) {
  const int line = current().line;
  ExpressionPtr made = make(Kind::kCall, line, parts_of(std::move(of)));
  made->arguments = call_arguments();
  check_depth(*made);
  return made;
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr input, bool begun) {
  while (begun || take_operator("|")) {
    begun = false;
    ExpressionPtr made = make(Kind::kFilter, current().line, parts_of(std::move(input)));
    made->name = expect_name();
    if (at_operator("(")) made->arguments = call_arguments();
    check_depth(*made);
    input = std::move(made);
  }
  return input;
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr of) {
  while (true) {
    if (at_operator("|")) {
      of = filters(std::move(of));
    } else if (at_name("is")) {
      of = test(std::move(of));
    } else if (at_operator("(")) {
      of = call(std::move(of));
    } else {
      return of;
    }
  }
}

ExpressionPtr ExpressionParser::test(ExpressionPtr of) {
  const int line = take().line;
  const bool negated = take_name("not");
  ExpressionPtr made = make(Kind::kTest, line, parts_of(std::move(of)));
  made->name = expect_name();
  const Piece kind = current().kind;
  const bool words = at_name("else") || at_name("or") || at_name("and");
  if (at_name("is")) refuse("tests cannot be chained with is");
  if (at_operator("(")) {
    made->arguments = call_arguments();
  } else if ((kind == Piece::kName && !words) || kind == Piece::kString || kind == Piece::kInteger ||
             kind == Piece::kFloat || at_operator("[") || at_operator("{")) {
    made->arguments.positional.push_back(postfix(primary()));
  }
  check_depth(*made);
  return negated ? make(Kind::kNot, line, parts_of(std::move(made))) : std::move(made);
}

}  // namespace vkgpt::text::jinja
