#include "engine/text/jinja_parser.h"

#include <algorithm>

#include "engine/text/jinja_parser_impl.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {

Value make_constant(Program& program, std::string text) {
  auto object = std::make_unique<StrObject>(nullptr, std::move(text), false);
  object->refs = Object::kImmortal;
  object->code_points = count_code_points(object->view);
  program.constants.push_back(std::move(object));
  return Value(Type::kStr, program.constants.back().get());
}

Value make_constant(Program& program, BigInt value) {
  if (value.fits_int64()) return value.to_int64();
  auto object = std::make_unique<BigObject>(nullptr, std::move(value));
  object->refs = Object::kImmortal;
  program.constants.push_back(std::move(object));
  return Value(Type::kBig, program.constants.back().get());
}

void parse(std::string_view source, Program& program) { program.body = Parser(source, program).parse_template(); }

Parser::Nest::Nest(Parser& owner) : parser(owner) {
  if (++parser.depth_ > kNestingMax) {
    --parser.depth_;
    parser.fail_here("the template is nested more than " + std::to_string(kNestingMax) + " levels deep");
  }
}

const Token& Parser::peek(size_t ahead) {
  const Token& token = tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  if (token.type == Tok::kError) fail_at(token.text, token.at);
  return token;
}

const Token& Parser::take() {
  const Token& token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::skip_op(std::string_view op) {
  if (!peek().is_op(op)) return false;
  take();
  return true;
}

bool Parser::skip_name(std::string_view name) {
  if (!peek().is_name(name)) return false;
  take();
  return true;
}

std::string Parser::describe(Tok type) {
  switch (type) {
    case Tok::kVariableBegin:
      return "begin of print statement";
    case Tok::kVariableEnd:
      return "end of print statement";
    case Tok::kBlockBegin:
      return "begin of statement block";
    case Tok::kBlockEnd:
      return "end of statement block";
    case Tok::kData:
      return "template data / text";
    case Tok::kEof:
      return "end of template";
    case Tok::kName:
      return "name";
    case Tok::kString:
      return "string";
    case Tok::kInteger:
      return "integer";
    case Tok::kFloat:
      return "float";
    default:
      return "operator";
  }
}

std::string Parser::describe(const Token& token) {
  return token.type == Tok::kName || token.type == Tok::kOperator ? token.text : describe(token.type);
}

void Parser::expect(Tok type) {
  const Token& token = peek();
  if (token.type == type) {
    take();
    return;
  }
  if (token.type == Tok::kEof) fail_here("unexpected end of template, expected '" + describe(type) + "'.");
  fail_here("expected token '" + describe(type) + "', got " + repr_str(describe(token)));
}

Token Parser::expect_op(std::string_view op) {
  const Token& token = peek();
  if (token.is_op(op)) return take();
  if (token.type == Tok::kEof) fail_here("unexpected end of template, expected '" + std::string(op) + "'.");
  fail_here("expected token '" + std::string(op) + "', got " + repr_str(describe(token)));
}

Token Parser::expect_name() {
  if (peek().type != Tok::kName) expect(Tok::kName);
  return take();
}

void Parser::expect_name(std::string_view name) {
  if (skip_name(name)) return;
  if (peek().type == Tok::kEof) fail_here("unexpected end of template, expected '" + std::string(name) + "'.");
  fail_here("expected token '" + std::string(name) + "', got " + repr_str(describe(peek())));
}

NodePtr Parser::make(Kind kind, Position at) { return std::make_unique<Node>(kind, at); }

Nodes Parser::parse_template() { return subparse({}); }

void Parser::fail_unknown_tag(const Token* tag, Words wanted) {
  auto stack = end_tag_stack_;
  if (wanted.size() != 0) stack.emplace_back(wanted);
  std::string message =
      tag == nullptr ? "Unexpected end of template." : "Encountered unknown tag " + repr_str(tag->text) + ".";
  if (!stack.empty()) {
    std::string looking;
    for (const std::string_view word : stack.back()) {
      if (!looking.empty()) looking += " or ";
      looking += repr_str(word);
    }
    const bool expected_outside = tag != nullptr && std::any_of(stack.begin(), stack.end(), [&](const auto& words) {
                                    return std::find(words.begin(), words.end(), tag->text) != words.end();
                                  });
    message += expected_outside
                   ? " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " +
                         looking + "."
                   : " Jinja was looking for the following tags: " + looking + ".";
  }
  if (!tag_stack_.empty())
    message += " The innermost block that needs to be closed is " + repr_str(tag_stack_.back()) + ".";
  fail_at(message, tag == nullptr ? peek().at : tag->at);
}

Nodes Parser::subparse(const std::vector<std::string_view>& end_tags) {
  Nest nest(*this);
  Nodes body;
  if (!end_tags.empty()) end_tag_stack_.push_back(end_tags);
  NodePtr output;  // neighbouring data and prints
  const auto add = [&](NodePtr node) {
    if (!output) output = make(Kind::kOutput, node->position);
    output->items.push_back(std::move(node));
  };
  const auto flush = [&] {
    if (output) body.push_back(std::move(output));
  };
  bool ended = false;
  while (!ended && peek().type != Tok::kEof) {
    const Token& token = peek();
    if (token.type == Tok::kData) {
      auto node = make(Kind::kData, token.at);
      node->text = token.text;
      add(std::move(node));
      take();
    } else if (token.type == Tok::kVariableBegin) {
      take();
      add(parse_tuple({}));
      expect(Tok::kVariableEnd);
    } else {
      flush();
      take();
      const Token& word = peek();
      ended = word.type == Tok::kName && std::find(end_tags.begin(), end_tags.end(), word.text) != end_tags.end();
      if (ended) break;
      body.push_back(parse_statement());
      expect(Tok::kBlockEnd);
    }
  }
  flush();
  if (!end_tags.empty()) end_tag_stack_.pop_back();
  return body;
}

Nodes Parser::parse_body(Words end_tags, bool drop_end) {
  skip_op(":");  // as Python writes it; Jinja allows it
  expect(Tok::kBlockEnd);
  Nodes body = subparse(std::vector<std::string_view>(end_tags));
  if (peek().type == Tok::kEof) fail_unknown_tag(nullptr, end_tags);
  if (drop_end) take();
  return body;
}

NodePtr Parser::parse_statement() {
  const Token token = peek();
  if (token.type != Tok::kName) fail_at("tag name expected", token.at);
  tag_stack_.push_back(token.text);
  NodePtr node = parse_tag(token.text);
  tag_stack_.pop_back();
  if (!node) fail_unknown_tag(&token, {});
  return node;
}

NodePtr Parser::parse_tag(const std::string& tag) {
  if (tag == "for") return parse_for();
  if (tag == "if") return parse_if();
  if (tag == "set") return parse_set();
  if (tag == "macro") return parse_macro();
  if (tag == "call") return parse_call_block();
  if (tag == "filter") return parse_filter_block();
  if (tag == "with") return parse_with();
  if (tag == "autoescape") return parse_autoescape();
  if (tag == "block") return parse_block();
  if (tag == "print") return parse_print();
  if (tag == "extends" || tag == "include" || tag == "import" || tag == "from") return parse_unloadable();
  if (tag == "break") return make(Kind::kBreak, take().at);
  if (tag == "continue") return make(Kind::kContinue, take().at);
  if (tag == "generation") {
    auto node = make(Kind::kGeneration, take().at);
    node->body = parse_body({"endgeneration"}, true);
    return node;
  }
  return nullptr;
}

NodePtr Parser::parse_for() {
  auto node = make(Kind::kFor, take().at);
  node->a = parse_target(false, "in");
  expect_name("in");
  node->b = parse_tuple({.with_condexpr = false, .end_word = "recursive"});
  if (skip_name("if")) node->c = parse_expression();
  node->recursive = skip_name("recursive");
  node->body = parse_body({"endfor", "else"}, false);
  if (!take().is_name("endfor")) node->else_body = parse_body({"endfor"}, true);
  return node;
}

NodePtr Parser::parse_if() {
  auto result = make(Kind::kIf, take().at);
  Node* node = result.get();
  while (true) {
    node->a = parse_tuple({.with_condexpr = false});
    node->body = parse_body({"elif", "else", "endif"}, false);
    const Token token = take();
    if (token.is_name("elif")) {
      result->elifs.push_back(make(Kind::kIf, peek().at));
      node = result->elifs.back().get();
      continue;
    }
    if (token.is_name("else")) result->else_body = parse_body({"endif"}, true);
    return result;
  }
}

NodePtr Parser::parse_set() {
  const Position at = take().at;
  NodePtr target = parse_target(true, {});
  if (skip_op("=")) {
    auto node = make(Kind::kSet, at);
    node->a = std::move(target);
    node->b = parse_tuple({});
    return node;
  }
  auto node = make(Kind::kSetBlock, at);
  node->a = std::move(target);
  node->b = parse_filter(nullptr);
  node->body = parse_body({"endset"}, true);
  return node;
}

void Parser::parse_signature(Node& node) {
  expect_op("(");
  while (!peek().is_op(")")) {
    if (!node.params.empty()) expect_op(",");
    auto param = parse_name_target();
    param->context = Context::kParam;
    if (skip_op("=")) {
      node.defaults.push_back(parse_expression());
    } else if (!node.defaults.empty()) {
      fail_here("non-default argument follows default argument");
    }
    node.params.push_back(std::move(param));
  }
  expect_op(")");
}

NodePtr Parser::parse_macro() {
  auto node = make(Kind::kMacro, take().at);
  node->name = parse_name_target()->name;
  node->constant = make_constant(program_, node->name);
  parse_signature(*node);
  node->body = parse_body({"endmacro"}, true);
  return node;
}

NodePtr Parser::parse_call_block() {
  auto node = make(Kind::kCallBlock, take().at);
  if (peek().is_op("(")) parse_signature(*node);
  node->a = parse_expression();
  if (node->a->kind != Kind::kCall) fail_at("expected call", node->position);
  node->body = parse_body({"endcall"}, true);
  return node;
}

NodePtr Parser::parse_filter_block() {
  auto node = make(Kind::kFilterBlock, take().at);
  node->a = parse_filter(nullptr, true);
  node->body = parse_body({"endfilter"}, true);
  return node;
}

NodePtr Parser::parse_with() {
  auto node = make(Kind::kWith, take().at);
  while (peek().type != Tok::kBlockEnd) {
    if (!node->items.empty()) expect_op(",");
    auto target = parse_target(false, {});
    set_context(*target, Context::kParam);
    node->items.push_back(std::move(target));
    expect_op("=");
    node->values.push_back(parse_expression());
  }
  node->body = parse_body({"endwith"}, true);
  return node;
}

NodePtr Parser::parse_autoescape() {
  auto node = make(Kind::kScope, take().at);
  node->a = parse_expression();
  node->body = parse_body({"endautoescape"}, true);
  return node;
}

NodePtr Parser::parse_block() {
  auto node = make(Kind::kBlock, take().at);
  node->name = expect_name().text;
  node->scoped = skip_name("scoped");
  node->required = skip_name("required");
  if (peek().is_op("-"))
    fail_here("block names are identifiers and may not contain hyphens; use an underscore instead");
  node->body = parse_body({"endblock"}, true);
  if (node->required) fail_at("Required block " + repr_str(node->name) + " not found", node->position);
  skip_name(node->name);
  program_.has_blocks = true;
  return node;
}

NodePtr Parser::parse_print() {
  auto node = make(Kind::kOutput, take().at);
  while (peek().type != Tok::kBlockEnd) {
    if (!node->items.empty()) expect_op(",");
    node->items.push_back(parse_expression());
  }
  return node;
}

NodePtr Parser::parse_unloadable() {
  const Token tag = take();
  auto node = make(Kind::kUnloadable, tag.at);
  node->a = parse_expression();
  if (tag.text == "include" && peek().is_name("ignore") && peek(1).is_name("missing")) {
    take();
    take();
  }
  if (tag.text == "import") {
    expect_name("as");
    auto target = parse_name_target();
    node->items.push_back(std::move(target));
  }
  if (tag.text == "from") {
    expect_name("import");
    while (true) {
      if (!node->items.empty()) expect_op(",");
      if ((peek().is_name("with") || peek().is_name("without")) && peek(1).is_name("context")) break;
      auto target = parse_name_target();
      if (skip_name("as")) target = parse_name_target();
      node->items.push_back(std::move(target));
      if (!peek().is_op(",")) break;
    }
  }
  if (tag.text != "extends" && (peek().is_name("with") || peek().is_name("without")) && peek(1).is_name("context")) {
    take();
    take();
  }
  return node;
}

}  // namespace seraph::jinja
