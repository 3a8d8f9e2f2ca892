// The answer of /v1/messages: content blocks (thinking, text, calls) as one message or as a sequence of events.
#include <utility>

#include "daemon/api/anthropic.h"
#include "daemon/api/item_format.h"
#include "daemon/api/models.h"

namespace seraph {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// A call's arguments as the object that a block shows; what broke off and is no object becomes an empty one.
std::string arguments_object(const std::string& text) {
  const auto parsed = Json::parse(text);
  return parsed.ok() && parsed->is_object() ? text : "{}";
}

std::string usage_json(const Usage& usage) {
  const int64_t cached = usage.cached_tokens.value_or(0);
  std::string out = "{\"input_tokens\":" + std::to_string(usage.prompt_tokens - cached) +
                    ",\"output_tokens\":" + std::to_string(usage.completion_tokens);
  if (usage.cached_tokens) {
    out += ",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":" + std::to_string(cached);
  }
  return out + '}';
}

class AnthropicFormat : public ItemFormat {
 public:
  explicit AnthropicFormat(AnswerFacts facts) : ItemFormat(std::move(facts)) {}

  void begin_stream(std::string& out, const Usage& usage) override {
    write_event(out, "message_start",
                ",\"message\":" + message_head() + R"(,"content":[],"stop_reason":null,"stop_sequence":null,"usage":)" +
                    usage_json(usage) + '}');
  }

  void fail_stream(std::string& out, const ApiError& error) override {
    out += "event: error\ndata: " + anthropic_error_json(error) + "\n\n";
  }

 private:
  void write_open(std::string& out, AnswerItem& item) override {
    // Nobody checks it; clients hand it back as they got it.
    if (item.kind == AnswerItem::Kind::kThinking) item.id = hex16(facts_.random()) + hex16(facts_.random());
    write_event(out, "content_block_start", place() + ",\"content_block\":" + block_json(item, true));
  }

  void write_text(std::string& out, std::string_view text, std::string_view) override {
    const char* head = "";
    switch (items_.back().kind) {
      case AnswerItem::Kind::kThinking:
        head = R"({"type":"thinking_delta","thinking":)";
        break;
      case AnswerItem::Kind::kText:
        head = R"({"type":"text_delta","text":)";
        break;
      case AnswerItem::Kind::kCall:
        head = R"({"type":"input_json_delta","partial_json":)";
        break;
    }
    write_event(out, "content_block_delta", place() + ",\"delta\":" + head + json_text(text) + '}');
  }

  void write_close(std::string& out, const AnswerItem& item) override {
    if (item.kind == AnswerItem::Kind::kThinking) {
      write_event(out, "content_block_delta",
                  place() + R"(,"delta":{"type":"signature_delta","signature":)" + json_text(item.id) + '}');
    }
    write_event(out, "content_block_stop", place());
  }

  void write_end(std::string& out, const Usage& usage) override {
    write_event(out, "message_delta", ",\"delta\":{" + stop_members() + "},\"usage\":" + usage_json(usage));
    write_event(out, "message_stop", "");
  }

  std::string whole(const Usage& usage) override {
    std::string out = message_head() + ",\"content\":[";
    for (size_t i = 0; i < items_.size(); ++i) out += (i == 0 ? "" : ",") + block_json(items_[i], false);
    return out + "]," + stop_members() + ",\"usage\":" + usage_json(usage) + '}';
  }

  /// `members` begin with a comma.
  static void write_event(std::string& out, std::string_view type, std::string_view members) {
    out += "event: ";
    out += type;
    out += "\ndata: {\"type\":\"";
    out += type;
    out += '"';
    out += members;
    out += "}\n\n";
  }

  std::string place() const { return ",\"index\":" + std::to_string(index()); }

  std::string message_head() const {
    return "{\"id\":" + json_text(facts_.id) + R"(,"type":"message","role":"assistant","model":)" +
           json_text(facts_.model);
  }

  /// `empty`: as a stream opens it.
  static std::string block_json(const AnswerItem& item, bool empty) {
    const std::string text = json_text(empty ? std::string_view() : std::string_view(item.text));
    switch (item.kind) {
      case AnswerItem::Kind::kThinking:
        return "{\"type\":\"thinking\",\"thinking\":" + text +
               ",\"signature\":" + (empty ? "\"\"" : json_text(item.id)) + '}';
      case AnswerItem::Kind::kText:
        return "{\"type\":\"text\",\"text\":" + text + '}';
      case AnswerItem::Kind::kCall:
        return "{\"type\":\"tool_use\",\"id\":" + json_text(item.call_id) + ",\"name\":" + json_text(item.name) +
               ",\"input\":" + (empty ? "{}" : arguments_object(item.text)) + '}';
    }
    return {};
  }

  std::string stop_members() const {
    const bool by_text = !stop_reason_.empty() && stop_reason_.front() == '"';
    const char* reason = cut_ ? "max_tokens" : has_calls() ? "tool_use" : by_text ? "stop_sequence" : "end_turn";
    return std::string("\"stop_reason\":\"") + reason +
           "\",\"stop_sequence\":" + (by_text && !cut_ && !has_calls() ? stop_reason_ : "null");
  }
};

}  // namespace

std::unique_ptr<AnswerFormat> make_anthropic_format(AnswerFacts facts) {
  return std::make_unique<AnthropicFormat>(std::move(facts));
}

}  // namespace seraph
