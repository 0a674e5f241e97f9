#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/chat/value.hpp"

namespace vkgpt::text::jinja {

enum class Operator {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct NamedExpression {
  std::string name;
  ExpressionPtr value;
};

/// What stands in the parentheses of a call.
struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<NamedExpression> named;
  ExpressionPtr list;     ///< after *; may be null
  ExpressionPtr members;  ///< after **; may be null
};

struct Expression {
  enum class Kind {
    kConstant,
    kName,
    kList,
    kTuple,
    kDict,       ///< parts: key, value, key, value, ...
    kAttribute,  ///< parts: of what
    kItem,       ///< parts: of what, which
    kSlice,      ///< parts: of what, begin, end, step; null where left out
    kCall,       ///< parts: what
    kFilter,     ///< parts: of what; null where a block is filtered
    kTest,       ///< parts: of what
    kNot,
    kNegative,
    kPositive,
    kAnd,  ///< of two and more, as the following
    kOr,
    kConcat,
    kBinary,
    kCompare,    ///< parts: one more than operators
    kCondition,  ///< parts: test, if true, else (null: undefined)
    kMember,     ///< of a namespace, as a target
  };

  Kind kind;
  int line;
  int depth = 1;     ///< of the tree below
  std::string name;  ///< of a name, an attribute, a filter, a test; the text of a constant
  Value constant;
  std::vector<Operator> operators;
  std::vector<ExpressionPtr> parts;
  CallArguments arguments;
};

struct Statement;
using Statements = std::vector<Statement>;

struct Parameter {
  std::string name;
  ExpressionPtr fallback;  ///< may be null
};

/// A part of an {% if %}.
struct Branch {
  ExpressionPtr condition;  ///< null: else
  Statements body;
};

struct Statement {
  enum class Kind {
    kText,
    kOutput,
    kFor,       ///< expressions: targets, items, condition (may be null); body, otherwise
    kIf,        ///< branches
    kSet,       ///< expressions: target, value
    kSetBlock,  ///< expressions: target, filter (may be null); body
    kMacro,     ///< name, parameters, body
    kCall,      ///< expressions: call; parameters and body of caller()
    kFilter,    ///< expressions: filter; body
    kWith,      ///< expressions: target, value, target, value, ...; body
    kGeneration,
    kBreak,
    kContinue,
  };

  Kind kind;
  int line;
  std::string name;  ///< of a macro; of text the text itself
  bool recursive = false;
  std::vector<ExpressionPtr> expressions = {};
  std::vector<Parameter> parameters = {};
  std::vector<Branch> branches = {};
  Statements body = {};
  Statements otherwise = {};
};

}  // namespace vkgpt::text::jinja
