// Expressions. The order of precedence is Jinja's: or, and, not, comparisons, + -, ~, * / // %, **, unary signs,
// then subscripts, calls, filters and tests.
#include <algorithm>
#include <cstdlib>

#include "engine/text/jinja_parser_impl.h"

namespace seraph::jinja {

NodePtr Parser::binary(Kind kind, Position at, NodePtr left, NodePtr right) {
  auto node = make(kind, at);
  node->a = std::move(left);
  node->b = std::move(right);
  return measured(std::move(node));
}

NodePtr Parser::measured(NodePtr node) {
  // Chains of operators, filters or calls nest to the left without recursion here; whoever walks the tree recurses.
  int32_t depth = 0;
  const auto look = [&](const NodePtr& child) {
    if (child) depth = std::max(depth, child->depth);
  };
  for (const NodePtr* child : {&node->a, &node->b, &node->c, &node->call.dyn_args, &node->call.dyn_kwargs})
    look(*child);
  for (const NodePtr& child : node->items) look(child);
  for (const NodePtr& child : node->call.args) look(child);
  for (const auto& [name, child] : node->call.kwargs) look(child);
  node->depth = depth + 1;
  if (node->depth > kExpressionDepthMax) fail_at("an expression has more than 1000 nested operators", node->position);
  return node;
}

void Parser::set_context(Node& target, Context context) {
  target.context = context;
  for (const NodePtr& item : target.items) set_context(*item, context);
}

NodePtr Parser::parse_name_target() {
  const Token token = expect_name();
  auto node = make(Kind::kName, token.at);
  node->name = token.text;
  node->context = Context::kStore;
  static constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
  for (const std::string_view word : kConstants) {
    if (node->name == word) fail_at("can't assign to 'name'", token.at);
  }
  return node;
}

NodePtr Parser::parse_target(bool with_namespace, std::string_view end_word) {
  auto target = parse_tuple({.simplified = true, .with_namespace = with_namespace, .end_word = end_word});
  const auto assignable = [](const auto& self, const Node& node) -> bool {
    if (node.kind == Kind::kName || node.kind == Kind::kNsRef) return true;
    if (node.kind != Kind::kTuple) return false;
    for (const NodePtr& item : node.items) {
      if (!self(self, *item)) return false;
    }
    return true;
  };
  if (!assignable(assignable, *target)) fail_at("can't assign to this expression", target->position);
  set_context(*target, Context::kStore);
  return target;
}

NodePtr Parser::parse_expression(bool with_condexpr) {
  Nest nest(*this);
  return with_condexpr ? parse_condexpr() : parse_or();
}

NodePtr Parser::parse_condexpr() {
  const Position at = peek().at;
  NodePtr expr = parse_or();
  while (skip_name("if")) {
    auto node = make(Kind::kCond, at);
    node->a = std::move(expr);
    node->b = parse_or();
    if (skip_name("else")) {
      Nest nest(*this);
      node->c = parse_condexpr();
    }
    expr = measured(std::move(node));
  }
  return expr;
}

NodePtr Parser::parse_or() {
  const Position at = peek().at;
  NodePtr left = parse_and();
  while (skip_name("or")) {
    left = binary(Kind::kOr, at, std::move(left), parse_and());
  }
  return left;
}

NodePtr Parser::parse_and() {
  const Position at = peek().at;
  NodePtr left = parse_not();
  while (skip_name("and")) {
    left = binary(Kind::kAnd, at, std::move(left), parse_not());
  }
  return left;
}

NodePtr Parser::parse_not() {
  if (!peek().is_name("not")) return parse_compare();
  Nest nest(*this);
  auto node = make(Kind::kNot, take().at);
  node->a = parse_not();
  return measured(std::move(node));
}

NodePtr Parser::parse_compare() {
  const Position at = peek().at;
  NodePtr expr = parse_math1();
  auto node = make(Kind::kCompare, at);
  static constexpr std::pair<std::string_view, CompareOp> kOps[] = {{"==", CompareOp::kEq}, {"!=", CompareOp::kNe},
                                                                    {"<", CompareOp::kLt},  {"<=", CompareOp::kLe},
                                                                    {">", CompareOp::kGt},  {">=", CompareOp::kGe}};
  for (bool more = true; more;) {
    more = false;
    for (const auto& [text, op] : kOps) {
      if (!skip_op(text)) continue;
      node->ops.push_back(op);
      more = true;
      break;
    }
    if (!more && skip_name("in")) {
      node->ops.push_back(CompareOp::kIn);
      more = true;
    } else if (!more && peek().is_name("not") && peek(1).is_name("in")) {
      take();
      take();
      node->ops.push_back(CompareOp::kNotIn);
      more = true;
    }
    if (more) node->items.push_back(parse_math1());
  }
  if (node->ops.empty()) return expr;
  node->a = std::move(expr);
  return measured(std::move(node));
}

NodePtr Parser::parse_math1() {
  const Position at = peek().at;
  NodePtr left = parse_concat();
  while (peek().is_op("+") || peek().is_op("-")) {
    const Kind kind = take().text == "+" ? Kind::kAdd : Kind::kSub;
    left = binary(kind, at, std::move(left), parse_concat());
  }
  return left;
}

NodePtr Parser::parse_concat() {
  const Position at = peek().at;
  NodePtr first = parse_math2();
  if (!peek().is_op("~")) return first;
  auto node = make(Kind::kConcat, at);
  node->items.push_back(std::move(first));
  while (skip_op("~")) node->items.push_back(parse_math2());
  return measured(std::move(node));
}

NodePtr Parser::parse_math2() {
  const Position at = peek().at;
  NodePtr left = parse_pow();
  while (true) {
    const Token& token = peek();
    const Kind kind = token.is_op("*")    ? Kind::kMul
                      : token.is_op("/")  ? Kind::kDiv
                      : token.is_op("//") ? Kind::kFloorDiv
                      : token.is_op("%")  ? Kind::kMod
                                          : Kind::kConst;
    if (kind == Kind::kConst) return left;
    take();
    left = binary(kind, at, std::move(left), parse_pow());
  }
}

NodePtr Parser::parse_pow() {
  const Position at = peek().at;
  NodePtr left = parse_unary();
  while (skip_op("**")) {
    left = binary(Kind::kPow, at, std::move(left), parse_unary());
  }
  return left;
}

NodePtr Parser::parse_unary(bool with_filter) {
  Nest nest(*this);
  const Token& token = peek();
  NodePtr node;
  if (token.is_op("-") || token.is_op("+")) {
    node = make(token.is_op("-") ? Kind::kNeg : Kind::kPos, token.at);
    take();
    node->a = parse_unary(false);
    node = measured(std::move(node));
  } else {
    node = parse_primary();
  }
  node = parse_postfix(std::move(node));
  return with_filter ? parse_filter_expr(std::move(node)) : std::move(node);
}

NodePtr Parser::parse_primary(bool with_namespace) {
  const Token token = peek();
  if (token.is_op("(")) {
    take();
    NodePtr node = parse_tuple({.explicit_parentheses = true});
    expect_op(")");
    return node;
  }
  if (token.is_op("[")) return parse_list();
  if (token.is_op("{")) return parse_dict();
  auto node = make(Kind::kConst, token.at);
  if (token.type == Tok::kName) {
    take();
    if (token.text == "true" || token.text == "True" || token.text == "false" || token.text == "False") {
      node->constant = token.text == "true" || token.text == "True";
    } else if (token.text == "none" || token.text == "None") {
      node->constant = Value::none();
    } else {
      node->kind = Kind::kName;
      node->name = token.text;
      node->constant = make_constant(program_, token.text);
      if (with_namespace && skip_op(".")) {
        node->kind = Kind::kNsRef;
        node->text = expect_name().text;
        node->constant = make_constant(program_, node->text);
      }
    }
    return node;
  }
  if (token.type == Tok::kString) {
    std::string text;
    while (peek().type == Tok::kString) text += take().text;
    node->constant = make_constant(program_, std::move(text));
    return node;
  }
  if (token.type == Tok::kInteger) {
    take();
    const char mark = token.text.size() > 1 ? static_cast<char>(token.text[1] | 0x20) : '\0';
    const uint32_t base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    node->constant =
        make_constant(program_, BigInt::from_digits(std::string_view(token.text).substr(base == 10 ? 0 : 2), base));
    return node;
  }
  if (token.type == Tok::kFloat) {
    take();
    node->constant = std::strtod(token.text.c_str(), nullptr);
    return node;
  }
  fail_at("unexpected " + repr_str(describe(token)), token.at);
}

bool Parser::is_tuple_end(std::string_view end_word) {
  const Token& token = peek();
  if (token.type == Tok::kVariableEnd || token.type == Tok::kBlockEnd || token.is_op(")")) return true;
  return !end_word.empty() && token.is_name(end_word);
}

NodePtr Parser::parse_tuple(TupleOptions options) {
  Nest nest(*this);
  const Position at = peek().at;
  Nodes items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect_op(",");
    if (is_tuple_end(options.end_word)) break;
    items.push_back(options.simplified ? parse_primary(options.with_namespace)
                                       : parse_expression(options.with_condexpr));
    if (!peek().is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items.front());
    if (!options.explicit_parentheses) fail_here("Expected an expression, got " + repr_str(describe(peek())));
  }
  auto node = make(Kind::kTuple, at);
  node->items = std::move(items);
  return measured(std::move(node));
}

NodePtr Parser::parse_list() {
  auto node = make(Kind::kList, expect_op("[").at);
  while (!peek().is_op("]")) {
    if (!node->items.empty()) expect_op(",");
    if (peek().is_op("]")) break;
    node->items.push_back(parse_expression());
  }
  expect_op("]");
  return measured(std::move(node));
}

NodePtr Parser::parse_dict() {
  auto node = make(Kind::kDict, expect_op("{").at);
  while (!peek().is_op("}")) {
    if (!node->items.empty()) expect_op(",");
    if (peek().is_op("}")) break;
    node->items.push_back(parse_expression());
    expect_op(":");
    node->items.push_back(parse_expression());
  }
  expect_op("}");
  return measured(std::move(node));
}

NodePtr Parser::parse_postfix(NodePtr node) {
  while (true) {
    const Token& token = peek();
    if (token.is_op(".") || token.is_op("[")) {
      node = parse_subscript(std::move(node));
    } else if (token.is_op("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

NodePtr Parser::parse_filter_expr(NodePtr node) {
  while (true) {
    const Token& token = peek();
    if (token.is_op("|")) {
      node = parse_filter(std::move(node));
    } else if (token.is_name("is")) {
      node = parse_test(std::move(node));
    } else if (token.is_op("(")) {
      node = parse_call(std::move(node));
    } else {
      return node;
    }
  }
}

NodePtr Parser::parse_subscript(NodePtr node) {
  const Token token = take();
  if (token.is_op(".")) {
    const Token attr = take();
    if (attr.type == Tok::kName) {
      auto out = make(Kind::kGetattr, token.at);
      out->name = attr.text;
      out->constant = make_constant(program_, attr.text);
      out->a = std::move(node);
      return measured(std::move(out));
    }
    if (attr.type != Tok::kInteger) fail_at("expected name or number", attr.at);
    auto index = make(Kind::kConst, attr.at);
    index->constant = make_constant(program_, BigInt::from_digits(attr.text, 10));
    return binary(Kind::kGetitem, token.at, std::move(node), std::move(index));
  }
  Nodes args;
  while (!peek().is_op("]")) {
    if (!args.empty()) expect_op(",");
    args.push_back(parse_subscribed());
  }
  expect_op("]");
  if (args.size() == 1) return binary(Kind::kGetitem, token.at, std::move(node), std::move(args.front()));
  for (const NodePtr& arg : args) {
    if (arg->kind == Kind::kSlice) fail_at("SyntaxError: a slice cannot be part of a tuple", arg->position);
  }
  auto tuple = make(Kind::kTuple, token.at);
  tuple->items = std::move(args);
  return binary(Kind::kGetitem, token.at, std::move(node), measured(std::move(tuple)));
}

NodePtr Parser::parse_subscribed() {
  const Position at = peek().at;
  NodePtr first;
  if (!peek().is_op(":")) {
    first = parse_expression();
    if (!peek().is_op(":")) return first;
  }
  take();
  auto node = make(Kind::kSlice, at);
  node->items.push_back(std::move(first));
  const auto at_end = [&] { return peek().is_op("]") || peek().is_op(","); };
  node->items.push_back(peek().is_op(":") || at_end() ? nullptr : parse_expression());
  node->items.push_back(skip_op(":") && !at_end() ? parse_expression() : nullptr);
  return measured(std::move(node));
}

CallArgs Parser::parse_call_args() {
  const Position at = expect_op("(").at;
  CallArgs out;
  const auto ensure = [&](bool condition) {
    if (!condition) fail_at("invalid syntax for function call expression", at);
  };
  bool require_comma = false;
  while (!peek().is_op(")")) {
    if (require_comma) {
      expect_op(",");
      if (peek().is_op(")")) break;
    }
    if (skip_op("*")) {
      ensure(!out.dyn_args && !out.dyn_kwargs);
      out.dyn_args = parse_expression();
    } else if (skip_op("**")) {
      ensure(!out.dyn_kwargs);
      out.dyn_kwargs = parse_expression();
    } else if (peek().type == Tok::kName && peek(1).is_op("=")) {
      ensure(!out.dyn_kwargs);
      const Token key = take();
      take();
      for (const auto& [name, value] : out.kwargs) {
        if (name == key.text) fail_at("SyntaxError: keyword argument repeated: " + key.text, key.at);
      }
      out.kwargs.emplace_back(key.text, parse_expression());
    } else {
      ensure(!out.dyn_args && !out.dyn_kwargs && out.kwargs.empty());
      out.args.push_back(parse_expression());
    }
    require_comma = true;
  }
  expect_op(")");
  return out;
}

NodePtr Parser::parse_call(NodePtr callee) {
  auto node = make(Kind::kCall, peek().at);
  node->call = parse_call_args();
  node->a = std::move(callee);
  return measured(std::move(node));
}

std::string Parser::parse_dotted_name() {
  std::string name = expect_name().text;
  while (skip_op(".")) name += "." + expect_name().text;
  return name;
}

NodePtr Parser::parse_filter(NodePtr node, bool start_inline) {
  for (; peek().is_op("|") || start_inline; start_inline = false) {
    if (!start_inline) take();
    auto filter = make(Kind::kFilter, peek().at);
    filter->name = parse_dotted_name();
    if (peek().is_op("(")) filter->call = parse_call_args();
    filter->a = std::move(node);
    node = measured(std::move(filter));
  }
  return node;
}

NodePtr Parser::parse_test(NodePtr value) {
  const Position at = take().at;
  const bool negated = skip_name("not");
  auto node = make(Kind::kTest, at);
  node->name = parse_dotted_name();
  node->a = std::move(value);
  const Token& next = peek();
  const bool is_value = next.type == Tok::kName || next.type == Tok::kString || next.type == Tok::kInteger ||
                        next.type == Tok::kFloat || next.is_op("[") || next.is_op("{");
  if (next.is_op("(")) {
    node->call = parse_call_args();
  } else if (is_value && !next.is_name("else") && !next.is_name("or") && !next.is_name("and")) {
    if (next.is_name("is")) fail_here("You cannot chain multiple tests with is");
    node->call.args.push_back(parse_postfix(parse_primary()));
  }
  node = measured(std::move(node));
  if (!negated) return node;
  auto inverted = make(Kind::kNot, at);
  inverted->a = std::move(node);
  return measured(std::move(inverted));
}

}  // namespace seraph::jinja
