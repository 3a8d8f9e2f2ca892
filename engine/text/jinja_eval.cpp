// Evaluation of expressions.
#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"

namespace seraph::jinja {

Value Interpreter::eval(const Node& node) {
  if (node.kind == Kind::kConst) return node.constant;
  if (node.kind == Kind::kName) return eval_name(node);
  const DepthGuard guard(*this);
  step();
  switch (node.kind) {
    case Kind::kTuple:
      return make_tuple(heap_, eval_items(node.items));
    case Kind::kList:
      return make_list(heap_, eval_items(node.items));
    case Kind::kDict:
      return eval_dict(node);
    case Kind::kCond:
      return eval_cond(node);
    case Kind::kOr: {
      Value left = eval(*node.a);
      return truthy(left) ? left : eval(*node.b);
    }
    case Kind::kAnd: {
      Value left = eval(*node.a);
      return truthy(left) ? eval(*node.b) : left;
    }
    case Kind::kNot:
      return !test(*node.a);
    case Kind::kCompare:
      return eval_compare(node);
    case Kind::kConcat:
      return eval_concat(node);
    case Kind::kNeg:
    case Kind::kPos: {
      const Value value = eval(*node.a);
      position_ = node.position;
      return negate(*this, value, node.kind == Kind::kNeg);
    }
    case Kind::kGetattr: {
      const Value object = eval(*node.a);
      position_ = node.position;
      return get_attr(object, node.constant);
    }
    case Kind::kGetitem:
      return eval_getitem(node);
    case Kind::kCall:
      return eval_call(node, nullptr);
    case Kind::kFilter:
      return eval_filter(node, nullptr);
    case Kind::kTest:
      return eval_test(node);
    default:
      return eval_binary(node);
  }
}

Value Interpreter::eval_name(const Node& node) {
  const Value& value = slot(node.ref);
  return value.is_missing() ? make_undefined_name(heap_, node.constant) : value;
}

Value Interpreter::eval_cond(const Node& node) {
  // a: the value, b: the condition, c: what else.
  if (test(*node.b)) return eval(*node.a);
  if (node.c) return eval(*node.c);
  return make_undefined(heap_, "the inline if-expression on line " + std::to_string(node.position.line) +
                                   " evaluated to false and no else section was defined.");
}

bool Interpreter::compare(CompareOp op, const Value& a, const Value& b) {
  switch (op) {
    case CompareOp::kEq:
      return equals(a, b);
    case CompareOp::kNe:
      return !equals(a, b);
    case CompareOp::kLt:
      return less(a, b, "<");
    case CompareOp::kLe:
      return less(a, b, "<=");
    case CompareOp::kGt:
      return less(a, b, ">");
    case CompareOp::kGe:
      return less(a, b, ">=");
    case CompareOp::kIn:
      return contains(heap_, b, a);
    case CompareOp::kNotIn:
      return !contains(heap_, b, a);
  }
  return false;
}

Value Interpreter::eval_compare(const Node& node) {
  Value left = eval(*node.a);
  for (size_t i = 0; i < node.ops.size(); ++i) {
    Value right = eval(*node.items[i]);
    position_ = node.position;
    if (!compare(node.ops[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

std::vector<Value> Interpreter::eval_items(const Nodes& nodes) {
  std::vector<Value> out;
  out.reserve(nodes.size());
  for (const NodePtr& node : nodes) out.push_back(eval(*node));
  return out;
}

Value Interpreter::eval_dict(const Node& node) {
  auto* dict = make_object<DictObject>(&heap_);
  Value out(Type::kDict, dict);
  for (size_t i = 0; i < node.items.size(); i += 2) {
    const Value key = eval(*node.items[i]);
    Value value = eval(*node.items[i + 1]);
    position_ = node.position;
    dict->set(key, std::move(value));
  }
  return out;
}

Value Interpreter::eval_concat(const Node& node) {
  std::vector<Value> parts = eval_items(node.items);
  bool markup = false;
  for (const Value& part : parts) markup = markup || (autoescape_ && is_markup(part));
  std::string out;
  for (const Value& part : parts) {
    if (markup && !is_markup(part)) {
      out += escape_html(to_str(part));
    } else {
      append_str(out, part);
    }
    check_text(static_cast<int64_t>(out.size()));
  }
  return str(std::move(out), markup);
}

namespace {

bool is_sliceable(const Value& value) {
  return value.is_str() || value.is_sequence_object() || value.is(Type::kRange) || value.is(Type::kBytes);
}

bool is_slice_bound(const Value& value) { return value.is_missing() || value.is_none() || value.is_integral(); }

}  // namespace

Value Interpreter::eval_getitem(const Node& node) {
  const Value object = eval(*node.a);
  if (node.b->kind != Kind::kSlice) {
    const Value key = eval(*node.b);
    position_ = node.position;
    return get_item(object, key);
  }
  Value parts[3];
  for (size_t i = 0; i < 3; ++i) {
    if (node.b->items[i]) parts[i] = eval(*node.b->items[i]);
  }
  position_ = node.position;
  if (object.is_undefined()) fail_undefined(object);
  const bool sliceable = is_sliceable(object);
  const bool bounds = is_slice_bound(parts[0]) && is_slice_bound(parts[1]) && is_slice_bound(parts[2]);
  const bool zero_step = parts[2].is(Type::kInt) && parts[2].as_int() == 0;
  if (node.lenient && !(sliceable && (bounds || zero_step))) {
    return make_undefined(heap_, type_name(object) + " object has no element slice(...)");
  }
  if (!sliceable) {
    if (object.is(Type::kDict)) fail("TypeError: unhashable type: 'slice'");
    fail("TypeError: '" + type_name(object) + "' object is not subscriptable");
  }
  return slice(*this, object, parts[0], parts[1], parts[2]);
}

void Interpreter::eval_args(const CallArgs& call, Args& out) {
  out.positional.reserve(call.args.size());
  for (const NodePtr& arg : call.args) out.positional.push_back(eval(*arg));
  for (const auto& [name, arg] : call.kwargs) out.keyword.emplace_back(name, eval(*arg));
  if (call.dyn_args) {
    for (Value& item : to_vector(heap_, eval(*call.dyn_args))) out.positional.push_back(std::move(item));
  }
  if (!call.dyn_kwargs) return;
  const Value extra = eval(*call.dyn_kwargs);
  if (!extra.is(Type::kDict)) fail("TypeError: argument after ** must be a mapping, not " + type_name(extra));
  for (const auto& [key, value] : extra.as<DictObject>().entries()) {
    if (!key.is_str()) fail("TypeError: keywords must be strings");
    for (const auto& [name, given] : out.keyword) {
      if (name == str_of(key)) fail("TypeError: got multiple values for keyword argument " + repr(key));
    }
    out.keyword.emplace_back(std::string(str_of(key)), value);
  }
}

Value Interpreter::eval_call(const Node& node, const Value* caller) {
  const Value callee = eval(*node.a);
  Args args;
  eval_args(node.call, args);
  if (caller != nullptr) args.keyword.emplace_back("caller", *caller);
  position_ = node.position;
  return call(callee, args);
}

Value Interpreter::call(const Value& callee, Args& args) {
  const DepthGuard guard(*this);
  step();
  switch (callee.type()) {
    case Type::kFunction: {
      const auto& function = callee.as<FunctionObject>();
      return function.call(*this, function.self, args);
    }
    case Type::kMacro:
      return call_macro(callee, args);
    case Type::kLoop:
      return call_recursive_loop(callee, args);
    case Type::kJoiner: {
      auto& joiner = callee.as<JoinerObject>();
      if (!args.positional.empty() || !args.keyword.empty()) fail("TypeError: a joiner takes no arguments");
      if (joiner.used) return joiner.separator;
      joiner.used = true;
      return str("");
    }
    case Type::kUndefined:
      fail_undefined(callee);
    default:
      fail("TypeError: '" + type_name(callee) + "' object is not callable");
  }
}

Value Interpreter::call_macro(const Value& callee, Args& args) {
  // Holds the macro: the variable it is called through may be assigned meanwhile.
  const Value holder = callee;
  const auto& macro = holder.as<MacroObject>();
  const Node& node = macro.node;
  if (++calls_ > limits_.depth_max)
    fail("RecursionError: macros are nested more than " + std::to_string(limits_.depth_max) + " deep");
  const Ref<Frame> inner(make_object<Frame>(&heap_, macro.outer, static_cast<size_t>(node.num_slots)));
  const Ref<Frame> saved = frame_;
  frame_ = inner;
  enter(node.scope);
  const auto take_keyword = [&](std::string_view name) {
    for (auto it = args.keyword.begin(); it != args.keyword.end(); ++it) {
      if (it->first != name) continue;
      Value value = std::move(it->second);
      args.keyword.erase(it);
      return value;
    }
    return Value();
  };
  const std::string quoted_name = node.name.empty() ? "None" : repr_str(node.name);
  const size_t num_given = std::min(args.positional.size(), node.params.size());
  for (size_t i = 0; i < node.params.size(); ++i) {
    slot(node.params[i]->ref) = i < num_given ? args.positional[i] : take_keyword(node.params[i]->name);
  }
  if (node.caller_slot >= 0) {
    Value caller = take_keyword("caller");
    if (caller.is_missing() || caller.is_none()) caller = make_undefined(heap_, "No caller defined");
    inner->slots[static_cast<size_t>(node.caller_slot)] = std::move(caller);
  }
  if (node.kwargs_slot >= 0) {
    auto* rest = make_object<DictObject>(&heap_);
    const Value rest_holder(Type::kDict, rest);
    for (auto& [name, value] : args.keyword) rest->set(str(name), std::move(value));
    inner->slots[static_cast<size_t>(node.kwargs_slot)] = rest_holder;
  } else if (!args.keyword.empty()) {
    fail("TypeError: macro " + quoted_name + " takes no keyword argument " + repr_str(args.keyword.front().first));
  }
  if (node.varargs_slot >= 0) {
    std::vector<Value> rest(args.positional.begin() + static_cast<std::ptrdiff_t>(num_given), args.positional.end());
    inner->slots[static_cast<size_t>(node.varargs_slot)] = make_tuple(heap_, std::move(rest));
  } else if (args.positional.size() > node.params.size()) {
    fail("TypeError: macro " + quoted_name + " takes not more than " + std::to_string(node.params.size()) +
         " argument(s)");
  }
  std::string text;
  std::string* const saved_out = std::exchange(out_, &text);
  for (size_t i = 0; i < node.params.size(); ++i) {
    Value& param = slot(node.params[i]->ref);
    if (!param.is_missing()) continue;
    if (i + node.defaults.size() >= node.params.size()) {
      Value value = eval(*node.defaults[i + node.defaults.size() - node.params.size()]);
      slot(node.params[i]->ref) = std::move(value);
    } else {
      param = make_undefined(heap_, "parameter " + repr_str(node.params[i]->name) + " was not provided");
    }
  }
  exec(node.body);
  out_ = saved_out;
  frame_ = saved;
  --calls_;
  return str(std::move(text), autoescape_);
}

Value Interpreter::eval_filter(const Node& node, const Value* input) {
  // In a filter block the innermost filter has no operand of its own; it gets the block's text.
  Value value;
  if (node.a && input != nullptr) {
    value = eval_filter(*node.a, input);
  } else {
    value = node.a ? eval(*node.a) : *input;
  }
  Args args;
  eval_args(node.call, args);
  position_ = node.position;
  if (node.builtin == nullptr) fail("No filter named " + repr_str(node.name) + ".");
  return node.builtin(*this, value, args);
}

bool Interpreter::eval_test(const Node& node) {
  const Value value = eval(*node.a);
  Args args;
  eval_args(node.call, args);
  position_ = node.position;
  if (node.builtin == nullptr) fail("No test named " + repr_str(node.name) + ".");
  return truthy(node.builtin(*this, value, args));
}

Value Interpreter::call_filter(const Value& name, const Value& value, Args& args) {
  step();
  const Builtin filter = name.is_str() ? find_filter(str_of(name)) : nullptr;
  if (filter == nullptr) fail("No filter named " + repr(name) + ".");
  return filter(*this, value, args);
}

bool Interpreter::call_test(const Value& name, const Value& value, Args& args) {
  step();
  const Builtin check = name.is_str() ? find_test(str_of(name)) : nullptr;
  if (check == nullptr) fail("No test named " + repr(name) + ".");
  return truthy(check(*this, value, args));
}

Value Interpreter::eval_binary(const Node& node) {
  const Value left = eval(*node.a);
  const Value right = eval(*node.b);
  position_ = node.position;
  switch (node.kind) {
    case Kind::kAdd:
      return add(*this, left, right);
    case Kind::kSub:
      return binary_operator(*this, '-', left, right);
    case Kind::kMul:
      return binary_operator(*this, '*', left, right);
    case Kind::kDiv:
      return binary_operator(*this, '/', left, right);
    case Kind::kFloorDiv:
      return binary_operator(*this, 'f', left, right);
    case Kind::kMod:
      return binary_operator(*this, '%', left, right);
    default:
      return binary_operator(*this, 'p', left, right);
  }
}

std::string macro_repr(const MacroObject& macro) {
  return macro.node.name.empty() ? "<Macro anonymous>" : "<Macro " + repr_str(macro.node.name) + ">";
}

Value macro_attr(Interpreter& in, const MacroObject& macro, std::string_view name) {
  const Node& node = macro.node;
  if (name == "name") return node.name.empty() ? Value::none() : node.constant;
  if (name == "arguments") {
    std::vector<Value> names;
    for (const NodePtr& param : node.params) names.push_back(in.str(param->name));
    return make_tuple(in.heap(), std::move(names));
  }
  if (name == "catch_kwargs") return node.kwargs_slot >= 0;
  if (name == "catch_varargs") return node.varargs_slot >= 0;
  if (name == "caller") return node.caller_slot >= 0 || node.explicit_caller;
  if (name == "explicit_caller") return node.explicit_caller;
  return {};
}

}  // namespace seraph::jinja
