// hermes: <tool_call> {"name": ..., "arguments": {...}} </tool_call>
// internlm: <|action_start|><|plugin|> {"name": ..., "parameters": {...}} <|action_end|>
#include <string>

#include "engine/text/tool_formats.h"

namespace seraph {
namespace {

class MarkedJsonParser final : public SteppedToolParser {
 public:
  MarkedJsonParser(const MarkedJsonFormat& format, ParseTiming timing)
      : SteppedToolParser(timing), format_(format), start_({format.start}), end_({format.end}), call_(format.rules) {}

 private:
  enum class State {
    kText,
    kBeforeObject,  // after the start marker
    kObject,
    kAfterObject,  // white space or end_matched_ bytes of the end marker
    kBad,          // until the end marker
  };

  void step(char byte) override {
    switch (state_) {
      case State::kText:
        read_text(byte);
        break;
      case State::kBeforeObject:
      case State::kObject:
        read_object(byte);
        break;
      case State::kAfterObject:
        read_end(byte);
        break;
      case State::kBad:
        read_bad(byte);
        break;
    }
  }

  void end() override {
    switch (state_) {
      case State::kText:
        outside(start_.take_held());
        break;
      case State::kBeforeObject:
      case State::kObject:
        if (writer_.reject_block()) writer_.content(block_);
        break;
      case State::kAfterObject:
        writer_.accept_block();
        break;
      case State::kBad:
        if (bad_is_content_) writer_.content(end_.take_held());
        break;
    }
  }

  void read_text(char byte) {
    text_.clear();
    const bool found = start_.feed(byte, text_) >= 0;
    outside(text_);
    if (!found) return;
    block_ = format_.start;
    call_.reset();
    state_ = State::kBeforeObject;
  }

  void read_object(char byte) {
    block_.push_back(byte);
    if (state_ == State::kBeforeObject && is_json_space(byte)) return;
    state_ = State::kObject;
    switch (call_.feed(byte, writer_)) {
      case CallObject::Step::kMore:
        break;
      case CallObject::Step::kCall:
        state_ = State::kAfterObject;
        end_matched_ = 0;
        break;
      case CallObject::Step::kOther:
      case CallObject::Step::kBad:
        reject();
        break;
    }
  }

  void read_end(char byte) {
    block_.push_back(byte);
    if (end_matched_ == 0 && is_json_space(byte)) return;
    if (byte != format_.end[end_matched_]) {
      reject();
    } else if (++end_matched_ == format_.end.size()) {
      writer_.accept_block();
      state_ = State::kText;
    }
  }

  void read_bad(char byte) {
    text_.clear();
    const bool found = end_.feed(byte, text_) >= 0;
    if (bad_is_content_) {
      writer_.content(text_);
      if (found) writer_.content(format_.end);
    }
    if (found) state_ = State::kText;
  }

  void reject() {
    bad_is_content_ = writer_.reject_block();
    text_.clear();
    end_.restart(block_, text_);
    if (bad_is_content_) writer_.content(text_);
    state_ = State::kBad;
  }

  const MarkedJsonFormat format_;
  MarkerFinder start_;
  MarkerFinder end_;
  CallObject call_;
  State state_ = State::kText;
  std::string block_;  // the block's text so far, start marker included
  std::string text_;   // scratch
  size_t end_matched_ = 0;
  bool bad_is_content_ = false;
};

}  // namespace

std::unique_ptr<ToolParser> make_marked_json_parser(const MarkedJsonFormat& format, ParseTiming timing) {
  return std::make_unique<MarkedJsonParser>(format, timing);
}

}  // namespace seraph
