#include "engine/text/jinja_interpreter.h"

#include <algorithm>

#include "engine/text/jinja_builtins.h"

namespace seraph::jinja {
namespace {

constexpr int32_t kDepthPerCall = 20;  // nested eval and exec calls that one level of TemplateLimits allows
constexpr int64_t kStepsBetweenChecks = 4096;
constexpr int64_t kHeapTimesOutput = 4;  // memory for values, as a multiple of the largest output

}  // namespace

Interpreter::Interpreter(const Program& program, const Json& context, const TemplateLimits& limits,
                         const TemplateClock& clock)
    : program_(program),
      context_(context),
      limits_(limits),
      clock_(clock),
      heap_(limits.output_bytes_max * kHeapTimesOutput),
      deadline_(now_us() + limits.time_max_ms * 1000) {}

Interpreter::DepthGuard::DepthGuard(Interpreter& in) : interpreter(in) {
  if (++interpreter.depth_ > interpreter.limits_.depth_max * kDepthPerCall) {
    --interpreter.depth_;
    fail("RecursionError: macros and expressions are nested too deep");
  }
}

void Interpreter::check_limits() {
  if (steps_ > limits_.steps_max) fail("the template takes more than " + std::to_string(limits_.steps_max) + " steps");
  if (now_us() > deadline_) fail("the template takes longer than " + std::to_string(limits_.time_max_ms) + " ms");
  steps_checked_ = std::min(steps_ + kStepsBetweenChecks, limits_.steps_max);
}

void Interpreter::check_text(int64_t bytes) const {
  if (bytes > limits_.output_bytes_max) {
    fail("the template makes a text of more than " + std::to_string(limits_.output_bytes_max) + " bytes");
  }
  heap_.check_room(bytes);
}

uint64_t Interpreter::next_random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

std::string Interpreter::run() {
  std::string out;
  out_ = &out;
  frame_ = Ref<Frame>(make_object<Frame>(&heap_, Ref<Frame>(), static_cast<size_t>(program_.num_slots)));
  enter(program_.scope);
  exec(program_.body);
  return out;
}

Frame& Interpreter::frame_at(int32_t hops) {
  Frame* frame = frame_.get();
  for (; hops > 0; --hops) frame = frame->parent.get();
  return *frame;
}

Value Interpreter::resolve(const std::string& name) {
  for (auto it = exported_.rbegin(); it != exported_.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  if (const Json* value = context_.find(name)) return make_json(heap_, *value);
  if (const BuiltinEntry* global = find_global(name)) {
    return Value(Type::kFunction, make_object<FunctionObject>(&heap_, global->name, global->call, Value()));
  }
  return {};
}

void Interpreter::enter(const Scope& scope) {
  auto& slots = frame_->slots;
  for (const SlotLoad& load : scope.loads) {
    switch (load.action) {
      case SlotLoad::Action::kParameter:
        break;
      case SlotLoad::Action::kResolve:
        slots[static_cast<size_t>(load.slot)] = resolve(load.name);
        break;
      case SlotLoad::Action::kAlias:
        slots[static_cast<size_t>(load.slot)] = slot({load.from_hops, load.from_slot});
        break;
      case SlotLoad::Action::kUndefined:
        slots[static_cast<size_t>(load.slot)] = Value();
        break;
    }
  }
}

void Interpreter::leave(const Scope& scope) {
  for (const SlotLoad& load : scope.loads) frame_->slots[static_cast<size_t>(load.slot)] = Value();
}

Interpreter::Flow Interpreter::exec(const Nodes& nodes) {
  for (const NodePtr& node : nodes) {
    if (const Flow flow = exec(*node); flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::exec(const Node& node) {
  const DepthGuard guard(*this);
  step();
  position_ = node.position;
  Flow flow = Flow::kNormal;
  switch (node.kind) {
    case Kind::kOutput:
      exec_output(node);
      break;
    case Kind::kIf:
      return exec_if(node);
    case Kind::kFor:
      return exec_for(node);
    case Kind::kSet:
      assign(*node.a, eval(*node.b));
      if (node.exported) export_target(*node.a);
      break;
    case Kind::kSetBlock:
      exec_set_block(node, flow);
      break;
    case Kind::kMacro:
      slot(node.ref) = make_macro(node);
      if (node.exported) exported_.emplace_back(node.name, slot(node.ref));
      break;
    case Kind::kCallBlock:
    case Kind::kGeneration:
      exec_call_block(node);
      break;
    case Kind::kFilterBlock:
      return exec_filter_block(node);
    case Kind::kWith:
      return exec_with(node);
    case Kind::kScope:
      return exec_autoescape(node);
    case Kind::kBlock:
      exec_block(node);
      break;
    case Kind::kBreak:
      return Flow::kBreak;
    case Kind::kContinue:
      return Flow::kContinue;
    case Kind::kUnloadable:
      eval(*node.a);
      fail("TypeError: no loader for this environment specified");
    default:
      break;
  }
  return flow;
}

void Interpreter::append_output(const Value& value) {
  if (autoescape_ && !is_markup(value)) {
    *out_ += escape_html(to_str(value));
  } else {
    append_str(*out_, value);
  }
  if (static_cast<int64_t>(out_->size()) > limits_.output_bytes_max) check_text(static_cast<int64_t>(out_->size()));
}

void Interpreter::exec_output(const Node& node) {
  for (const NodePtr& item : node.items) {
    if (item->kind == Kind::kData) {
      *out_ += item->text;
      if (static_cast<int64_t>(out_->size()) > limits_.output_bytes_max) check_text(static_cast<int64_t>(out_->size()));
    } else {
      append_output(eval(*item));
    }
  }
}

Interpreter::Flow Interpreter::exec_if(const Node& node) {
  if (test(*node.a)) return exec(node.body);
  for (const NodePtr& elif : node.elifs) {
    if (test(*elif->a)) return exec(elif->body);
  }
  return exec(node.else_body);
}

Interpreter::Flow Interpreter::exec_for(const Node& node) {
  Value iterable = eval(*node.b);
  position_ = node.position;
  if (!node.recursive) return run_loop(node, std::move(iterable), {}, 0);
  Args args;
  args.positional.push_back(std::move(iterable));
  auto* loop = make_object<LoopObject>(&heap_, make_list(heap_, {}));
  const Value start(Type::kLoop, loop);
  loop->recursive_node = &node;
  loop->outer = frame_;
  loop->depth0 = -1;
  append_output(call_recursive_loop(start, args));
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::run_loop(const Node& node, Value iterable, Ref<Frame> outer, int64_t depth0) {
  if (node.c) {
    // Jinja filters lazily: the condition sees what the body has changed meanwhile.
    auto source = std::make_shared<Iterator>(heap_, std::move(iterable));
    const auto next = [this, source, frame = frame_, &node](Value& out) {
      const Ref<Frame> saved = std::exchange(frame_, frame);
      bool found = false;
      while (!found && source->next(out)) {
        step();
        enter(node.test_scope);
        assign(*node.test_target, out);
        found = test(*node.c);
      }
      frame_ = saved;
      return found;
    };
    iterable = Value(Type::kGenerator, make_object<GeneratorObject>(&heap_, next, "generator"));
  }
  bool none_finished = true;
  const auto body = [&](const Value& item) {
    step();
    enter(node.scope);
    assign(*node.a, item);
    const Flow flow = exec(node.body);
    if (flow == Flow::kNormal) none_finished = false;
    return flow != Flow::kBreak;
  };
  Value item;
  if (node.loop_ref.slot >= 0) {
    auto* loop = make_object<LoopObject>(&heap_, std::move(iterable));
    const Value holder(Type::kLoop, loop);
    loop->depth0 = depth0;
    loop->recursive_node = node.recursive ? &node : nullptr;
    loop->outer = std::move(outer);
    while (loop->step(item)) {
      slot(node.loop_ref) = holder;
      if (!body(item)) break;
    }
    slot(node.loop_ref) = Value();
  } else {
    Iterator iterator(heap_, std::move(iterable));
    while (iterator.next(item) && body(item)) {
    }
  }
  leave(node.scope);
  // As in Jinja, `else` runs when no iteration reached its end, even if the first one broke off.
  if (!none_finished || node.else_body.empty()) return Flow::kNormal;
  enter(node.else_scope);
  const Flow flow = exec(node.else_body);
  leave(node.else_scope);
  return flow;
}

Value Interpreter::call_recursive_loop(const Value& value, Args& args) {
  const auto& loop = value.as<LoopObject>();
  if (loop.recursive_node == nullptr) {
    fail("TypeError: The loop must have the 'recursive' marker to be called recursively.");
  }
  if (args.positional.size() != 1 || !args.keyword.empty()) fail("TypeError: loop() takes one positional argument");
  if (++calls_ > limits_.depth_max) fail("RecursionError: loops are nested too deep");
  const Node& node = *loop.recursive_node;
  const Ref<Frame> outer = loop.outer;
  const int64_t depth0 = loop.depth0 + 1;
  std::string text;
  std::string* const saved_out = std::exchange(out_, &text);
  const Ref<Frame> saved_frame =
      std::exchange(frame_, Ref<Frame>(make_object<Frame>(&heap_, outer, static_cast<size_t>(node.num_slots))));
  run_loop(node, std::move(args.positional.front()), outer, depth0);
  frame_ = saved_frame;
  out_ = saved_out;
  --calls_;
  return str(std::move(text), autoescape_);
}

void Interpreter::exec_set_block(const Node& node, Flow& flow) {
  std::string text;
  std::string* const saved = std::exchange(out_, &text);
  enter(node.scope);
  flow = exec(node.body);
  out_ = saved;
  if (flow != Flow::kNormal) return;
  Value value = str(std::move(text), autoescape_);
  if (node.b) {
    value = eval_filter(*node.b, &value);
    if (autoescape_ && !is_markup(value)) value = str(to_str(value), true);
  }
  assign(*node.a, value);
  if (node.exported) export_target(*node.a);
  leave(node.scope);
}

Interpreter::Flow Interpreter::exec_filter_block(const Node& node) {
  std::string text;
  std::string* const saved = std::exchange(out_, &text);
  enter(node.scope);
  const Flow flow = exec(node.body);
  out_ = saved;
  if (flow != Flow::kNormal) return flow;
  const Value input = str(std::move(text), autoescape_);
  append_output(eval_filter(*node.a, &input));
  leave(node.scope);
  return flow;
}

Interpreter::Flow Interpreter::exec_with(const Node& node) {
  enter(node.scope);
  for (size_t i = 0; i < node.items.size(); ++i) assign(*node.items[i], eval(*node.values[i]));
  const Flow flow = exec(node.body);
  leave(node.scope);
  return flow;
}

Interpreter::Flow Interpreter::exec_autoescape(const Node& node) {
  enter(node.scope);
  const bool saved = std::exchange(autoescape_, test(*node.a));
  const Flow flow = exec(node.body);
  autoescape_ = saved;
  leave(node.scope);
  return flow;
}

void Interpreter::exec_call_block(const Node& node) {
  const Value caller = make_macro(node);
  if (node.kind == Kind::kCallBlock) {
    append_output(eval_call(*node.a, &caller));
    return;
  }
  Args args;
  append_output(call_macro(caller, args));
}

void Interpreter::exec_block(const Node& node) {
  const size_t num_exported = exported_.size();
  for (const auto& [name, ref] : node.visible) {
    if (!slot(ref).is_missing()) exported_.emplace_back(name, slot(ref));
  }
  const Ref<Frame> saved =
      std::exchange(frame_, Ref<Frame>(make_object<Frame>(&heap_, Ref<Frame>(), static_cast<size_t>(node.num_slots))));
  enter(node.scope);
  exec(node.body);
  frame_ = saved;
  exported_.resize(num_exported);
}

void Interpreter::export_target(const Node& target) {
  if (target.kind == Kind::kName) exported_.emplace_back(target.name, slot(target.ref));
  for (const NodePtr& item : target.items) export_target(*item);
}

void Interpreter::assign(const Node& target, const Value& value) {
  if (target.kind == Kind::kName) {
    slot(target.ref) = value;
    return;
  }
  if (target.kind == Kind::kNsRef) {
    const Value holder = slot(target.ref);
    if (!holder.is(Type::kNamespace)) fail("cannot assign attribute on non-namespace object");
    if (target.text.starts_with('_')) {
      throw TemplateError("Chat templates cannot store underscore-prefixed attributes on a namespace, but got " +
                          repr_str(target.text) + ". Please rename the attribute.");
    }
    holder.as<NamespaceObject>().dict->set(target.constant, value);
    return;
  }
  if (!is_iterable(value)) fail("TypeError: cannot unpack non-iterable " + type_name(value) + " object");
  Iterator iterator(heap_, value);
  std::vector<Value> parts;
  Value part;
  while (parts.size() <= target.items.size() && iterator.next(part)) parts.push_back(part);
  if (parts.size() > target.items.size()) {
    fail("ValueError: too many values to unpack (expected " + std::to_string(target.items.size()) + ")");
  }
  if (parts.size() < target.items.size()) {
    fail("ValueError: not enough values to unpack (expected " + std::to_string(target.items.size()) + ", got " +
         std::to_string(parts.size()) + ")");
  }
  for (size_t i = 0; i < parts.size(); ++i) assign(*target.items[i], parts[i]);
}

}  // namespace seraph::jinja
