// qwen3_coder: <tool_call> <function=name> <parameter=key> value </parameter> ... </function> </tool_call>
// The outer pair may be missing, and </function> before </tool_call>. A value is text; the tool's schema says what it
// means: strings stay text, which goes out as it is written, other types are read as JSON once they have ended and
// stay text where they are none.
#include <string>
#include <unordered_map>

#include "engine/text/tool_formats.h"

namespace seraph {
namespace {

constexpr std::string_view kCallBegin = "<tool_call>";
constexpr std::string_view kCallEnd = "</tool_call>";
constexpr std::string_view kFunctionBegin = "<function=";
constexpr std::string_view kFunctionEnd = "</function>";
constexpr std::string_view kParameterBegin = "<parameter=";
constexpr std::string_view kParameterEnd = "</parameter>";

enum class ValueKind { kString, kNullableString, kBoolean, kInteger, kJson };

struct TypeSet {
  bool text = false, null = false, boolean = false, integer = false, other = false;

  void add(std::string_view type) {
    if (type == "string") {
      text = true;
    } else if (type == "null") {
      null = true;
    } else if (type == "boolean") {
      boolean = true;
    } else if (type == "integer") {
      integer = true;
    } else {
      other = true;
    }
  }

  ValueKind kind() const {
    if (!text && !boolean && !integer && !other) return ValueKind::kString;
    if (text) return null ? ValueKind::kNullableString : ValueKind::kString;
    if (boolean) return ValueKind::kBoolean;
    return integer && !other ? ValueKind::kInteger : ValueKind::kJson;
  }
};

void add_types(const Json& schema, TypeSet& types, int depth) {
  if (const Json* type = schema.find("type")) {
    if (type->is_string()) types.add(type->as_string());
    if (!type->is_array()) return;
    for (const Json& each : type->as_array()) {
      if (each.is_string()) types.add(each.as_string());
    }
    return;
  }
  if (const Json* values = schema.find("enum"); values != nullptr && values->is_array()) {
    for (const Json& value : values->as_array()) {
      types.add(value.is_string() ? "string" : value.is_null() ? "null" : value.is_bool() ? "boolean" : "number");
    }
  }
  for (const char* name : {"anyOf", "oneOf"}) {
    const Json* branches = schema.find(name);
    if (branches == nullptr || !branches->is_array() || depth == 0) continue;
    for (const Json& branch : branches->as_array()) add_types(branch, types, depth - 1);
  }
}

using ParameterKinds = std::unordered_map<std::string, ValueKind>;

std::unordered_map<std::string, ParameterKinds> kinds_of(const Json& tools) {
  std::unordered_map<std::string, ParameterKinds> kinds;
  if (!tools.is_array()) return kinds;
  for (const Json& tool : tools.as_array()) {
    const Json* function = tool.find("function");
    if (function == nullptr) function = &tool;
    const Json* name = function->find("name");
    const Json* parameters = function->find("parameters");
    const Json* properties = parameters == nullptr ? nullptr : parameters->find("properties");
    if (name == nullptr || !name->is_string() || properties == nullptr || !properties->is_object()) continue;
    for (const auto& [key, schema] : properties->as_object()) {
      TypeSet types;
      add_types(schema, types, 4);
      kinds[name->as_string()][key] = types.kind();
    }
  }
  return kinds;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_json_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_json_space(text.back())) text.remove_suffix(1);
  return text;
}

/// The inside of a JSON string. Byte by byte: the text may be cut within a character.
std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += byte;
    } else if (static_cast<unsigned char>(byte) >= 0x20) {
      out += byte;
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else {
      constexpr char kHex[] = "0123456789abcdef";
      out += byte < 0x10 ? "\\u000" : "\\u001";
      out += kHex[byte & 15];
    }
  }
  return out;
}

/// A value that is no string, as JSON text.
std::string json_of(std::string_view value, ValueKind kind) {
  std::string text(trimmed(value));
  if (kind == ValueKind::kBoolean && (text == "True" || text == "TRUE")) return "true";
  if (kind == ValueKind::kBoolean && (text == "False" || text == "FALSE")) return "false";
  if (kind == ValueKind::kNullableString ? text == "null" : is_json_value(text)) {
    const size_t point = text.find('.');
    if (kind == ValueKind::kInteger && point != std::string::npos &&
        text.find_first_not_of('0', point + 1) == std::string::npos) {
      text.resize(point);  // 3.0 is the integer 3
    }
    return text;
  }
  std::string out;
  append_json_string(out, value);
  return out;
}

class QwenCoderParser final : public SteppedToolParser {
 public:
  QwenCoderParser(ParseTiming timing, const Json& tools)
      : SteppedToolParser(timing),
        kinds_(kinds_of(tools)),
        start_({kCallBegin, kFunctionBegin}),
        value_end_({kParameterEnd}),
        bad_call_end_({kCallEnd}),
        bad_function_end_({kFunctionEnd}) {}

 private:
  enum class State {
    kText,
    kInCall,  // after <tool_call>: a function must follow
    kFunctionName,
    kInFunction,  // between parameters
    kParameterName,
    kValue,
    kBad,  // until the block's end marker
  };

  void step(char byte) override {
    if (state_ == State::kText) {
      read_text(byte);
    } else if (state_ == State::kBad) {
      read_bad(byte);
    } else {
      block_.push_back(byte);
      if (!read_block(byte)) reject();
    }
  }

  void end() override {
    if (state_ == State::kText) {
      outside(start_.take_held());
    } else if (state_ == State::kBad) {
      if (bad_is_content_) writer_.content(bad_end().take_held());
    } else if (writer_.reject_block()) {
      writer_.content(block_);
    }
  }

  void read_text(char byte) {
    text_.clear();
    const int found = start_.feed(byte, text_);
    outside(text_);
    if (found < 0) return;
    is_wrapped_ = found == 0;
    block_ = is_wrapped_ ? kCallBegin : kFunctionBegin;
    tag_.clear();
    name_.clear();
    num_parameters_ = 0;
    state_ = is_wrapped_ ? State::kInCall : State::kFunctionName;
  }

  /// False when the block is bad.
  bool read_block(char byte) {
    switch (state_) {
      case State::kInCall:
      case State::kInFunction:
        return read_tag(byte);
      case State::kFunctionName:
      case State::kParameterName:
        if (byte == '\n' || byte == '<') return false;
        if (byte != '>') {
          name_.push_back(byte);
          return true;
        }
        return state_ == State::kFunctionName ? begin_function() : begin_parameter();
      case State::kValue:
        text_.clear();
        if (value_end_.feed(byte, text_) >= 0) {
          add_value(text_);
          end_value();
        } else {
          add_value(text_);
        }
        return true;
      case State::kText:
      case State::kBad:
        break;
    }
    return false;
  }

  bool read_tag(char byte) {
    if (tag_.empty() && is_json_space(byte)) return true;
    tag_.push_back(byte);
    if (state_ == State::kInCall) {
      if (tag_ == kFunctionBegin) begin_name(State::kFunctionName);
      return kFunctionBegin.starts_with(tag_);  // begin_name() empties the tag
    }
    if (tag_ == kParameterBegin) {
      begin_name(State::kParameterName);
      return true;
    }
    if (tag_ == kFunctionEnd || tag_ == kCallEnd) {
      end_function();
      return true;
    }
    return kParameterBegin.starts_with(tag_) || kFunctionEnd.starts_with(tag_) || kCallEnd.starts_with(tag_);
  }

  void begin_name(State state) {
    tag_.clear();
    name_.clear();
    state_ = state;
  }

  bool begin_function() {
    function_ = trimmed(name_);
    tag_.clear();
    state_ = State::kInFunction;
    return !function_.empty();
  }

  bool begin_parameter() {
    const std::string key(trimmed(name_));
    if (key.empty()) return false;
    if (num_parameters_ == 0) writer_.start_call(function_);
    std::string text = num_parameters_++ == 0 ? "{" : ", ";
    append_json_string(text, key);
    text += ": ";
    kind_ = ValueKind::kString;
    if (const auto function = kinds_.find(function_); function != kinds_.end()) {
      if (const auto found = function->second.find(key); found != function->second.end()) kind_ = found->second;
    }
    if (kind_ == ValueKind::kString) text += '"';
    writer_.arguments(text);
    value_.clear();
    at_value_start_ = true;
    newline_held_ = false;
    state_ = State::kValue;
    return true;
  }

  /// One line break at each end belongs to the markup, not to the value.
  void add_value(std::string_view text) {
    for (const char byte : text) {
      if (std::exchange(at_value_start_, false) && byte == '\n') continue;
      if (std::exchange(newline_held_, byte == '\n')) value_.push_back('\n');
      if (byte != '\n') value_.push_back(byte);
    }
    if (kind_ == ValueKind::kString) {
      writer_.arguments(json_escaped(value_));
      value_.clear();
    }
  }

  void end_value() {
    writer_.arguments(kind_ == ValueKind::kString ? "\"" : json_of(value_, kind_));
    tag_.clear();
    state_ = State::kInFunction;
  }

  void end_function() {
    if (num_parameters_ == 0) {
      writer_.start_call(function_);
      writer_.arguments("{}");
    } else {
      writer_.arguments("}");
    }
    writer_.accept_block();
    state_ = State::kText;
  }

  MarkerFinder& bad_end() { return is_wrapped_ ? bad_call_end_ : bad_function_end_; }

  void reject() {
    bad_is_content_ = writer_.reject_block();
    text_.clear();
    bad_end().restart(block_, text_);
    if (bad_is_content_) writer_.content(text_);
    state_ = State::kBad;
  }

  void read_bad(char byte) {
    text_.clear();
    const bool found = bad_end().feed(byte, text_) >= 0;
    if (bad_is_content_) {
      writer_.content(text_);
      if (found) writer_.content(is_wrapped_ ? kCallEnd : kFunctionEnd);
    }
    if (found) state_ = State::kText;
  }

  const std::unordered_map<std::string, ParameterKinds> kinds_;  // by function
  MarkerFinder start_;
  MarkerFinder value_end_;
  MarkerFinder bad_call_end_;
  MarkerFinder bad_function_end_;
  State state_ = State::kText;
  std::string block_;  // so far, marker included
  std::string tag_;    // the tag that is read
  std::string name_;   // in a tag
  std::string function_;
  std::string value_;
  std::string text_;  // scratch
  ValueKind kind_ = ValueKind::kString;
  size_t num_parameters_ = 0;
  bool is_wrapped_ = false;
  bool at_value_start_ = false;
  bool newline_held_ = false;
  bool bad_is_content_ = false;
};

}  // namespace

std::unique_ptr<ToolParser> make_qwen_coder_parser(ParseTiming timing, const Json& tools) {
  return std::make_unique<QwenCoderParser>(timing, tools);
}

}  // namespace seraph
