// deepseek_v3: calls between an outer pair of markers, each within an inner pair:
//   <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>type<｜tool▁sep｜>name
//   ```json
//   {...}
//   ```<｜tool▁call▁end｜> ... <｜tool▁calls▁end｜>
// A block is an inner pair. The outer markers vanish where they enclose a call; text behind them is content.
#include <string>

#include "engine/text/tool_formats.h"

namespace seraph {
namespace {

constexpr std::string_view kOuterBegin = "<｜tool▁calls▁begin｜>";
constexpr std::string_view kOuterEnd = "<｜tool▁calls▁end｜>";
constexpr std::string_view kInnerBegin = "<｜tool▁call▁begin｜>";
constexpr std::string_view kInnerEnd = "<｜tool▁call▁end｜>";
constexpr std::string_view kSeparator = "<｜tool▁sep｜>";
constexpr std::string_view kFenceBegin = "```json";
constexpr std::string_view kFenceEnd = "```";

class DeepseekParser final : public SteppedToolParser {
 public:
  explicit DeepseekParser(ParseTiming timing)
      : SteppedToolParser(timing),
        outer_({kOuterBegin}),
        inner_({kInnerBegin, kOuterEnd}),
        separator_({kSeparator}),
        bad_end_({kInnerEnd}) {}

 private:
  enum class State {
    kText,
    kOuter,            // between the outer markers, outside of blocks
    kType,             // until the separator
    kName,             // until the line ends
    kBeforeArguments,  // kFenceBegin, then white space
    kArguments,
    kAfterArguments,
    kBeforeEnd,
    kBad,  // until the inner end marker
  };

  void step(char byte) override {
    switch (state_) {
      case State::kText:
        read_text(byte);
        break;
      case State::kOuter:
        read_outer(byte);
        break;
      case State::kBad:
        read_bad(byte);
        break;
      default:
        block_.push_back(byte);
        if (!read_block(byte)) reject();
        break;
    }
  }

  void end() override {
    switch (state_) {
      case State::kText:
        writer_.content(outer_.take_held());
        break;
      case State::kOuter:
        writer_.content(block_);
        outside(inner_.take_held());
        break;
      case State::kAfterArguments:
      case State::kBeforeEnd:
        writer_.accept_block();  // only end markers are missing
        break;
      case State::kBad:
        if (bad_is_content_) writer_.content(bad_end_.take_held());
        break;
      default:
        if (writer_.reject_block()) writer_.content(block_);
        break;
    }
  }

  void read_text(char byte) {
    text_.clear();
    const bool found = outer_.feed(byte, text_) >= 0;
    writer_.content(text_);
    if (!found) return;
    block_ = kOuterBegin;  // kept until it is known whether it encloses a call
    state_ = State::kOuter;
  }

  void read_outer(char byte) {
    text_.clear();
    const int found = inner_.feed(byte, text_);
    if (block_.empty()) {
      outside(text_);
    } else if (text_.find_first_not_of(" \t\r\n") != std::string::npos) {
      // Somebody writes about the marker: no block follows it directly.
      writer_.content(block_ + text_ + inner_.take_held());
      block_.clear();
      state_ = State::kText;
      return;
    } else {
      block_ += text_;
    }
    if (found == 0) {
      block_ += kInnerBegin;
      name_.clear();
      state_ = State::kType;
    } else if (found == 1) {
      if (!block_.empty()) {
        writer_.content(block_ + std::string(kOuterEnd));
      } else {
        outside(kOuterEnd);
      }
      block_.clear();
      state_ = State::kText;
    }
  }

  /// False when the block is bad.
  bool read_block(char byte) {
    switch (state_) {
      case State::kType:
        text_.clear();
        if (separator_.feed(byte, text_) >= 0) state_ = State::kName;
        return text_.find('\n') == std::string::npos;
      case State::kName:
        if (byte != '\n') {
          name_.push_back(byte);
          return true;
        }
        while (!name_.empty() && is_json_space(name_.back())) name_.pop_back();
        expect(State::kBeforeArguments, kFenceBegin);
        return !name_.empty();
      case State::kBeforeArguments:
        return num_matched_ == kFenceBegin.size() ? begin_arguments(byte) : match(byte);
      case State::kArguments:
        return read_arguments(byte);
      case State::kAfterArguments:
        if (!match(byte)) return false;
        if (num_matched_ == kFenceEnd.size()) expect(State::kBeforeEnd, kInnerEnd);
        return true;
      case State::kBeforeEnd:
        if (!match(byte)) return false;
        if (num_matched_ == kInnerEnd.size()) accept();
        return true;
      default:
        return false;
    }
  }

  void expect(State state, std::string_view marker) {
    state_ = state;
    expected_ = marker;
    num_matched_ = 0;
  }

  bool match(char byte) {
    if (num_matched_ == 0 && is_json_space(byte)) return true;
    return byte == expected_[num_matched_++];
  }

  bool begin_arguments(char byte) {
    if (is_json_space(byte)) return true;
    if (byte != '{') return false;
    arguments_.reset();
    writer_.start_call(name_);
    state_ = State::kArguments;
    return read_arguments(byte);
  }

  bool read_arguments(char byte) {
    const JsonScanner::Step step = arguments_.feed(byte);
    if (step == JsonScanner::Step::kBad) return false;
    writer_.arguments(std::string_view(&byte, 1));
    if (step == JsonScanner::Step::kDone) expect(State::kAfterArguments, kFenceEnd);
    return true;
  }

  void accept() {
    writer_.accept_block();
    block_.clear();
    state_ = State::kOuter;
  }

  void reject() {
    bad_is_content_ = writer_.reject_block();
    separator_.take_held();
    text_.clear();
    bad_end_.restart(block_, text_);
    if (bad_is_content_) writer_.content(text_);
    block_.clear();
    state_ = State::kBad;
  }

  void read_bad(char byte) {
    text_.clear();
    const bool found = bad_end_.feed(byte, text_) >= 0;
    if (bad_is_content_) {
      writer_.content(text_);
      if (found) writer_.content(kInnerEnd);
    }
    if (found) state_ = State::kOuter;
  }

  MarkerFinder outer_;
  MarkerFinder inner_;
  MarkerFinder separator_;
  MarkerFinder bad_end_;
  JsonScanner arguments_;
  State state_ = State::kText;
  std::string block_;  // so far; begins with the outer marker where no block came before
  std::string name_;
  std::string text_;  // scratch
  std::string_view expected_;
  size_t num_matched_ = 0;
  bool bad_is_content_ = false;
};

}  // namespace

std::unique_ptr<ToolParser> make_deepseek_parser(ParseTiming timing) {
  return std::make_unique<DeepseekParser>(timing);
}

}  // namespace seraph
