// pythonic: the whole text is one list of calls with keyword arguments that are literals: [f(a=1), g(b=['x'])],
// perhaps between <|python_start|> and <|python_end|>. Whether it is one only its end can say, so calls come out then;
// text that cannot become such a list comes out at once.
#include <string>

#include "engine/text/python_literal.h"
#include "engine/text/tool_formats.h"

namespace seraph {
namespace {

constexpr std::string_view kStart = "<|python_start|>";
constexpr std::string_view kEnd = "<|python_end|>";

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class PythonicParser final : public ToolParser {
 public:
  void push(std::string_view text, TextDeltas& out) override {
    if (!is_content_) {
      for (const char byte : text) {
        if (!may_be_list(byte)) is_content_ = true;
      }
      text_ += text;
      if (!is_content_) return;
      append_delta(out, TextDelta::Kind::kContent, text_);
      text_.clear();
    } else {
      append_delta(out, TextDelta::Kind::kContent, text);
    }
  }

  void finish(TextDeltas& out) override {
    if (is_content_) return;
    std::string_view text = text_;
    python_skip_space(text);
    if (text.starts_with(kStart)) text.remove_prefix(kStart.size());
    const std::optional<std::vector<PythonCall>> calls = parse_python_calls(text);
    if (calls) {
      python_skip_space(text);
      if (text.starts_with(kEnd)) text.remove_prefix(kEnd.size());
      python_skip_space(text);
    }
    if (!calls || !text.empty()) {
      append_delta(out, TextDelta::Kind::kContent, text_);
      return;
    }
    int32_t index = 0;
    for (const PythonCall& call : *calls) {
      append_delta(out, TextDelta::Kind::kCallStart, call.name, index);
      append_delta(out, TextDelta::Kind::kArguments, call.arguments, index);
      ++index;
    }
  }

 private:
  enum class Lead { kBegin, kMarker, kList, kName, kOpen };

  /// Reads the text up to the first parenthesis; false when no list of calls begins so.
  bool may_be_list(char byte) {
    const bool space = is_json_space(byte);
    switch (lead_) {
      case Lead::kBegin:
        if (space) return true;
        lead_ = byte == '[' ? Lead::kList : Lead::kMarker;
        num_matched_ = 1;
        return byte == '[' || (byte == kStart[0] && !had_marker_);
      case Lead::kMarker:
        if (byte != kStart[num_matched_]) return false;
        if (++num_matched_ == kStart.size()) {
          lead_ = Lead::kBegin;
          had_marker_ = true;
        }
        return true;
      case Lead::kList:
        if (!space) lead_ = Lead::kName;
        return space || (is_name_byte(byte) && !(byte >= '0' && byte <= '9'));
      case Lead::kName:
        if (byte == '(') lead_ = Lead::kOpen;
        return byte == '(' || byte == '.' || space || is_name_byte(byte);
      case Lead::kOpen:
        break;
    }
    return true;
  }

  Lead lead_ = Lead::kBegin;
  size_t num_matched_ = 0;
  bool had_marker_ = false;
  bool is_content_ = false;
  std::string text_;
};

}  // namespace

std::unique_ptr<ToolParser> make_pythonic_parser() { return std::make_unique<PythonicParser>(); }

}  // namespace seraph
