// Runs a compiled template once. Owns the render's heap, enforces its limits, and gives filters and methods what
// they need: attribute access under the sandbox's rules, calls, the clock. One thread; throws TemplateError.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/text/chat_template.h"
#include "engine/text/jinja_ast.h"

namespace seraph::jinja {

class Interpreter {
 public:
  Interpreter(const Program& program, const Json& context, const TemplateLimits& limits, const TemplateClock& clock);

  std::string run();
  /// Where an error without a position of its own happened.
  Position position() const { return position_; }

  Heap& heap() { return heap_; }
  const TemplateClock& clock() const { return clock_; }
  bool autoescape() const { return autoescape_; }
  /// Counts work; fails at the limits of steps and time. Loops inside builtins call it too.
  void step() {
    if (++steps_ > steps_checked_) check_limits();
  }
  void count_steps(int64_t steps) {
    steps_ += steps;
    if (steps_ > steps_checked_) check_limits();
  }
  /// Fails when a text of this many bytes may not be made.
  void check_text(int64_t bytes) const;

  Value str(std::string text, bool markup = false) { return make_str(heap_, std::move(text), markup); }
  Value list(std::vector<Value> items) { return make_list(heap_, std::move(items)); }
  /// obj.name and obj[key], as the sandbox answers them: undefined when there is nothing.
  Value get_attr(const Value& object, const Value& name);
  Value get_item(const Value& object, const Value& key);
  Value call(const Value& callee, Args& args);
  Value call_filter(const Value& name, const Value& value, Args& args);
  bool call_test(const Value& name, const Value& value, Args& args);
  /// A different number each time, the same sequence in each render.
  uint64_t next_random();

 private:
  enum class Flow : uint8_t { kNormal, kBreak, kContinue };
  struct DepthGuard {
    explicit DepthGuard(Interpreter& in);
    ~DepthGuard() { --interpreter.depth_; }
    Interpreter& interpreter;
  };

  void check_limits();
  // Attributes (jinja_attributes.cpp).
  bool find_attr(const Value& object, std::string_view name, Value& out);
  bool find_item(const Value& object, const Value& key, Value& out);
  Value loop_attr(const Value& loop, std::string_view name);

  // Expressions (jinja_eval.cpp).
  Value eval(const Node& node);
  Value eval_name(const Node& node);
  Value eval_cond(const Node& node);
  Value eval_compare(const Node& node);
  bool compare(CompareOp op, const Value& a, const Value& b);
  Value eval_dict(const Node& node);
  std::vector<Value> eval_items(const Nodes& nodes);
  Value eval_concat(const Node& node);
  Value eval_getitem(const Node& node);
  Value eval_call(const Node& node, const Value* caller);
  Value eval_filter(const Node& node, const Value* input);
  bool eval_test(const Node& node);
  Value eval_binary(const Node& node);
  void eval_args(const CallArgs& call, Args& out);
  bool test(const Node& node) { return truthy(eval(node)); }

  // Statements (jinja_interpreter.cpp).
  Flow exec(const Nodes& nodes);
  Flow exec(const Node& node);
  void exec_output(const Node& node);
  void append_output(const Value& value);
  Flow exec_if(const Node& node);
  Flow exec_for(const Node& node);
  Flow run_loop(const Node& node, Value iterable, Ref<Frame> outer, int64_t depth0);
  void exec_set_block(const Node& node, Flow& flow);
  Flow exec_filter_block(const Node& node);
  Flow exec_with(const Node& node);
  Flow exec_autoescape(const Node& node);
  void exec_call_block(const Node& node);
  void exec_block(const Node& node);
  void assign(const Node& target, const Value& value);
  void export_target(const Node& target);
  void enter(const Scope& scope);
  void leave(const Scope& scope);
  Value resolve(const std::string& name);
  Frame& frame_at(int32_t hops);
  Value& slot(SlotRef ref) { return frame_at(ref.hops).slots[static_cast<size_t>(ref.slot)]; }
  Value make_macro(const Node& node) { return Value(Type::kMacro, make_object<MacroObject>(&heap_, node, frame_)); }
  Value call_macro(const Value& macro, Args& args);
  Value call_recursive_loop(const Value& loop, Args& args);

  const Program& program_;
  const Json& context_;
  const TemplateLimits& limits_;
  const TemplateClock& clock_;
  Heap heap_;
  Ref<Frame> frame_;
  std::string* out_ = nullptr;
  std::vector<std::pair<std::string, Value>> exported_;  // top-level assignments, for blocks; later ones win
  bool autoescape_ = false;
  Position position_;
  int64_t steps_ = 0;
  int64_t steps_checked_ = 0;  // up to here steps() need not look at the clock
  int32_t depth_ = 0;          // nested eval and exec calls
  int32_t calls_ = 0;          // nested macros and recursive loops
  uint64_t random_ = 0x9E3779B97F4A7C15ULL;
  MonotonicUs deadline_ = 0;
};

/// <Macro 'name'>
std::string macro_repr(const MacroObject& macro);
/// A macro's name and the names of its arguments.
Value macro_attr(Interpreter& in, const MacroObject& macro, std::string_view name);

}  // namespace seraph::jinja
