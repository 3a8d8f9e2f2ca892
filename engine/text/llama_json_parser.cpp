// llama3_json: {"name": ..., "parameters": {...}} anywhere, several behind each other with anything between them,
// perhaps with <|python_tag|> or the bracket of a list in front. Any object may turn out to be a call, so an answer
// that is JSON is held back object by object.
#include <string>

#include "engine/text/tool_formats.h"

namespace seraph {
namespace {

constexpr CallObject::Rules kRules{.first_key = "arguments", .other_key = "parameters"};
constexpr std::string_view kPythonTag = "<|python_tag|>";
constexpr int kBraceMarker = 0;  // of the finder, in the order of its list
constexpr int kBracketMarker = 1;

class LlamaJsonParser final : public SteppedToolParser {
 public:
  explicit LlamaJsonParser(ParseTiming timing)
      : SteppedToolParser(timing), start_({"{", "[", kPythonTag}), call_(kRules) {}

 private:
  enum class State {
    kText,
    kLead,  // after a tag or bracket, which goes with the object that may follow
    kObject,
  };

  void step(char byte) override {
    switch (state_) {
      case State::kText:
        read_text(byte);
        break;
      case State::kLead:
        read_lead(byte);
        break;
      case State::kObject:
        read_object(byte);
        break;
    }
  }

  void end() override {
    if (state_ == State::kText) {
      text(start_.take_held());
    } else if (state_ == State::kLead) {
      text(block_);
    } else if (writer_.reject_block()) {
      writer_.content(block_);
    }
  }

  /// Text that begins no object: a bad object's rest is content like the object itself.
  void text(std::string_view text) {
    if (bad_tail_) {
      writer_.content(text);
    } else {
      outside(text);
    }
  }

  void read_text(char byte) {
    text_.clear();
    const int found = start_.feed(byte, text_);
    text(text_);
    if (found < 0) return;
    block_ = found == kBraceMarker ? "{" : found == kBracketMarker ? "[" : kPythonTag;
    lead_has_bracket_ = found == kBracketMarker;
    state_ = State::kLead;
    if (found == kBraceMarker) begin_object();
  }

  void read_lead(char byte) {
    if (byte == '{') {
      block_.push_back(byte);
      begin_object();
    } else if (is_json_space(byte) || (byte == '[' && !lead_has_bracket_)) {
      block_.push_back(byte);
      lead_has_bracket_ = lead_has_bracket_ || byte == '[';
    } else {
      text(block_);
      state_ = State::kText;
      step(byte);
    }
  }

  void begin_object() {
    bad_tail_ = false;
    call_.reset();
    call_.feed('{', writer_);
    state_ = State::kObject;
  }

  void read_object(char byte) {
    switch (call_.feed(byte, writer_)) {
      case CallObject::Step::kMore:
        block_.push_back(byte);
        break;
      case CallObject::Step::kCall:
        writer_.accept_block();
        state_ = State::kText;
        break;
      case CallObject::Step::kOther:
        block_.push_back(byte);
        if (writer_.reject_block()) writer_.content(block_);
        state_ = State::kText;
        break;
      case CallObject::Step::kBad:
        bad_tail_ = writer_.reject_block();
        if (bad_tail_) writer_.content(block_);
        state_ = State::kText;
        step(byte);  // this byte may begin the next object
        break;
    }
  }

  MarkerFinder start_;
  CallObject call_;
  State state_ = State::kText;
  std::string block_;  // lead and object so far
  std::string text_;   // scratch
  bool lead_has_bracket_ = false;
  bool bad_tail_ = false;  // after a bad object
};

}  // namespace

std::unique_ptr<ToolParser> make_llama_json_parser(ParseTiming timing) {
  return std::make_unique<LlamaJsonParser>(timing);
}

}  // namespace seraph
