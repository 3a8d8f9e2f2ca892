#include "engine/text/tool_parser.h"

#include "engine/text/tool_formats.h"

namespace seraph {
namespace {

constexpr MarkedJsonFormat kHermes{.start = "<tool_call>", .end = "</tool_call>", .rules = {}};
constexpr MarkedJsonFormat kInternlm{
    .start = "<|action_start|><|plugin|>",
    .end = "<|action_end|>",
    .rules = {.first_key = "parameters", .other_key = "arguments", .arguments_optional = true}};

/// The format that an alias stands for.
std::string_view canonical(std::string_view name) {
  if (name == "qwen3_json") return "hermes";
  if (name == "llama4_json") return "llama3_json";
  if (name == "qwen3_xml") return "qwen3_coder";
  if (name == "llama4_pythonic") return "pythonic";
  return name;
}

class NamedCallParser final : public ToolParser {
 public:
  explicit NamedCallParser(std::string name) : name_(std::move(name)) {}
  void push(std::string_view text, TextDeltas& out) override {
    if (text.empty()) return;
    if (!std::exchange(started_, true)) append_delta(out, TextDelta::Kind::kCallStart, name_, 0);
    append_delta(out, TextDelta::Kind::kArguments, text, 0);
  }
  void finish(TextDeltas&) override {}

 private:
  const std::string name_;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<ToolParser> make_named_call_parser(std::string name) {
  return std::make_unique<NamedCallParser>(std::move(name));
}

const std::vector<ToolFormat>& tool_formats() {
  // Hermes tags are ordinary tokens in most vocabularies and special ones in some: they are asked for in any case.
  static const std::vector<ToolFormat> kFormats = {
      {.name = "hermes", .what = "Hermes 2 and 3, Qwen2.5, Qwen3", .needs_special_tokens = true},
      {.name = "qwen3_json", .what = "another name of hermes", .needs_special_tokens = true},
      {.name = "llama3_json", .what = "Llama 3.1 to 3.3", .needs_special_tokens = true},
      {.name = "llama4_json", .what = "another name of llama3_json", .needs_special_tokens = true},
      {.name = "mistral",
       .what = "Mistral, both generations of its format",
       .needs_special_tokens = true,
       .short_call_ids = true},
      {.name = "internlm", .what = "InternLM2 and 2.5", .needs_special_tokens = true},
      {.name = "qwen3_coder", .what = "Qwen3-Coder", .needs_special_tokens = true},
      {.name = "qwen3_xml", .what = "another name of qwen3_coder", .needs_special_tokens = true},
      {.name = "pythonic", .what = "Llama 3.2 and 4 as lists of Python calls", .needs_special_tokens = true},
      {.name = "llama4_pythonic", .what = "another name of pythonic", .needs_special_tokens = true},
      {.name = "deepseek_v3", .what = "DeepSeek-V3 and R1", .needs_special_tokens = true},
  };
  return kFormats;
}

const ToolFormat* find_tool_format(std::string_view name) {
  for (const ToolFormat& format : tool_formats()) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

Result<std::unique_ptr<ToolParser>> make_tool_parser(std::string_view format, ParseTiming timing, const Json& tools) {
  if (find_tool_format(format) == nullptr) {
    std::string known;
    for (const ToolFormat& row : tool_formats()) known += (known.empty() ? "" : ", ") + std::string(row.name);
    return Error{ErrorCode::kInvalidArgument, "there is no tool-call parser \"" + std::string(format) + "\"",
                 "take one of " + known, "tool-call-parser"};
  }
  const std::string_view name = canonical(format);
  if (name == "hermes") return make_marked_json_parser(kHermes, timing);
  if (name == "internlm") return make_marked_json_parser(kInternlm, timing);
  if (name == "llama3_json") return make_llama_json_parser(timing);
  if (name == "mistral") return make_mistral_parser(timing);
  if (name == "qwen3_coder") return make_qwen_coder_parser(timing, tools);
  if (name == "pythonic") return make_pythonic_parser();
  return make_deepseek_parser(timing);
}

}  // namespace seraph
