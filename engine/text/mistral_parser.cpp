// mistral, first generation:   [TOOL_CALLS] [{"name": ..., "arguments": {...}}, ...]       the list is one block
// mistral, tokenizer v11 on:   [TOOL_CALLS]name[CALL_ID]id[ARGS]{...}                      a block per call; the parts
//                              between name and arguments may be missing
#include <string>

#include "engine/text/tool_formats.h"

namespace seraph {
namespace {

constexpr std::string_view kStart = "[TOOL_CALLS]";
constexpr std::string_view kCallId = "[CALL_ID]";
constexpr std::string_view kArgs = "[ARGS]";

class MistralParser final : public SteppedToolParser {
 public:
  explicit MistralParser(ParseTiming timing) : SteppedToolParser(timing), start_({kStart}), call_({}) {}

 private:
  enum class State {
    kText,
    kBegin,      // after the marker: '[' opens a list, else a name begins
    kItem,       // of the list: an object must begin
    kObject,     // of the list
    kAfterItem,  // ',' or ']'
    kName,
    kMarker,  // between name and arguments: inside [CALL_ID] or [ARGS]
    kId,      // after [CALL_ID]
    kBeforeArguments,
    kArguments,
    kBad,  // until the next marker
  };

  void step(char byte) override {
    if (state_ == State::kText || state_ == State::kBad) {
      read_text(byte);
      return;
    }
    block_.push_back(byte);
    if (!read_block(byte)) {
      bad_is_content_ = writer_.reject_block();
      text_.clear();
      start_.restart(block_, text_);
      if (bad_is_content_) writer_.content(text_);
      state_ = State::kBad;
    }
  }

  void end() override {
    if (state_ == State::kText || state_ == State::kBad) {
      text(start_.take_held());
    } else if (writer_.reject_block()) {
      writer_.content(block_);
    }
  }

  void text(std::string_view text) {
    if (state_ == State::kText) {
      outside(text);
    } else if (bad_is_content_) {
      writer_.content(text);
    }
  }

  void read_text(char byte) {
    text_.clear();
    const bool found = start_.feed(byte, text_) >= 0;
    text(text_);
    if (!found) return;
    block_ = kStart;
    name_.clear();
    state_ = State::kBegin;
  }

  /// False when the block is bad.
  bool read_block(char byte) {
    const bool space = is_json_space(byte);
    switch (state_) {
      case State::kBegin:
        if (space) return true;
        state_ = byte == '[' ? State::kItem : State::kName;
        return byte == '[' || read_name(byte);
      case State::kItem:
        if (space) return true;
        call_.reset();
        state_ = State::kObject;
        return call_.feed(byte, writer_) == CallObject::Step::kMore;
      case State::kObject: {
        const CallObject::Step step = call_.feed(byte, writer_);
        if (step == CallObject::Step::kCall) state_ = State::kAfterItem;
        return step == CallObject::Step::kMore || step == CallObject::Step::kCall;
      }
      case State::kAfterItem:
        if (space) return true;
        if (byte == ']') return accept();
        state_ = State::kItem;
        return byte == ',';
      case State::kName:
        return read_name(byte);
      case State::kMarker:
        return read_marker(byte);
      case State::kId:
        return byte == '{' || byte == '[' ? read_name(byte) : true;
      case State::kBeforeArguments:
        return space || begin_arguments(byte);
      case State::kArguments:
        return read_arguments(byte);
      case State::kText:
      case State::kBad:
        break;
    }
    return false;
  }

  bool read_name(char byte) {
    if (byte == '[') {
      marker_ = byte;
      state_ = State::kMarker;
      return true;
    }
    if (byte == '{') return begin_arguments(byte);
    // A name has no white space in it; some may follow.
    if (!is_json_space(byte) && !name_.empty() && is_json_space(name_.back())) return false;
    name_.push_back(byte);
    return true;
  }

  bool read_marker(char byte) {
    marker_.push_back(byte);
    if (marker_ == kCallId) {
      state_ = State::kId;
    } else if (marker_ == kArgs) {
      state_ = State::kBeforeArguments;
    }
    return kCallId.starts_with(marker_) || kArgs.starts_with(marker_);
  }

  bool begin_arguments(char byte) {
    while (!name_.empty() && is_json_space(name_.back())) name_.pop_back();
    if (byte != '{' || name_.empty()) return false;
    arguments_.reset();
    writer_.start_call(name_);
    state_ = State::kArguments;
    return read_arguments(byte);
  }

  bool read_arguments(char byte) {
    const JsonScanner::Step step = arguments_.feed(byte);
    if (step == JsonScanner::Step::kBad) return false;
    writer_.arguments(std::string_view(&byte, 1));
    return step == JsonScanner::Step::kDone ? accept() : true;
  }

  bool accept() {
    writer_.accept_block();
    state_ = State::kText;
    return true;
  }

  MarkerFinder start_;
  CallObject call_;
  JsonScanner arguments_;
  State state_ = State::kText;
  std::string block_;  // so far, marker included
  std::string name_;
  std::string marker_;
  std::string text_;  // scratch
  bool bad_is_content_ = false;
};

}  // namespace

std::unique_ptr<ToolParser> make_mistral_parser(ParseTiming timing) { return std::make_unique<MistralParser>(timing); }

}  // namespace seraph
