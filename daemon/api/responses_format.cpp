// The answer of /v1/responses: output items (thinking, a message, calls) as one object or as a sequence of events.
#include <charconv>
#include <utility>
#include <vector>

#include "daemon/api/fields.h"
#include "daemon/api/models.h"
#include "daemon/api/response_store.h"
#include "daemon/api/responses.h"
#include "engine/base/clock.h"

namespace seraph {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

/// One member of "output".
struct Item {
  enum class Kind { kReasoning, kMessage, kCall };
  Kind kind = Kind::kMessage;
  std::string id;
  std::string text;      // thinking, message text, or a call's arguments
  std::string call_id;   // kCall
  std::string name;      // kCall
  std::string logprobs;  // kMessage: entries, without brackets
};

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// The shortest text that reads back as this float: 0.9, not 0.8999999761581421.
std::string float_json(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double wide = 0;
  std::from_chars(text, end, wide);
  std::string out;
  append_json_double(out, wide);
  return out;
}

std::string text_part(std::string_view text, std::string_view logprobs) {
  return R"({"annotations":[],"text":)" + quoted(text) + R"(,"type":"output_text","logprobs":[)" +
         std::string(logprobs) + "]}";
}

std::string reasoning_part(std::string_view text) {
  return R"({"text":)" + quoted(text) + R"(,"type":"reasoning_text"})";
}

std::string item_json(const Item& item, bool done) {
  const std::string status = done ? "\"completed\"" : "\"in_progress\"";
  const std::string id = "{\"id\":" + quoted(item.id);
  switch (item.kind) {
    case Item::Kind::kReasoning:
      return id + R"(,"summary":[],"type":"reasoning","content":)" +
             (done ? '[' + reasoning_part(item.text) + ']' : "null") + R"(,"encrypted_content":null,"status":)" +
             (done ? "null" : status) + '}';
    case Item::Kind::kMessage:
      return id + ",\"content\":[" + (done ? text_part(item.text, item.logprobs) : std::string()) +
             R"(],"role":"assistant","status":)" + status + R"(,"type":"message","phase":null})";
    case Item::Kind::kCall:
      return "{\"arguments\":" + quoted(item.text) + ",\"call_id\":" + quoted(item.call_id) +
             ",\"name\":" + quoted(item.name) + R"(,"type":"function_call","id":)" + quoted(item.id) +
             ",\"status\":" + status + '}';
  }
  return {};
}

class ResponsesFormat : public AnswerFormat {
 public:
  explicit ResponsesFormat(AnswerFacts facts) : facts_(std::move(facts)), request_(*facts_.request->responses) {}

  void begin_stream(std::string& out, const Usage&) override {
    const std::string response = ",\"response\":" + response_json("in_progress", nullptr);
    append_event(out, "response.created", response);
    append_event(out, "response.in_progress", response);
  }

  void append_delta(std::string& out, const Delta& delta) override {
    take_logprobs(delta.logprobs);
    if (delta.parsed == nullptr) {
      append_text(out, delta.text);
    } else {
      for (const TextDelta& piece : delta.parsed->deltas) append_piece(out, piece, delta.parsed->call_ids);
    }
    if (delta.finish_reason != nullptr) cut_ = std::string_view(delta.finish_reason) == "length";
  }

  void end_stream(std::string& out, const Usage& usage) override {
    flush_held_text(out);
    if (items_.empty()) open_item(out, {.kind = Item::Kind::kMessage, .id = make_id("msg_")});
    close_item(out);
    const std::string response = finish(usage);
    append_event(out, cut_ ? "response.incomplete" : "response.completed", ",\"response\":" + response);
  }

  void fail_stream(std::string& out, const ApiError& error) override {
    failure_ = R"({"code":"server_error","message":)" + quoted(error.message) + '}';
    append_event(out, "response.failed", ",\"response\":" + response_json("failed", nullptr));
  }

  std::string body(std::span<const Choice> choices, const Usage& usage) override {
    const Choice& choice = choices.front();
    cut_ = std::string_view(choice.finish_reason) == "length";
    take_logprobs(choice.logprobs);
    const std::string& text = choice.parsed ? choice.parsed->content : choice.text;
    const bool has_calls = choice.parsed && !choice.parsed->calls.empty();
    const bool has_reasoning = choice.parsed && !choice.parsed->reasoning.empty();
    if (has_reasoning) {
      items_.push_back({.kind = Item::Kind::kReasoning, .id = make_id("rs_"), .text = choice.parsed->reasoning});
    }
    const bool blank = text.find_first_not_of(kBlank) == std::string::npos;
    if (!blank || (!has_calls && !(has_reasoning && text.empty()))) {
      items_.push_back(
          {.kind = Item::Kind::kMessage, .id = make_id("msg_"), .text = text, .logprobs = std::move(logprobs_)});
    }
    for (size_t i = 0; has_calls && i < choice.parsed->calls.size(); ++i) {
      items_.push_back({.kind = Item::Kind::kCall,
                        .id = make_id("fc_"),
                        .text = choice.parsed->calls[i].arguments,
                        .call_id = choice.call_ids[i],
                        .name = choice.parsed->calls[i].name});
    }
    return finish(usage);
  }

 private:
  std::string make_id(const char* prefix) const { return prefix + hex16(facts_.random()); }

  /// `members` begin with a comma.
  void append_event(std::string& out, std::string_view type, std::string_view members) {
    out += "event: ";
    out += type;
    out += "\ndata: {\"type\":\"";
    out += type;
    out += "\",\"sequence_number\":" + std::to_string(sequence_number_++);
    out += members;
    out += "}\n\n";
  }

  /// Names the open item in an event.
  std::string place() const {
    return ",\"item_id\":" + quoted(items_.back().id) + ",\"output_index\":" + std::to_string(items_.size() - 1);
  }
  static std::string in_content(std::string place) { return std::move(place) + ",\"content_index\":0"; }

  void append_piece(std::string& out, const TextDelta& piece, std::span<const std::string> call_ids) {
    switch (piece.kind) {
      case TextDelta::Kind::kReasoning:
        if (!is_open(Item::Kind::kReasoning)) open_item(out, {.kind = Item::Kind::kReasoning, .id = make_id("rs_")});
        items_.back().text += piece.text;
        append_event(out, "response.reasoning_text.delta", in_content(place()) + ",\"delta\":" + quoted(piece.text));
        return;
      case TextDelta::Kind::kContent:
        append_text(out, piece.text);
        return;
      case TextDelta::Kind::kCallStart:
        held_text_.clear();
        open_item(out, {.kind = Item::Kind::kCall,
                        .id = make_id("fc_"),
                        .call_id = call_ids[static_cast<size_t>(piece.call_index)],
                        .name = piece.text});
        return;
      case TextDelta::Kind::kArguments:
        items_.back().text += piece.text;
        append_event(out, "response.function_call_arguments.delta", place() + ",\"delta\":" + quoted(piece.text));
        return;
    }
  }

  /// White space alone may turn out to stand before a call: it waits for text, and vanishes in front of a call.
  void append_text(std::string& out, std::string_view text) {
    if (!is_open(Item::Kind::kMessage)) {
      held_text_ += text;
      if (held_text_.find_first_not_of(kBlank) == std::string::npos) return;
      flush_held_text(out);
      return;
    }
    if (text.empty()) return;
    Item& item = items_.back();
    item.text += text;
    append_event(out, "response.output_text.delta",
                 in_content(place()) + ",\"delta\":" + quoted(text) + ",\"logprobs\":[" + logprobs_ + ']');
    item.logprobs += (item.logprobs.empty() || logprobs_.empty() ? "" : ",") + logprobs_;
    logprobs_.clear();
  }

  void flush_held_text(std::string& out) {
    if (held_text_.empty()) return;
    const std::string text = std::move(held_text_);
    held_text_.clear();
    open_item(out, {.kind = Item::Kind::kMessage, .id = make_id("msg_")});
    append_text(out, text);
  }

  bool is_open(Item::Kind kind) const { return open_ && items_.back().kind == kind; }

  void open_item(std::string& out, Item item) {
    close_item(out);
    items_.push_back(std::move(item));
    open_ = true;
    const Item& opened = items_.back();
    append_event(out, "response.output_item.added",
                 ",\"output_index\":" + std::to_string(items_.size() - 1) + ",\"item\":" + item_json(opened, false));
    if (opened.kind == Item::Kind::kCall) return;
    append_event(out, "response.content_part.added", in_content(place()) + ",\"part\":" + part_json(opened));
  }

  static std::string part_json(const Item& item) {
    return item.kind == Item::Kind::kReasoning ? reasoning_part(item.text) : text_part(item.text, item.logprobs);
  }

  void close_item(std::string& out) {
    if (!open_) return;
    open_ = false;
    const Item& item = items_.back();
    if (item.kind == Item::Kind::kCall) {
      append_event(out, "response.function_call_arguments.done",
                   place() + ",\"name\":" + quoted(item.name) + ",\"arguments\":" + quoted(item.text));
    } else {
      const bool thinks = item.kind == Item::Kind::kReasoning;
      append_event(out, thinks ? "response.reasoning_text.done" : "response.output_text.done",
                   in_content(place()) + ",\"text\":" + quoted(item.text) +
                       (thinks ? std::string() : ",\"logprobs\":[" + item.logprobs + ']'));
      append_event(out, "response.content_part.done", in_content(place()) + ",\"part\":" + part_json(item));
    }
    append_event(out, "response.output_item.done",
                 ",\"output_index\":" + std::to_string(items_.size() - 1) + ",\"item\":" + item_json(item, true));
  }

  /// "[...]" or "null".
  void take_logprobs(std::string_view list) {
    if (list.size() <= 2 || list.front() != '[') return;
    if (!logprobs_.empty()) logprobs_ += ',';
    logprobs_ += list.substr(1, list.size() - 2);
  }

  /// The finished object; kept for later when the request wants that.
  std::string finish(const Usage& usage) {
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
    for (const Item& item : items_) {
      if (item.kind == Item::Kind::kMessage) message.set("content", Json(item.text));
      if (item.kind == Item::Kind::kReasoning) message.set("reasoning", Json(item.text));
      if (item.kind != Item::Kind::kCall) continue;
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
  static std::string usage_json(const Usage& usage);

  const AnswerFacts facts_;
  const ResponsesRequest& request_;
  std::vector<Item> items_;
  bool open_ = false;      // a stream's last item is still being written
  bool cut_ = false;       // by the output limit
  std::string held_text_;  // white space of a message that may never come
  std::string logprobs_;   // entries that no event has carried yet
  std::string failure_;    // the "error" object
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
  for (const Item& item : items_) output += (output.empty() ? "" : ",") + item_json(item, true);
  std::string out = "{\"id\":" + quoted(facts_.id) + ",\"created_at\":" + std::to_string(facts_.created);
  out += ",\"completed_at\":" + (usage == nullptr ? "null" : std::to_string(unix_time_us() / 1'000'000));
  out += ",\"error\":" + (failure_.empty() ? "null" : failure_);
  out += ",\"incomplete_details\":";
  out += usage != nullptr && cut_ ? R"({"reason":"max_output_tokens"})" : "null";
  out += ",\"instructions\":" + given("instructions") + ",\"metadata\":" + given("metadata");
  out += ",\"model\":" + quoted(facts_.model) + R"(,"object":"response","output":[)" + output;
  out += "],\"parallel_tool_calls\":" + given("parallel_tool_calls", "true");
  out += ",\"temperature\":" + float_json(params.sampling.temperature) + ",\"tool_choice\":" + request_.tool_choice;
  out += ",\"tools\":" + given("tools", "[]") + ",\"top_p\":" + float_json(params.sampling.top_p);
  out += ",\"background\":false,\"max_output_tokens\":" + std::to_string(facts_.request->prompts.front().tokens_max);
  out += ",\"max_tool_calls\":" + given("max_tool_calls");
  out += ",\"previous_response_id\":" + given("previous_response_id") + ",\"prompt\":null";
  out += ",\"reasoning\":" + given("reasoning") + ",\"service_tier\":" + given("service_tier", "\"auto\"");
  out += std::string(",\"status\":\"") + status + "\",\"store\":" + (request_.store ? "true" : "false");
  out += ",\"text\":" + given("text");
  out += ",\"top_logprobs\":" + (params.logprobs ? std::to_string(params.top_logprobs) : "null");
  out += ",\"truncation\":" + given("truncation", "\"disabled\"");
  out += ",\"usage\":" + (usage == nullptr ? "null" : usage_json(*usage)) + ",\"user\":" + given("user");
  out += ",\"presence_penalty\":" + float_json(params.sampling.presence_penalty);
  out += ",\"frequency_penalty\":" + float_json(params.sampling.frequency_penalty) + '}';
  return out;
}

}  // namespace

std::unique_ptr<AnswerFormat> make_responses_format(AnswerFacts facts) {
  return std::make_unique<ResponsesFormat>(std::move(facts));
}

}  // namespace seraph
