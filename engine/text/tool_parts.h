// What the tool parsers have in common: finding markers in text that arrives in pieces, reading one call object, and
// reporting calls at the right time. Each part belongs to one parser; one thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/text/json_scanner.h"
#include "engine/text/text_delta.h"

namespace seraph {

/// Finds the first of some markers, holding back what may be the beginning of one.
class MarkerFinder {
 public:
  /// The markers must outlive the finder; none is the beginning of another.
  explicit MarkerFinder(std::vector<std::string_view> markers) : markers_(std::move(markers)) {}

  /// Appends to `text` what is certain to be text. The index of the marker that this byte completes, or -1.
  int feed(char byte, std::string& text);
  /// Reads `raw` as text in which no marker counts, except one that its end begins and later bytes complete.
  void restart(std::string_view raw, std::string& text);
  /// What is held back; the finder starts anew.
  std::string take_held() { return std::exchange(held_, {}); }
  bool is_holding() const { return !held_.empty(); }

 private:
  int match_held() const;  // -1: no marker begins so; the index of a complete one; markers_.size(): some marker begins

  const std::vector<std::string_view> markers_;
  std::string held_;
};

/// Reports content and calls. A block (what one pair of markers encloses) is open from its first call to end_block().
class CallWriter {
 public:
  explicit CallWriter(ParseTiming timing) : timing_(timing) {}

  /// Where deltas go until the next call of this function.
  void set_output(TextDeltas& out) { out_ = &out; }
  void content(std::string_view text) { append_delta(*out_, TextDelta::Kind::kContent, text); }
  void start_call(std::string_view name);
  /// More of the last started call's arguments.
  void arguments(std::string_view text);
  /// The open block is good: its calls stand.
  void accept_block();
  /// The open block is bad. True when its text is to become content; false when calls of it were reported already
  /// (kWritten), which stand.
  bool reject_block();

  ParseTiming timing() const { return timing_; }
  /// A call was reported: text outside of calls no longer is content.
  bool has_calls() const { return num_calls_ > 0; }

 private:
  const ParseTiming timing_;
  TextDeltas* out_ = nullptr;
  TextDeltas staged_;        // of the open block (kDecided)
  int32_t num_calls_ = 0;    // reported
  int32_t num_started_ = 0;  // reported and staged
  bool reported_ = false;    // the open block has reported calls (kWritten)
};

/// Reads {"name": ..., "arguments": {...}} byte by byte.
class CallObject {
 public:
  struct Rules {
    std::string_view first_key = "arguments";  // where the arguments are; wins over other_key
    std::string_view other_key = {};           // or here; "" for nowhere else
    bool arguments_optional = false;           // without either the call has none
  };
  enum class Step {
    kMore,
    kCall,   // the object has ended and is a call
    kOther,  // the object has ended and is no call
    kBad,    // no JSON
  };
  explicit CallObject(Rules rules) : rules_(rules) {}

  /// The next byte opens an object.
  void reset();
  /// Reads on; starts the call at `writer` and hands over its arguments as soon as the timing allows.
  Step feed(char byte, CallWriter& writer);

 private:
  enum class State { kOpen, kFirstKey, kKey, kKeyText, kColon, kBeforeValue, kValue, kNext };
  struct Arguments {
    bool present = false;
    bool is_object = false;
    std::string text;  // raw JSON
  };

  Step begin_key(char byte);
  bool end_key();
  Step feed_value(char byte, CallWriter& writer);
  Step end_value(CallWriter& writer);
  Step feed_next(char byte, CallWriter& writer);
  Step end_object(CallWriter& writer);
  void write_early(CallWriter& writer);
  std::optional<std::string> chosen_arguments() const;

  const Rules rules_;
  State state_ = State::kOpen;
  JsonScanner value_;
  std::string key_;       // raw, while it is read
  std::string name_raw_;  // raw JSON of the name
  std::optional<std::string> name_;
  std::array<Arguments, 2> arguments_;  // under first_key, under other_key
  int reading_ = -1;                    // what the value is: kName, an index of arguments_, or -1 for other members
  int writing_ = -1;                    // the index of arguments_ that is handed over as it is written
  size_t num_written_ = 0;              // bytes of it
  char last_byte_ = '\0';               // of the arguments
  bool no_call_ = false;                // what was read rules out a call
};

/// A JSON string's value; nothing when it is not a valid string.
std::optional<std::string> json_string_value(std::string_view raw);

}  // namespace seraph
