// The answer of /v1/responses: output items (thinking, a message, calls) as one object or as a sequence of events.
#include <utility>

#include "daemon/api/fields.h"
#include "daemon/api/item_format.h"
#include "daemon/api/models.h"
#include "daemon/api/openai_format.h"
#include "daemon/api/response_store.h"
#include "daemon/api/responses.h"
#include "engine/base/clock.h"

namespace seraph {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string text_part(std::string_view text, std::string_view logprobs) {
  return R"({"annotations":[],"text":)" + json_text(text) + R"(,"type":"output_text","logprobs":[)" +
         std::string(logprobs) + "]}";
}

std::string reasoning_part(std::string_view text) {
  return R"({"text":)" + json_text(text) + R"(,"type":"reasoning_text"})";
}

std::string item_json(const AnswerItem& item, bool done) {
  const std::string status = done ? "\"completed\"" : "\"in_progress\"";
  const std::string id = "{\"id\":" + json_text(item.id);
  switch (item.kind) {
    case AnswerItem::Kind::kThinking:
      return id + R"(,"summary":[],"type":"reasoning","content":)" +
             (done ? '[' + reasoning_part(item.text) + ']' : "null") + R"(,"encrypted_content":null,"status":)" +
             (done ? "null" : status) + '}';
    case AnswerItem::Kind::kText:
      return id + ",\"content\":[" + (done ? text_part(item.text, item.logprobs) : std::string()) +
             R"(],"role":"assistant","status":)" + status + R"(,"type":"message","phase":null})";
    case AnswerItem::Kind::kCall:
      return "{\"arguments\":" + json_text(item.text) + ",\"call_id\":" + json_text(item.call_id) +
             ",\"name\":" + json_text(item.name) + R"(,"type":"function_call","id":)" + json_text(item.id) +
             ",\"status\":" + status + '}';
  }
  return {};
}

std::string part_json(const AnswerItem& item) {
  return item.kind == AnswerItem::Kind::kThinking ? reasoning_part(item.text) : text_part(item.text, item.logprobs);
}

class ResponsesFormat : public ItemFormat {
 public:
  explicit ResponsesFormat(AnswerFacts facts) : ItemFormat(std::move(facts)), request_(*facts_.request->responses) {}

  void begin_stream(std::string& out, const Usage&) override {
    const std::string response = ",\"response\":" + response_json("in_progress", nullptr);
    write_event(out, "response.created", response);
    write_event(out, "response.in_progress", response);
  }

  std::string pending(const char* status) override { return response_json(status, nullptr); }

  void fail_stream(std::string& out, const ApiError& error) override {
    failure_ = R"({"code":"server_error","message":)" + json_text(error.message) + '}';
    write_event(out, "response.failed", ",\"response\":" + response_json("failed", nullptr));
  }

 private:
  void write_open(std::string& out, AnswerItem& item) override {
    const bool calls = item.kind == AnswerItem::Kind::kCall;
    item.id = (calls ? "fc_" : item.kind == AnswerItem::Kind::kThinking ? "rs_" : "msg_") + hex16(facts_.random());
    write_event(out, "response.output_item.added",
                ",\"output_index\":" + std::to_string(index()) + ",\"item\":" + item_json(item, false));
    if (!calls) write_event(out, "response.content_part.added", part_place() + ",\"part\":" + part_json(item));
  }

  void write_text(std::string& out, std::string_view text, std::string_view logprobs) override {
    switch (items_.back().kind) {
      case AnswerItem::Kind::kThinking:
        return write_event(out, "response.reasoning_text.delta", part_place() + ",\"delta\":" + json_text(text));
      case AnswerItem::Kind::kText:
        return write_event(
            out, "response.output_text.delta",
            part_place() + ",\"delta\":" + json_text(text) + ",\"logprobs\":[" + std::string(logprobs) + ']');
      case AnswerItem::Kind::kCall:
        return write_event(out, "response.function_call_arguments.delta", place() + ",\"delta\":" + json_text(text));
    }
  }

  void write_close(std::string& out, const AnswerItem& item) override {
    if (item.kind == AnswerItem::Kind::kCall) {
      write_event(out, "response.function_call_arguments.done",
                  place() + ",\"name\":" + json_text(item.name) + ",\"arguments\":" + json_text(item.text));
    } else {
      const bool thinks = item.kind == AnswerItem::Kind::kThinking;
      write_event(out, thinks ? "response.reasoning_text.done" : "response.output_text.done",
                  part_place() + ",\"text\":" + json_text(item.text) +
                      (thinks ? std::string() : ",\"logprobs\":[" + item.logprobs + ']'));
      write_event(out, "response.content_part.done", part_place() + ",\"part\":" + part_json(item));
    }
    write_event(out, "response.output_item.done",
                ",\"output_index\":" + std::to_string(index()) + ",\"item\":" + item_json(item, true));
  }

  void write_end(std::string& out, const Usage& usage) override {
    write_event(out, cut_ ? "response.incomplete" : "response.completed", ",\"response\":" + whole(usage));
  }

  /// `members` begin with a comma.
  void write_event(std::string& out, std::string_view type, std::string_view members) {
    out += "event: ";
    out += type;
    out += "\ndata: {\"type\":\"";
    out += type;
    out += "\",\"sequence_number\":" + std::to_string(sequence_number_++);
    out += members;
    out += "}\n\n";
  }

  /// Names the item in hand, and its only part.
  std::string place() const {
    return ",\"item_id\":" + json_text(items_.back().id) + ",\"output_index\":" + std::to_string(index());
  }
  std::string part_place() const { return place() + ",\"content_index\":0"; }

  /// The finished object; kept for later when the request wants that.
  std::string whole(const Usage& usage) override {
    std::string response = response_json(cut_ ? "incomplete" : "completed", &usage);
    if (facts_.responses == nullptr || !request_.store) return response;
    Json::Array messages = request_.conversation;
    messages.push_back(answer_message());
    facts_.responses->put({.time_us = unix_time_us(),
                           .owner = facts_.request->owner,
                           .id = facts_.id,
                           .body = response,
                           .messages = Json(std::move(messages)).dump()});
    return response;
  }

  /// The answer as the message of chat that a next request continues from.
  Json answer_message() const {
    Json message(Json::Object{{"role", "assistant"}, {"content", Json()}});
    Json::Array calls;
    for (const AnswerItem& item : items_) {
      if (item.kind == AnswerItem::Kind::kText) message.set("content", Json(item.text));
      if (item.kind == AnswerItem::Kind::kThinking) message.set("reasoning", Json(item.text));
      if (item.kind != AnswerItem::Kind::kCall) continue;
      calls.push_back(
          Json(Json::Object{{"id", item.call_id},
                            {"type", "function"},
                            {"function", Json(Json::Object{{"name", item.name}, {"arguments", item.text}})}}));
    }
    if (!calls.empty()) message.set("tool_calls", Json(std::move(calls)));
    return message;
  }

  std::string given(const char* name, const char* fallback = "null") const {
    const Json* value = find_given(request_.body, name);
    return value == nullptr ? fallback : value->dump();
  }

  std::string response_json(const char* status, const Usage* usage) const;
  std::string text_json() const;
  std::string raw_messages() const;
  static std::string usage_json(const Usage& usage);

  const ResponsesRequest& request_;
  std::string failure_;  // the "error" object
  int64_t sequence_number_ = 0;
};

std::string ResponsesFormat::usage_json(const Usage& usage) {
  return "{\"input_tokens\":" + std::to_string(usage.prompt_tokens) +
         ",\"input_tokens_details\":{\"cached_tokens\":" + std::to_string(usage.cached_tokens.value_or(0)) +
         R"(,"cache_write_tokens":0,"input_tokens_per_turn":[],"cached_tokens_per_turn":[]},"output_tokens":)" +
         std::to_string(usage.completion_tokens) +
         ",\"output_tokens_details\":{\"reasoning_tokens\":" + std::to_string(usage.reasoning_tokens.value_or(0)) +
         R"(,"tool_output_tokens":0,"output_tokens_per_turn":[],"tool_output_tokens_per_turn":[]},"total_tokens":)" +
         std::to_string(usage.prompt_tokens + usage.completion_tokens) + '}';
}

/// Everything that is not output repeats the request with its defaults. `usage` is null until the end.
std::string ResponsesFormat::response_json(const char* status, const Usage* usage) const {
  const GenerationParams& params = facts_.request->params;
  std::string output;
  for (const AnswerItem& item : items_) output += (output.empty() ? "" : ",") + item_json(item, true);
  std::string out = "{\"id\":" + json_text(facts_.id) + ",\"created_at\":" + std::to_string(facts_.created);
  out += ",\"completed_at\":" + (usage == nullptr ? "null" : std::to_string(unix_time_us() / 1'000'000));
  out += ",\"error\":" + (failure_.empty() ? "null" : failure_);
  out += ",\"incomplete_details\":";
  out += usage != nullptr && cut_ ? R"({"reason":"max_output_tokens"})" : "null";
  out += ",\"instructions\":" + given("instructions") + ",\"metadata\":" + given("metadata");
  out += ",\"model\":" + json_text(facts_.model) + R"(,"object":"response","output":[)" + output;
  out += "],\"parallel_tool_calls\":" + given("parallel_tool_calls", "true");
  out += ",\"temperature\":" + float_json(params.sampling.temperature) + ",\"tool_choice\":" + request_.tool_choice;
  out += ",\"tools\":" + given("tools", "[]") + ",\"top_p\":" + float_json(params.sampling.top_p);
  out += ",\"background\":" + given("background", "false") +
         ",\"max_output_tokens\":" + std::to_string(facts_.request->prompts.front().tokens_max);
  out += ",\"max_tool_calls\":" + given("max_tool_calls");
  out += ",\"previous_response_id\":" + given("previous_response_id") + ",\"prompt\":null";
  out += ",\"reasoning\":" + given("reasoning") + ",\"service_tier\":" + given("service_tier", "\"auto\"");
  out += std::string(",\"status\":\"") + status + "\",\"store\":" + (request_.store ? "true" : "false");
  out += ",\"text\":" + text_json();
  out += ",\"top_logprobs\":" + (params.logprobs ? std::to_string(params.top_logprobs) : "null");
  out += ",\"truncation\":" + given("truncation", "\"disabled\"");
  out += ",\"usage\":" + (usage == nullptr ? "null" : usage_json(*usage)) + ",\"user\":" + given("user");
  out += ",\"presence_penalty\":" + float_json(params.sampling.presence_penalty);
  out += ",\"frequency_penalty\":" + float_json(params.sampling.frequency_penalty);
  return out + (usage == nullptr ? ",\"input_messages\":null,\"output_messages\":null" : raw_messages()) + '}';
}

/// The request's, or the schema that stands behind calls that must be made.
std::string ResponsesFormat::text_json() const {
  const ConstraintSource& forced = facts_.request->output.forced;
  if (forced.kind != ConstraintSource::Kind::kJsonSchema) return given("text");
  return R"({"format":{"name":"tool_calling_response","schema":)" + forced.value.dump() +
         R"(,"type":"json_schema","description":null,"strict":true},"verbosity":null})";
}

/// Prompt and answer as text and ids, for those who ask with enable_response_messages.
std::string ResponsesFormat::raw_messages() const {
  if (!get_bool(request_.body, "enable_response_messages", false)) {
    return ",\"input_messages\":null,\"output_messages\":null";
  }
  const auto message = [](std::string_view text, std::span<const TokenId> ids) {
    std::string out = "[{\"message\":" + json_text(text) + ",\"tokens\":";
    append_ids(out, ids);
    return out + ",\"type\":\"raw_message_tokens\"}]";
  };
  const Prompt& prompt = facts_.request->prompts.front();
  return ",\"input_messages\":" + message(prompt.text, prompt.ids) +
         ",\"output_messages\":" + message(raw_text_, raw_ids_);
}

}  // namespace

std::unique_ptr<AnswerFormat> make_responses_format(AnswerFacts facts) {
  return std::make_unique<ResponsesFormat>(std::move(facts));
}

}  // namespace seraph
