#include "text/chat/parse_template.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "text/chat/lexer.hpp"
#include "text/chat/parse_expression.hpp"

namespace vkgpt::text::jinja {
namespace {

using Form = Statement::Kind;
using Piece = Lexeme::Kind;

class TemplateParser {
 public:
  TemplateParser(const std::vector<Lexeme>& lexemes, std::string_view where) : in_(lexemes, where) {}

  Template run(std::string_view where) {
    Template made{.where = std::string(where), .body = {}, .marks_replies = false};
    made.body = statements({});
    if (in_.current().kind != Piece::kEnd) in_.refuse("{{% {} %}} ends nothing", in_.current().text);
    made.marks_replies = marks_replies_;
    return made;
  }

 private:
  using Names = std::initializer_list<std::string_view>;

  Statement make(Form kind) const { return {.kind = kind, .line = in_.current().line, .name = {}}; }

  void end_block() {
    in_.take_operator(":");  // as in Python
    in_.expect(Piece::kBlockEnd, "%}");
  }

  /// Up to the first tag that `ends` names, whose name is the next piece then; without `ends` to the end of
  /// the template or a tag that nothing here begins with.
  Statements statements(Names ends) {
    const ExpressionParser::Level level(in_);
    Statements read;
    while (true) {
      const Lexeme lexeme = in_.take();
      switch (lexeme.kind) {
        case Piece::kData:
          read.push_back({.kind = Form::kText, .line = lexeme.line, .name = lexeme.text});
          break;
        case Piece::kVariableBegin: {
          Statement output = make(Form::kOutput);
          output.expressions.push_back(in_.tuple());
          in_.expect(Piece::kVariableEnd, "}}");
          read.push_back(std::move(output));
          break;
        }
        case Piece::kBlockBegin:
          if (std::ranges::any_of(ends, [&](std::string_view end) { return in_.at_name(end); })) return read;
          if (in_.current().text.starts_with("end"))
            in_.refuse("{{% {} %}} ends nothing", in_.current().text);
          read.push_back(tag());
          break;
        default:
          if (ends.size() > 0) in_.refuse("the end instead of {{% {} %}}", *(ends.end() - 1));
          return read;
      }
    }
  }

  /// The body of a tag up to {% `end` %}.
  Statements body(std::string_view end) {
    end_block();
    Statements read = statements({end});
    in_.take();
    end_block();
    return read;
  }

  Statement tag() {
    if (in_.take_name("for")) return read_for();
    if (in_.take_name("if")) return read_if();
    if (in_.take_name("set")) return read_set();
    if (in_.take_name("macro")) return read_macro();
    if (in_.take_name("call")) return read_call();
    if (in_.take_name("with")) return read_with();
    if (in_.take_name("filter")) {
      Statement made = make(Form::kFilter);
      made.expressions.push_back(in_.filters(nullptr, true));
      made.body = body("endfilter");
      return made;
    }
    if (in_.take_name("print")) {
      Statement made = make(Form::kOutput);
      made.expressions.push_back(in_.expression());
      while (in_.take_operator(",")) made.expressions.push_back(in_.expression());
      end_block();
      return made;
    }
    if (in_.take_name("generation")) {
      marks_replies_ = true;
      Statement made = make(Form::kGeneration);
      made.body = body("endgeneration");
      return made;
    }
    if (in_.at_name("break") || in_.at_name("continue")) {
      Statement made = make(in_.at_name("break") ? Form::kBreak : Form::kContinue);
      if (loops_ == 0) in_.refuse("{{% {} %}} is outside any loop", in_.current().text);
      in_.take();
      end_block();
      return made;
    }
    in_.refuse("the tag {{% {} %}} is not supported", in_.current().text);
  }

  Statement read_for() {
    Statement made = make(Form::kFor);
    made.expressions.push_back(in_.target(false));
    if (!in_.take_name("in")) in_.refuse_current("'in'");
    made.expressions.push_back(in_.tuple(false, "recursive"));
    made.expressions.push_back(in_.take_name("if") ? in_.expression() : nullptr);
    made.recursive = in_.take_name("recursive");
    end_block();
    ++loops_;
    made.body = statements({"else", "endfor"});
    --loops_;
    if (in_.take_name("else")) {
      made.otherwise = body("endfor");
      return made;
    }
    in_.take();
    end_block();
    return made;
  }

  Statement read_if() {
    Statement made = make(Form::kIf);
    ExpressionPtr condition = in_.tuple(false);
    while (true) {
      end_block();
      const bool is_else = condition == nullptr;
      Statements branch = is_else ? statements({"endif"}) : statements({"elif", "else", "endif"});
      made.branches.push_back({std::move(condition), std::move(branch)});
      if (in_.take_name("elif")) {
        condition = in_.tuple(false);
      } else if (in_.take_name("else")) {
        condition = nullptr;
      } else {
        in_.take();
        end_block();
        return made;
      }
    }
  }

  Statement read_set() {
    Statement made = make(Form::kSet);
    made.expressions.push_back(in_.target(true));
    if (in_.take_operator("=")) {
      made.expressions.push_back(in_.tuple());
      end_block();
      return made;
    }
    made.kind = Form::kSetBlock;
    made.expressions.push_back(in_.filters(nullptr));
    made.body = body("endset");
    return made;
  }

  std::vector<Parameter> parameters() {
    std::vector<Parameter> read;
    in_.expect_operator("(");
    while (!in_.at_operator(")")) {
      if (!read.empty()) in_.expect_operator(",");
      if (in_.at_operator(")")) break;
      Parameter parameter{.name = in_.expect_name(), .fallback = nullptr};
      if (in_.take_operator("=")) {
        parameter.fallback = in_.expression();
      } else if (!read.empty() && read.back().fallback) {
        in_.refuse("a parameter without a default stands after one with a default");
      }
      read.push_back(std::move(parameter));
    }
    in_.take();
    return read;
  }

  /// The body of a macro, which no loop around it reaches into.
  Statements macro_body(std::string_view end) {
    const int around = std::exchange(loops_, 0);
    Statements read = body(end);
    loops_ = around;
    return read;
  }

  Statement read_macro() {
    Statement made = make(Form::kMacro);
    made.name = in_.expect_name();
    made.parameters = parameters();
    made.body = macro_body("endmacro");
    return made;
  }

  Statement read_call() {
    Statement made = make(Form::kCall);
    if (in_.at_operator("(")) made.parameters = parameters();
    made.expressions.push_back(in_.expression());
    if (made.expressions[0]->kind != Expression::Kind::kCall) in_.refuse("{{% call %}} needs a call");
    made.body = macro_body("endcall");
    return made;
  }

  Statement read_with() {
    Statement made = make(Form::kWith);
    while (in_.current().kind != Piece::kBlockEnd) {
      if (!made.expressions.empty()) in_.expect_operator(",");
      made.expressions.push_back(in_.target(false));
      in_.expect_operator("=");
      made.expressions.push_back(in_.expression());
    }
    made.body = body("endwith");
    return made;
  }

  ExpressionParser in_;
  int loops_ = 0;
  bool marks_replies_ = false;
};

}  // namespace

Template parse_template(std::string_view source, std::string_view where) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  if (source.size() > kMaxBytes)
    fail("{} has {} bytes: at most {} are read", where, source.size(), kMaxBytes);
  const std::vector<Lexeme> lexemes = cut_template(source, where);
  return TemplateParser(lexemes, where).run(where);
}

}  // namespace vkgpt::text::jinja
