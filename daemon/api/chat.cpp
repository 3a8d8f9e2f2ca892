// POST /v1/chat/completions: from bytes to prompts, and the JSON of its answers.
#include <utility>

#include "daemon/api/body.h"
#include "daemon/api/chat_message.h"
#include "daemon/api/fields.h"
#include "daemon/api/openai_format.h"
#include "daemon/api/prepare.h"

namespace seraph {
namespace {

class ChatFormat : public OpenAiFormat {
 public:
  explicit ChatFormat(AnswerFacts facts) : OpenAiFormat(std::move(facts), "chat.completion", "chat.completion.chunk") {}

  void begin_stream(std::string& out, const Usage& usage) override {
    const PreparedGeneration& request = *facts_.request;
    for (int32_t i = 0; i < request.params.n; ++i) {
      out += chunk_head_ + ",\"choices\":[{\"index\":" + std::to_string(i) + ",\"delta\":{\"role\":";
      append_json_string(out, request.role);
      out += ",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]";
      append_running_usage(out, usage);
      append_prompt(out);
      out += "}\n\n";
    }
    const std::string& echo_text = request.prompts.front().echo_text;
    if (echo_text.empty()) return;
    for (int32_t i = 0; i < request.params.n; ++i) {
      out += chunk_head_ + ",\"choices\":[{\"index\":" + std::to_string(i) + ",\"delta\":{\"content\":";
      append_json_string(out, echo_text);
      out += "},\"logprobs\":null,\"finish_reason\":null}]";
      append_chunk_tail(out, usage, false);
    }
  }

  void append_delta(std::string& out, const Delta& delta) override {
    out += chunk_head_;
    out += ",\"choices\":[{\"index\":";
    out += std::to_string(delta.choice);
    out += ",\"delta\":{";
    if (delta.parsed != nullptr) {
      append_parsed_delta(out, *delta.parsed);
    } else {
      out += "\"content\":";
      append_json_string(out, delta.text);
    }
    out += "},\"logprobs\":";
    out += delta.logprobs;
    if (delta.finish_reason == nullptr) {
      out += ",\"finish_reason\":null";
    } else {
      append_finish(out, delta.finish_reason, delta.stop_reason);
    }
    append_token_ids(out, delta.ids);
    out += "}]";
    append_chunk_tail(out, delta.usage, delta.last_event);
  }

  std::string body(std::span<const Choice> choices, const Usage& usage) override {
    const PreparedGeneration& request = *facts_.request;
    std::string out = head_ + ",\"choices\":[";
    for (size_t i = 0; i < choices.size(); ++i) {
      if (i > 0) out += ',';
      out += "{\"index\":" + std::to_string(i) + ",\"message\":{\"role\":";
      append_json_string(out, request.role);
      append_message(out, choices[i], request.prompts[i / static_cast<size_t>(request.params.n)].echo_text);
      out += "},\"logprobs\":" + choices[i].logprobs;
      append_finish(out, choices[i].finish_reason, choices[i].stop_reason);
      append_token_ids(out, choices[i].ids);
      out += ",\"routed_experts\":null}";
    }
    out += ']';
    append_body_usage(out, usage);
    append_prompt_logprobs_of(out, choices.front());
    append_prompt(out);
    out += ",\"kv_transfer_params\":null}";
    return out;
  }

 private:
  /// Of the one prompt; the answer to a batch has no place for several.
  void append_prompt(std::string& out) const {
    const PreparedGeneration& request = *facts_.request;
    const bool single = request.prompts.size() == 1;
    append_prompt_ids(out, 0, single && request.params.return_token_ids);
    out += ",\"prompt_text\":";
    if (single && request.params.return_prompt_text) {
      append_json_string(out, request.prompts.front().text);
    } else {
      out += "null";
    }
  }
};

}  // namespace

std::unique_ptr<AnswerFormat> make_chat_format(AnswerFacts facts) {
  return std::make_unique<ChatFormat>(std::move(facts));
}

namespace {

ThinkingStart thinking_start(const OutputPlan& plan, ReasoningStart start) {
  const ReasoningFormat* format = find_reasoning_format(plan.format.reasoning_parser);
  if (format == nullptr || start == ReasoningStart::kOver) return ThinkingStart::kNone;
  const bool inside = start == ReasoningStart::kInside || format->always_thinks;
  return inside ? ThinkingStart::kOpened : ThinkingStart::kMayOpen;
}

/// When calls are reported, and which tokens must stay visible in the answer's text.
void plan_parsing(const Tokenizer& tokenizer, PreparedGeneration& out) {
  OutputPlan& plan = out.output;
  if (!plan.parses()) return;
  plan.format.timing = out.params.stream ? ParseTiming::kWritten : ParseTiming::kDecided;
  bool visible = plan.needs_special_tokens;
  if (const ReasoningFormat* reasoning = find_reasoning_format(plan.format.reasoning_parser)) {
    const int32_t tag = tokenizer.find_piece(reasoning->close);
    visible = visible || (tag >= 0 && tokenizer.is_special(tag));
  }
  if (visible) out.params.skip_special_tokens = false;
}

/// What the conversations of a body share.
std::optional<ApiError> read_chat(const Json& body, const PrepareContext& context, PreparedGeneration& out) {
  if (auto error = choose_model(body, context, out)) return error;
  if (auto error = read_params(body, kChat, *context.options, context.limits(), out.params)) return error;
  if (auto error = plan_thinking(context, out)) return error;
  if (auto error = read_output_plan(body, *context.options, *context.tokenizer, out.output)) return error;
  plan_parsing(*context.tokenizer, out);
  return read_names(body, out);
}

/// The conversation in `messages` becomes one more prompt. Forced calls go before other constraints, as in vLLM. With
/// offered tools the answer may still be a constrained text.
std::optional<ApiError> add_conversation(const Json& body, const PrepareContext& context, PreparedGeneration& out) {
  RenderedChat rendered;
  if (auto error = render_chat_body(body, context, rendered)) return error;
  Prompt prompt;
  if (auto error = encode_prompt(rendered.text, get_bool(body, "add_special_tokens", false), context, prompt.ids)) {
    return error;
  }
  if (const ReasoningFormat* reasoning = find_reasoning_format(out.output.format.reasoning_parser)) {
    prompt.start = reasoning_start(*reasoning, rendered.text);
  }
  const int64_t max_model_len = context.info->max_model_len;
  if (auto error = truncate_prompt(body, out.params, max_model_len, prompt.ids)) return error;
  const auto prompt_tokens = static_cast<int64_t>(prompt.ids.size());
  if (auto error = plan_tokens_max(out.params, prompt_tokens, max_model_len, prompt.tokens_max)) return error;
  if (out.params.return_prompt_text) prompt.text = std::move(rendered.text);
  out.role = std::move(rendered.role);
  if (out.params.echo && rendered.last_role == out.role) prompt.echo_text = std::move(rendered.last_text);
  ConstraintSource source;
  if (auto error = read_constraint(body, source)) return error;
  if (out.output.forced.given()) source = out.output.forced;
  if (auto error = context.constraints->compile(source, thinking_start(out.output, prompt.start), prompt.constraint)) {
    return error;
  }
  out.prompts.push_back(std::move(prompt));
  return std::nullopt;
}

/// An answer to several conversations has one choice for each, as a whole.
std::optional<ApiError> check_batch(const Json& body) {
  if (const int64_t n = find_int(body, "n").value_or(1); n > 1) {
    return bad_parameter("Batch chat completions do not support `n > 1`. Please set `n` to 1.", "n", std::to_string(n));
  }
  if (!get_bool(body, "use_beam_search", false)) return std::nullopt;
  return bad_request(
      "Batch chat completions do not support beam search. Please set `use_beam_search` to False. "
      "(parameter=use_beam_search)",
      "use_beam_search");
}

}  // namespace

std::optional<ApiError> prepare_chat(std::string_view bytes, const PrepareContext& context, PreparedGeneration& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  return prepare_chat_body(std::move(body), context, out);
}

std::optional<ApiError> prepare_invocation(std::string_view bytes, const PrepareContext& context,
                                           PreparedGeneration& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  const bool is_chat = body.find("messages") != nullptr;
  out.endpoint = is_chat ? kChat : kCompletions;
  return is_chat ? prepare_chat_body(std::move(body), context, out) : prepare_completion(bytes, context, out);
}

std::optional<ApiError> prepare_chat_body(Json body, const PrepareContext& context, PreparedGeneration& out) {
  if (auto error = check_fields(body, kChat, {context.options->stop_strings_max})) return error;
  warn_of_unknown_fields(body, kChat, out);
  if (auto error = read_chat(body, context, out)) return error;
  return add_conversation(body, context, out);
}

std::optional<ApiError> prepare_batch_chat(std::string_view bytes, const PrepareContext& context,
                                           PreparedGeneration& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kBatchChat, {context.options->stop_strings_max})) return error;
  warn_of_unknown_fields(body, kBatchChat, out);
  if (auto error = check_batch(body)) return error;
  const Json::Array conversations = std::move(body.find("messages")->as_array());
  if (static_cast<int64_t>(conversations.size()) > context.options->completion_prompts_max) {
    return bad_request("messages holds " + std::to_string(conversations.size()) + " conversations, at most " +
                           std::to_string(context.options->completion_prompts_max) + " are taken in one request",
                       "messages");
  }
  for (const char* unused : {"tools", "tool_choice", "stream", "stream_options"}) body.set(unused, Json());
  if (auto error = read_chat(body, context, out)) return error;
  for (const Json& messages : conversations) {
    body.set("messages", messages);
    if (auto error = add_conversation(body, context, out)) return error;
  }
  return std::nullopt;
}

}  // namespace seraph
