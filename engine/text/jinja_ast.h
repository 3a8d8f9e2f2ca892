// The tree of a compiled template. One node type serves all: the parser fills the syntax fields, the resolver
// (jinja_resolver.h) then turns names into slots. Constant after compilation; any number of threads may walk it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/jinja_objects.h"

namespace seraph::jinja {

enum class Kind : uint8_t {
  // expressions
  kConst,
  kName,     // name; a variable read or written
  kNsRef,    // name.attr as an assignment target (text = attr)
  kTuple,    // items
  kList,     // items
  kDict,     // items: key, value, key, value, ...
  kCond,     // a if test (b) else c; c may be null
  kOr,       // a, b
  kAnd,      // a, b
  kNot,      // a
  kCompare,  // a, items with text = operator each in ops
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kMod,
  kPow,
  kConcat,  // items
  kNeg,
  kPos,
  kGetattr,  // a.name; constant = the name as a value
  kGetitem,  // a[b]
  kSlice,    // items: start, stop, step; each may be null
  kCall,     // a(call arguments)
  kFilter,   // a|name(call arguments); a is null for the body of a block
  kTest,     // a is name(call arguments)
  // statements
  kData,         // text
  kOutput,       // items
  kFor,          // a = target, b = iterable, c = test; body, else_body
  kIf,           // a = test; body; elifs; else_body
  kMacro,        // name, params, defaults, body
  kCallBlock,    // a = the call; params, defaults, body
  kFilterBlock,  // a = filter; body
  kWith,         // items = targets, values; body
  kSet,          // a = target, b = value
  kSetBlock,     // a = target, b = filter or null; body
  kBlock,        // name, body
  kScope,        // autoescape: a = value; body
  kGeneration,   // body
  kBreak,
  kContinue,
  kUnloadable,  // include, import, extends: there is no loader
};

/// What happens to a slot when its scope is entered.
struct SlotLoad {
  enum class Action : uint8_t { kParameter, kResolve, kAlias, kUndefined } action = Action::kUndefined;
  int32_t slot = 0;
  int32_t from_hops = 0;  // kAlias
  int32_t from_slot = 0;
  std::string name;  // kResolve: looked up in the context
};

struct Scope {
  std::vector<SlotLoad> loads;
};

/// Where a name lives: `hops` frames outwards, at `slot`.
struct SlotRef {
  int32_t hops = 0;
  int32_t slot = -1;
};

struct Node;
using NodePtr = std::unique_ptr<Node>;
using Nodes = std::vector<NodePtr>;

struct CallArgs {
  Nodes args;
  std::vector<std::pair<std::string, NodePtr>> kwargs;
  NodePtr dyn_args;    // *expr
  NodePtr dyn_kwargs;  // **expr
};

enum class CompareOp : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };
enum class Context : uint8_t { kLoad, kStore, kParam };

struct Node {
  Node(Kind node_kind, Position at) : kind(node_kind), position(at) {}

  Kind kind;
  Context context = Context::kLoad;  // kName, kTuple
  bool recursive = false;            // kFor
  bool required = false;             // kBlock
  bool scoped = false;               // kBlock
  int32_t depth = 1;                 // of an expression: 1 + its deepest child
  Position position;
  std::string name;
  std::string text;
  Value constant;
  NodePtr a, b, c;
  Nodes items;
  Nodes values;    // kWith
  Nodes params;    // kMacro, kCallBlock: names
  Nodes defaults;  // of the last params
  Nodes body, elifs, else_body;
  std::vector<CompareOp> ops;
  CallArgs call;

  // Filled by the resolver.
  SlotRef ref;               // kName, kNsRef, and the variable a kMacro or kBlock defines
  Scope scope;               // of body
  Scope else_scope;          // kFor
  Scope test_scope;          // kFor
  NodePtr test_target;       // kFor with a test: the target, resolved in the test's scope
  SlotRef loop_ref;          // kFor: slot of `loop`; slot -1 when the body does not use it
  int32_t num_slots = 0;     // kMacro, kCallBlock, kGeneration, kBlock, recursive kFor: size of their frame
  int32_t caller_slot = -1;  // kMacro, kCallBlock: when the body uses caller, kwargs, varargs
  int32_t kwargs_slot = -1;
  int32_t varargs_slot = -1;
  bool explicit_caller = false;  // kMacro: caller is in its argument list
  Builtin builtin = nullptr;     // kFilter, kTest; null: unknown, fails when evaluated
  bool foldable = false;         // an expression of constants only, which Jinja evaluates when it compiles
  bool lenient = false;          // kGetitem of a slice inside such an expression: undefined where Python would complain
  bool exported = false;         // kSet, kSetBlock, kMacro at the top level: visible to blocks
  std::vector<std::pair<std::string, SlotRef>> visible;  // scoped kBlock: the names its body may see
};

/// A compiled template.
struct Program {
  std::vector<std::unique_ptr<Object>> constants;  // immortal; before the nodes, which refer to them to their end
  Nodes body;
  Scope scope;
  int32_t num_slots = 0;
  bool has_blocks = false;
  bool uses_content_parts = false;
};

/// A string constant that any thread may read. REQUIRES: `program` outlives it.
Value make_constant(Program& program, std::string text);
/// An integer constant.
Value make_constant(Program& program, BigInt value);

}  // namespace seraph::jinja
