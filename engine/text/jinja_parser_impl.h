// The parser's class, shared by its two files: jinja_parser.cpp (statements) and jinja_parse_expr.cpp (expressions).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja_lexer.h"
#include "engine/text/jinja_parser.h"

namespace seraph::jinja {

class Parser {
 public:
  using Words = std::initializer_list<std::string_view>;

  Parser(std::string_view source, Program& program) : tokens_(tokenize(source)), program_(program) {}
  Nodes parse_template();

 private:
  /// Counts nesting for as long as it lives.
  struct Nest {
    explicit Nest(Parser& parser);
    ~Nest() { --parser.depth_; }
    Parser& parser;
  };

  // Tokens.
  const Token& peek(size_t ahead = 0);
  const Token& take();
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  Token expect_op(std::string_view op);
  Token expect_name();
  void expect_name(std::string_view name);
  void expect(Tok type);
  static std::string describe(const Token& token);
  static std::string describe(Tok type);
  [[noreturn]] void fail_here(const std::string& message) { fail_at(message, peek().at); }
  [[noreturn]] void fail_unknown_tag(const Token* tag, Words wanted);

  // Statements.
  Nodes subparse(const std::vector<std::string_view>& end_tags);
  Nodes parse_body(Words end_tags, bool drop_end);
  NodePtr parse_statement();
  NodePtr parse_tag(const std::string& tag);
  NodePtr parse_for();
  NodePtr parse_if();
  NodePtr parse_set();
  NodePtr parse_macro();
  NodePtr parse_call_block();
  NodePtr parse_filter_block();
  NodePtr parse_with();
  NodePtr parse_autoescape();
  NodePtr parse_block();
  NodePtr parse_print();
  NodePtr parse_unloadable();
  void parse_signature(Node& node);

  // Expressions (jinja_parse_expr.cpp).
  NodePtr parse_expression(bool with_condexpr = true);
  NodePtr parse_condexpr();
  NodePtr parse_or();
  NodePtr parse_and();
  NodePtr parse_not();
  NodePtr parse_compare();
  NodePtr parse_math1();
  NodePtr parse_concat();
  NodePtr parse_math2();
  NodePtr parse_pow();
  NodePtr parse_unary(bool with_filter = true);
  NodePtr parse_primary(bool with_namespace = false);
  NodePtr parse_postfix(NodePtr node);
  NodePtr parse_filter_expr(NodePtr node);
  NodePtr parse_subscript(NodePtr node);
  NodePtr parse_subscribed();
  NodePtr parse_list();
  NodePtr parse_dict();
  NodePtr parse_call(NodePtr node);
  CallArgs parse_call_args();
  NodePtr parse_filter(NodePtr node, bool start_inline = false);
  NodePtr parse_test(NodePtr node);
  std::string parse_dotted_name();
  struct TupleOptions {
    bool simplified = false;
    bool with_condexpr = true;
    bool explicit_parentheses = false;
    bool with_namespace = false;
    std::string_view end_word = {};  // a name that ends the tuple
  };
  NodePtr parse_tuple(TupleOptions options);
  NodePtr parse_target(bool with_namespace, std::string_view end_word);
  NodePtr parse_name_target();
  bool is_tuple_end(std::string_view end_word);
  NodePtr make(Kind kind, Position at);
  NodePtr binary(Kind kind, Position at, NodePtr left, NodePtr right);
  /// Sets the node's depth from its children's and enforces the limit.
  NodePtr measured(NodePtr node);
  void set_context(Node& target, Context context);

  std::vector<Token> tokens_;
  size_t at_ = 0;
  Program& program_;
  int depth_ = 0;
  std::vector<std::string> tag_stack_;
  std::vector<std::vector<std::string_view>> end_tag_stack_;
};

}  // namespace seraph::jinja
