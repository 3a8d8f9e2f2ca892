#include "engine/text/jinja_resolver.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "engine/text/jinja_builtins.h"

namespace seraph::jinja {
namespace {

/// A function of the program (the template, a macro, a recursive loop, a block): one frame of slots at run time.
struct Function {
  int32_t level = 0;
  int32_t num_slots = 0;
};

/// Absolute place of a variable.
struct Place {
  int32_t level = 0;
  int32_t slot = -1;
};

/// The names of one scope, as jinja2's idtracking keeps them. Copies (branches of an `if`) share their slots.
struct Symbols {
  struct Load {
    SlotLoad::Action action = SlotLoad::Action::kUndefined;
    std::string name;
    Place source;
  };

  Symbols(Symbols* outer, Function* owner)
      : parent(outer), function(owner), slots(std::make_shared<std::map<std::string, Place>>()) {}

  Place define(const std::string& name, Load load) {
    auto [it, fresh] = slots->try_emplace(name);
    if (fresh) it->second = {function->level, function->num_slots++};
    refs[name] = it->second;
    load.name = name;
    loads[it->second.slot] = std::move(load);
    return it->second;
  }

  std::optional<Place> find(const std::string& name) const {
    if (const auto it = refs.find(name); it != refs.end()) return it->second;
    return parent != nullptr ? parent->find(name) : std::nullopt;
  }

  void load(const std::string& name) {
    if (!find(name)) define(name, {SlotLoad::Action::kResolve, {}, {}});
  }

  Place parameter(const std::string& name) {
    stores.insert(name);
    return define(name, {SlotLoad::Action::kParameter, {}, {}});
  }

  void store(const std::string& name) {
    stores.insert(name);
    if (refs.contains(name)) return;
    if (const auto outer = parent != nullptr ? parent->find(name) : std::nullopt) {
      define(name, {SlotLoad::Action::kAlias, {}, *outer});
    } else {
      define(name, {SlotLoad::Action::kUndefined, {}, {}});
    }
  }

  /// Takes over what the branches of an `if` define. A name that this scope did not store before may be stored by one
  /// branch only, so it starts with its outer value.
  void merge(const std::vector<Symbols>& branches) {
    std::set<std::string> stored;
    for (const Symbols& branch : branches) stored.insert(branch.stores.begin(), branch.stores.end());
    for (const std::string& name : stores) stored.erase(name);
    for (const Symbols& branch : branches) {
      for (const auto& [name, place] : branch.refs) refs[name] = place;
      for (const auto& [slot, load] : branch.loads) loads[slot] = load;
      stores.insert(branch.stores.begin(), branch.stores.end());
    }
    for (const std::string& name : stored) {
      const auto outer = parent != nullptr ? parent->find(name) : std::nullopt;
      Load load{outer ? SlotLoad::Action::kAlias : SlotLoad::Action::kResolve, name, outer.value_or(Place{})};
      loads[find(name)->slot] = std::move(load);
    }
  }

  Symbols* parent;
  Function* function;
  std::shared_ptr<std::map<std::string, Place>> slots;
  std::map<std::string, Place> refs;
  std::map<int32_t, Load> loads;  // by slot
  std::set<std::string> stores;
};

/// Calls visit(child) for the direct children that are expressions (not the bodies).
template <typename Visit>
void for_each_expression(const Node& node, Visit visit) {
  for (const NodePtr* child : {&node.a, &node.b, &node.c}) {
    if (*child) visit(**child);
  }
  for (const NodePtr& child : node.items) {
    if (child) visit(*child);
  }
  for (const NodePtr& child : node.call.args) visit(*child);
  for (const auto& [name, child] : node.call.kwargs) visit(*child);
  for (const NodePtr* child : {&node.call.dyn_args, &node.call.dyn_kwargs}) {
    if (*child) visit(**child);
  }
}

/// Calls visit(child) for all direct children, in Jinja's order of fields.
template <typename Visit>
void for_each_child(const Node& node, Visit visit) {
  const auto all = [&](const Nodes& nodes) {
    for (const NodePtr& child : nodes) visit(*child);
  };
  if (node.kind == Kind::kFor) {
    visit(*node.a);
    visit(*node.b);
    all(node.body);
    all(node.else_body);
    if (node.c) visit(*node.c);
    return;
  }
  if (node.kind == Kind::kCallBlock) {
    visit(*node.a);
  } else {
    for_each_expression(node, visit);
  }
  all(node.values);
  all(node.params);
  all(node.defaults);
  all(node.body);
  all(node.elifs);
  all(node.else_body);
}

/// Which of `names` are read before anything of that name is written, in Jinja's order of visits; blocks are skipped.
class Undeclared {
 public:
  explicit Undeclared(std::set<std::string> names) : names_(std::move(names)) {}
  void visit(const Node& node) {
    if (node.kind == Kind::kBlock) return;
    if (node.kind == Kind::kName) {
      if (node.context == Context::kLoad && names_.contains(node.name)) {
        found.insert(node.name);
      } else {
        names_.erase(node.name);
      }
      return;
    }
    for_each_child(node, [&](const Node& child) { visit(child); });
  }
  std::set<std::string> found;

 private:
  std::set<std::string> names_;
};

std::set<std::string> undeclared_in(const Nodes& body, std::set<std::string> names) {
  Undeclared finder(std::move(names));
  for (const NodePtr& node : body) finder.visit(*node);
  return finder.found;
}

/// Collects the names that a scope's own statements read and write; stops at inner scopes.
class Collector {
 public:
  explicit Collector(Symbols& symbols) : symbols_(&symbols) {}

  void visit(const Node& node) {
    switch (node.kind) {
      case Kind::kName:
        if (node.context == Context::kParam) {
          symbols_->parameter(node.name);
        } else if (node.context == Context::kStore) {
          symbols_->store(node.name);
        } else {
          symbols_->load(node.name);
        }
        return;
      case Kind::kNsRef:
        symbols_->load(node.name);
        return;
      case Kind::kIf:
        return visit_if(node);
      case Kind::kMacro:
        symbols_->store(node.name);
        return;
      case Kind::kFor:
        visit(*node.b);
        return;
      case Kind::kSet:
        visit(*node.b);
        visit(*node.a);
        return;
      case Kind::kSetBlock:
      case Kind::kCallBlock:
      case Kind::kFilterBlock:
        visit(*node.a);
        return;
      case Kind::kWith:
        for (const NodePtr& value : node.values) visit(*value);
        return;
      case Kind::kBlock:
      case Kind::kScope:
      case Kind::kGeneration:
        return;
      default:
        for_each_expression(node, [&](const Node& child) { visit(child); });
    }
  }
  void visit_all(const Nodes& nodes) {
    for (const NodePtr& node : nodes) visit(*node);
  }
  /// A loop's target: its names are set by the loop, whatever they were outside.
  void visit_target(const Node& target) {
    if (target.kind == Kind::kName) symbols_->parameter(target.name);
    for (const NodePtr& item : target.items) visit_target(*item);
  }

 private:
  void visit_if(const Node& node) {
    visit(*node.a);
    Symbols* const original = symbols_;
    std::vector<Symbols> branches;
    for (const Nodes* branch : {&node.body, &node.elifs, &node.else_body}) {
      Symbols copy = *original;
      symbols_ = &copy;
      visit_all(*branch);
      branches.push_back(std::move(copy));
      symbols_ = original;
    }
    original->merge(branches);
  }

  Symbols* symbols_;
};

class Resolver {
 public:
  explicit Resolver(Program& program) : program_(program) {}

  void run() {
    Function function;
    Symbols symbols(nullptr, &function);
    Collector(symbols).visit_all(program_.body);
    for (const NodePtr& node : program_.body) collect_blocks(*node);
    const State state{.symbols = &symbols, .top_level = true};
    program_.scope = scope_of(symbols);
    statements(program_.body, state);
    program_.num_slots = function.num_slots;
  }

 private:
  struct State {
    Symbols* symbols = nullptr;
    bool soft = false;  // inside an `if` or a conditional expression: unknown filters fail only when reached
    bool top_level = false;
    bool in_loop = false;
  };

  void collect_blocks(const Node& node) {
    if (node.kind == Kind::kBlock && !block_names_.insert(node.name).second) {
      fail_at("block " + repr_str(node.name) + " defined twice", node.position);
    }
    for_each_child(node, [&](const Node& child) { collect_blocks(child); });
  }

  static SlotRef reference(const Symbols& from, Place place) {
    return {from.function->level - place.level, place.slot};
  }

  static Scope scope_of(const Symbols& symbols) {
    Scope scope;
    for (const auto& [slot, load] : symbols.loads) {
      SlotLoad out{.action = load.action, .slot = slot};
      if (load.action == SlotLoad::Action::kAlias) {
        const SlotRef source = reference(symbols, load.source);
        out.from_hops = source.hops;
        out.from_slot = source.slot;
      } else if (load.action == SlotLoad::Action::kResolve) {
        out.name = load.name;
      }
      scope.loads.push_back(std::move(out));
    }
    return scope;
  }

  /// Which expressions are constant.
  static bool mark_foldable(Node& node) {
    static constexpr std::string_view kNeedContext[] = {"map",        "select",     "reject",
                                                        "selectattr", "rejectattr", "random"};
    bool foldable = node.kind != Kind::kName && node.kind != Kind::kNsRef && node.kind != Kind::kCall;
    if (node.kind == Kind::kFilter) {
      foldable =
          node.a && std::find(std::begin(kNeedContext), std::end(kNeedContext), node.name) == std::end(kNeedContext);
    }
    for_each_expression(node, [&](const Node& child) {
      const bool constant = mark_foldable(const_cast<Node&>(child));
      foldable = foldable && constant;
    });
    node.foldable = foldable;
    return foldable;
  }

  /// A slice that Jinja evaluates itself, as part of a larger constant or of an output, goes through its lenient
  /// lookup; one that is left to run is Python's own.
  static void mark_lenient(Node& node, bool inside_constant) {
    if (node.kind == Kind::kGetitem && node.b->kind == Kind::kSlice) node.lenient = node.foldable && inside_constant;
    const bool inside = node.foldable || node.kind == Kind::kOutput;
    for_each_expression(node, [&](const Node& child) { mark_lenient(const_cast<Node&>(child), inside); });
  }

  /// A whole expression (or an output with all of its expressions).
  void expression_tree(Node& node, State state) {
    mark_foldable(node);
    mark_lenient(node, false);
    expression(node, state);
  }

  void expression(Node& node, State state) {
    switch (node.kind) {
      case Kind::kName:
      case Kind::kNsRef:
        node.ref = reference(*state.symbols, *state.symbols->find(node.name));
        return;
      case Kind::kCond:
        state.soft = true;
        break;
      case Kind::kFilter:
      case Kind::kTest: {
        const bool is_filter = node.kind == Kind::kFilter;
        node.builtin = is_filter ? find_filter(node.name) : find_test(node.name);
        if (node.builtin == nullptr && !state.soft) {
          fail_at(std::string("No ") + (is_filter ? "filter" : "test") + " named " + repr_str(node.name) + ".",
                  node.position);
        }
        break;
      }
      default:
        break;
    }
    for_each_expression(node, [&](const Node& child) { expression(const_cast<Node&>(child), state); });
  }

  void statements(const Nodes& nodes, State state) {
    for (const NodePtr& node : nodes) statement(*node, state);
  }

  void statement(Node& node, State state) {
    switch (node.kind) {
      case Kind::kFor:
        return for_loop(node, state);
      case Kind::kIf:
        return branches(node, state);
      case Kind::kMacro:
        function_body(node, state);
        node.ref = reference(*state.symbols, *state.symbols->find(node.name));
        node.exported = state.top_level && program_.has_blocks;
        return;
      case Kind::kCallBlock:
        function_body(node, state);
        expression_tree(*node.a, state);
        return;
      case Kind::kGeneration:
        return function_body(node, state);
      case Kind::kSet:
        expression_tree(*node.b, state);
        expression_tree(*node.a, state);
        node.exported = state.top_level && program_.has_blocks;
        return;
      case Kind::kSetBlock:
        expression_tree(*node.a, state);
        node.exported = state.top_level && program_.has_blocks;
        return inner_scope(node, state);
      case Kind::kFilterBlock:
      case Kind::kWith:
      case Kind::kScope:
        return inner_scope(node, state);
      case Kind::kBlock:
        return block(node, state);
      case Kind::kBreak:
      case Kind::kContinue:
        if (!state.in_loop) {
          fail_at(node.kind == Kind::kBreak ? "SyntaxError: 'break' outside loop"
                                            : "SyntaxError: 'continue' not properly in loop",
                  node.position);
        }
        return;
      case Kind::kUnloadable:
        expression_tree(*node.a, state);
        return;
      default:
        expression_tree(node, state);
    }
  }

  void branches(Node& node, State state) {
    state.soft = true;
    expression_tree(*node.a, state);
    statements(node.body, state);
    for (const NodePtr& elif : node.elifs) {
      expression_tree(*elif->a, state);
      statements(elif->body, state);
    }
    statements(node.else_body, state);
  }

  /// set, filter, with and autoescape blocks: a scope within the same function.
  void inner_scope(Node& node, State state) {
    Symbols symbols(state.symbols, state.symbols->function);
    Collector collector(symbols);
    const State inner{.symbols = &symbols, .in_loop = state.in_loop};
    if (node.kind == Kind::kWith) {
      for (const NodePtr& target : node.items) collector.visit(*target);
    }
    if (node.kind == Kind::kScope) collector.visit(*node.a);
    collector.visit_all(node.body);
    if (node.kind == Kind::kFilterBlock) collector.visit(*node.a);
    node.scope = scope_of(symbols);
    if (node.kind == Kind::kWith) {
      for (const NodePtr& target : node.items) expression_tree(*target, inner);
      for (const NodePtr& value : node.values) expression_tree(*value, state);
    } else if (node.kind == Kind::kSetBlock) {
      if (node.b) collect_filter_names(*node.b, symbols);
      if (node.b) expression_tree(*node.b, inner);
      node.scope = scope_of(symbols);
    } else {
      expression_tree(*node.a, inner);
    }
    statements(node.body, inner);
  }

  /// A set block's filter arguments are not part of Jinja's symbol collection of the block, but their names were
  /// never collected outside either; collecting them here gives them the value of the enclosing scope.
  static void collect_filter_names(const Node& filter, Symbols& symbols) { Collector(symbols).visit(filter); }

  void check_loop_stores(const Node& node) {
    if (node.kind == Kind::kName && node.context == Context::kStore && node.name == "loop") {
      fail_at("Can't assign to special loop variable in for-loop target", node.position);
    }
    for_each_child(node, [&](const Node& child) { check_loop_stores(child); });
  }

  static bool has_scoped_block(const Node& node) {
    bool found = node.kind == Kind::kBlock && node.scoped;
    for_each_child(node, [&](const Node& child) { found = found || has_scoped_block(child); });
    return found;
  }

  void for_loop(Node& node, State state) {
    Function inner_function{.level = state.symbols->function->level + 1};
    Function* const function = node.recursive ? &inner_function : state.symbols->function;
    Symbols body_symbols(state.symbols, function);
    const bool extended =
        node.recursive || undeclared_in(node.body, {"loop"}).contains("loop") || has_scoped_block(node);
    if (extended) node.loop_ref = {0, body_symbols.parameter("loop").slot};
    Collector body_collector(body_symbols);
    body_collector.visit_target(*node.a);
    body_collector.visit_all(node.body);
    check_loop_stores(node);

    State inner{.symbols = &body_symbols, .in_loop = true};
    if (node.c) for_test(node, state, function);
    expression_tree(*node.a, inner);
    node.scope = scope_of(body_symbols);
    statements(node.body, inner);

    Symbols else_symbols(state.symbols, function);
    Collector(else_symbols).visit_all(node.else_body);
    node.else_scope = scope_of(else_symbols);
    // The else part of an inner loop may break the outer one, but not across a recursive loop's function.
    statements(node.else_body, {.symbols = &else_symbols, .in_loop = state.in_loop && !node.recursive});
    expression_tree(*node.b, state);
    node.num_slots = function->num_slots;
  }

  /// The test has its own copy of the target, because it runs ahead of the body by one item.
  void for_test(Node& node, State state, Function* function) {
    Symbols symbols(state.symbols, function);
    Collector collector(symbols);
    collector.visit_target(*node.a);
    collector.visit(*node.c);
    const State inner{.symbols = &symbols};
    expression_tree(*node.c, inner);
    node.test_target = copy_target(*node.a);
    expression_tree(*node.test_target, inner);
    node.test_scope = scope_of(symbols);
  }

  static NodePtr copy_target(const Node& target) {
    auto out = std::make_unique<Node>(target.kind, target.position);
    out->name = target.name;
    out->context = target.context;
    for (const NodePtr& item : target.items) out->items.push_back(copy_target(*item));
    return out;
  }

  /// Macros, call blocks and generation blocks.
  void function_body(Node& node, State state) {
    Function function{.level = state.symbols->function->level + 1};
    Symbols symbols(state.symbols, &function);
    Collector collector(symbols);
    collector.visit_all(node.params);
    collector.visit_all(node.defaults);
    collector.visit_all(node.body);
    bool explicit_caller = false;
    bool caller_has_default = false;
    std::set<std::string> explicit_names;
    for (size_t i = 0; i < node.params.size(); ++i) {
      explicit_names.insert(node.params[i]->name);
      if (node.params[i]->name == "caller") {
        explicit_caller = true;
        caller_has_default = i + node.defaults.size() >= node.params.size();
      }
    }
    node.explicit_caller = explicit_caller;
    const auto undeclared = undeclared_in(node.body, {"caller", "kwargs", "varargs"});
    if (undeclared.contains("caller")) {
      if (explicit_caller && !caller_has_default) {
        fail_at(
            "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a "
            "default.",
            node.position);
      }
      if (!explicit_caller) node.caller_slot = symbols.parameter("caller").slot;
    }
    const auto special = [&](const char* name) {
      return undeclared.contains(name) && !explicit_names.contains(name) ? symbols.parameter(name).slot : -1;
    };
    node.kwargs_slot = special("kwargs");
    node.varargs_slot = special("varargs");
    const State inner{.symbols = &symbols};
    for (const NodePtr& param : node.params) expression_tree(*param, inner);
    for (const NodePtr& value : node.defaults) expression_tree(*value, inner);
    node.scope = scope_of(symbols);
    statements(node.body, inner);
    node.num_slots = function.num_slots;
  }

  /// A block sees the context and what the top level has set, none of the scopes around it.
  void block(Node& node, State state) {
    for (const Symbols* at = node.scoped ? state.symbols : nullptr; at != nullptr; at = at->parent) {
      for (const std::string& name : at->stores) {
        node.visible.emplace_back(name, reference(*state.symbols, *state.symbols->find(name)));
      }
    }
    Function function{};
    Symbols symbols(nullptr, &function);
    Collector(symbols).visit_all(node.body);
    node.scope = scope_of(symbols);
    statements(node.body, {.symbols = &symbols});
    node.num_slots = function.num_slots;
  }

  Program& program_;
  std::set<std::string> block_names_;
};

}  // namespace

void resolve(Program& program) { Resolver(program).run(); }

}  // namespace seraph::jinja
