// The answer of /inference/v1/generate as that of chat or completions: ids become text, which passes through the
// parsers and the format of an answer that was generated here.
#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "daemon/api/answer.h"
#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/logprobs.h"
#include "daemon/api/models.h"
#include "daemon/api/render.h"
#include "engine/base/clock.h"

namespace seraph {
namespace {

using Errors = std::vector<SchemaError>;

ApiError not_streamed() {
  return ApiError{.status = 501,
                  .type = "NotImplementedError",
                  .message = "streams are not derendered piece by piece; send the complete answer"};
}

/// What is missing is told as the three members of vLLM's union tell it.
std::optional<ApiError> check_union(const Json& body, const char* whole, const char* whole_loc,
                                    const char* stream_type) {
  if (!body.is_object()) {
    return schema_error({{"model_attributes_type", "body",
                          "Input should be a valid dictionary or object to extract fields from", describe(body)}});
  }
  if (get_bool(body, "stream", false)) return not_streamed();
  if (find_given(body, whole) != nullptr) return std::nullopt;
  Errors errors = {{"missing", whole_loc, "Field required", describe(body)}};
  for (const char* name : {"stream", "generate_chunk"}) {
    errors.push_back({"missing", std::string("body.") + stream_type + '.' + name, "Field required", describe(body)});
  }
  return schema_error(errors);
}

const char* finish_reason_of(const Json& choice) {
  const std::string* given = find_string(choice, "finish_reason");
  for (const char* known : {"length", "abort", "error", "repetition"}) {
    if (given != nullptr && *given == known) return known;
  }
  return "stop";
}

/// A list of ids that the vocabulary has. Errors: 400 that names `field`.
std::optional<ApiError> read_ids(const Json* list, const std::string& field, const PrepareContext& context,
                                 std::vector<TokenId>& out) {
  if (list == nullptr) return std::nullopt;
  if (!list->is_array()) return schema_error({{"list_type", field, "Input should be a valid list", describe(*list)}});
  if (static_cast<int64_t>(list->as_array().size()) > context.info->max_model_len) {
    return bad_request(field + " length (" + std::to_string(list->as_array().size()) + ") exceeds max_model_len (" +
                       std::to_string(context.info->max_model_len) + ").");
  }
  for (const Json& item : list->as_array()) {
    if (!item.is_int() || item.as_int() < 0 || item.as_int() >= context.info->vocab_size) {
      return bad_request(field + " holds " + describe(item) + ", which is no token id of this model", field);
    }
    out.push_back(static_cast<TokenId>(item.as_int()));
  }
  return std::nullopt;
}

TokenLogprob read_logprob(const Json& entry, int32_t vocab_size) {
  const int64_t id = find_int(entry, "token_id").value_or(-1);
  return {.id = id >= 0 && id < vocab_size ? static_cast<TokenId>(id) : -1,
          .logprob = static_cast<float>(find_float(entry, "logprob").value_or(-9999.0)),
          .rank = 0};
}

/// The log probabilities of ids as those of texts.
void add_logprobs(const Json& choice, const PrepareContext& context, LogprobColumns::Shape shape, Choice& out) {
  const Json* logprobs = find_given(choice, "logprobs");
  const Json* content = logprobs == nullptr ? nullptr : find_given(*logprobs, "content");
  if (content == nullptr || !content->is_array()) return;
  constexpr int32_t kTopMax = 1024;
  LogprobColumns columns(*context.tokenizer, shape, false, kTopMax);
  const int32_t vocab_size = context.info->vocab_size;
  for (const Json& entry : content->as_array()) {
    PositionLogprobs position = {read_logprob(entry, vocab_size)};
    const Json* top = find_given(entry, "top_logprobs");
    for (const Json& other : top != nullptr && top->is_array() ? top->as_array() : Json::Array{}) {
      const TokenLogprob read = read_logprob(other, vocab_size);
      if (read.id != position.front().id) position.push_back(read);
    }
    const bool known = std::all_of(position.begin(), position.end(), [](const auto& one) { return one.id >= 0; });
    if (known) columns.add(position);
  }
  out.logprobs.clear();
  columns.take(out.logprobs, 0);
}

/// One choice: its ids as text, and what the parsers make of it.
std::optional<ApiError> read_choice(const Json& choice, const PrepareContext& context, Endpoint endpoint,
                                    const PreparedGeneration& request, Choice& out) {
  const Json* ids = choice.is_object() ? find_given(choice, "token_ids") : nullptr;
  if (auto error = read_ids(ids, "token_ids", context, out.ids)) return error;
  out.text = context.tokenizer->decode(out.ids, request.params.skip_special_tokens);
  out.finish_reason = finish_reason_of(choice);
  if (const Json* reason = choice.find("stop_reason")) out.stop_reason = reason->dump();
  add_logprobs(choice, context, endpoint == kChat ? LogprobColumns::Shape::kChat : LogprobColumns::Shape::kCompletions,
               out);
  if (!request.output.parses()) return std::nullopt;
  OutputFormat format = request.output.format;
  format.timing = ParseTiming::kDecided;
  if (!request.prompts.empty()) format.start = request.prompts.front().start;
  auto parser = OutputParser::make(format, request.output.tools);
  if (!parser.ok()) return from_error(parser.error());
  TextDeltas deltas;
  (*parser)->push(out.text, deltas);
  (*parser)->finish(deltas);
  out.parsed.emplace().add(deltas);
  std::random_device random;
  for (size_t i = 0; i < out.parsed->calls.size(); ++i) {
    out.call_ids.push_back("chatcmpl-tool-" + hex16(static_cast<uint64_t>(random()) << 32 | random()));
  }
  if (!out.call_ids.empty()) out.finish_reason = "tool_calls";
  return std::nullopt;
}

struct Answer {
  std::vector<Choice> choices;
  Usage usage;
};

std::optional<ApiError> read_response(const Json& response, const PrepareContext& context, Endpoint endpoint,
                                      const PreparedGeneration& request, Answer& out) {
  const Json* choices = response.is_object() ? find_given(response, "choices") : nullptr;
  if (choices == nullptr || !choices->is_array()) {
    return schema_error({{"missing", "body.generate_response.choices", "Field required", describe(response)}});
  }
  const auto total = static_cast<int64_t>(choices->as_array().size() + out.choices.size());
  if (total > context.options->choices_max) {
    return bad_request("choices count (" + std::to_string(total) + ") exceeds server maximum (" +
                       std::to_string(context.options->choices_max) + ").");
  }
  for (const Json& choice : choices->as_array()) {
    Choice read;
    if (auto error = read_choice(choice, context, endpoint, request, read)) return error;
    out.usage.completion_tokens += static_cast<int64_t>(read.ids.size());
    out.choices.push_back(std::move(read));
  }
  return std::nullopt;
}

std::string write_answer(const Json& first, const PrepareContext& context, Endpoint endpoint,
                         const PreparedGeneration& request, const Answer& answer) {
  const ApiOptions& options = *context.options;
  const std::string* id = find_string(first, "request_id");
  AnswerFacts facts{
      .endpoint = endpoint,
      .id = id == nullptr ? "" : *id,
      .model = options.served_model_names.front(),
      .fingerprint = options.system_fingerprint.empty() ? "seraph-" + options.version : options.system_fingerprint,
      .created = unix_time_us() / 1'000'000,
      .request = &request,
      .tokenizer = context.tokenizer};
  const auto format = endpoint == kChat ? make_chat_format(std::move(facts)) : make_completion_format(std::move(facts));
  return format->body(answer.choices, answer.usage);
}

}  // namespace

std::optional<ApiError> answer_derender_chat(std::string_view bytes, const PrepareContext& context, std::string& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_union(body, "generate_response", "body.DerenderChatRequest.generate_response",
                               "DerenderChatStreamRequest")) {
    return error;
  }
  if (auto error = check_model(body, context)) return error;
  PreparedGeneration request;
  if (const Json* chat = find_given(body, "chat_request")) {
    if (auto error = prepare_chat_body(*chat, context, request)) return error;
  } else if (!context.options->tool_parser.empty() || !context.options->reasoning_parser.empty()) {
    return bad_request(
        "chat_request is required when a tool or reasoning parser is configured because plain detokenization would "
        "leak raw parser markup into content.");
  } else {
    request.prompts.emplace_back();
  }
  request.role = request.role.empty() ? context.options->response_role : request.role;
  const Json& response = *find_given(body, "generate_response");
  Answer answer;
  if (auto error = read_response(response, context, kChat, request, answer)) return error;
  if (answer.choices.empty()) return bad_request("generate_response holds no choices", "generate_response");
  answer.usage.prompt_tokens = find_int(body, "prompt_tokens").value_or(0);
  request.params.n = static_cast<int32_t>(answer.choices.size());
  out = write_answer(response, context, kChat, request, answer);
  return std::nullopt;
}

std::optional<ApiError> answer_derender_completion(std::string_view bytes, const PrepareContext& context,
                                                   std::string& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error =
          check_union(body, "generate_responses", "body.generate_responses", "DerenderCompletionStreamRequest")) {
    return error;
  }
  if (auto error = check_model(body, context)) return error;
  const Json& responses = *find_given(body, "generate_responses");
  if (!responses.is_array() || responses.as_array().empty()) {
    return bad_request("generate_responses must not be empty", "generate_responses");
  }
  PreparedGeneration request;
  request.prompts.emplace_back();
  Answer answer;
  for (const Json& response : responses.as_array()) {
    if (auto error = read_response(response, context, kCompletions, request, answer)) return error;
  }
  if (answer.choices.empty()) return bad_request("generate_responses hold no choices", "generate_responses");
  const Json* counts = find_given(body, "prompt_tokens");
  for (const Json& count : counts != nullptr && counts->is_array() ? counts->as_array() : Json::Array{}) {
    if (count.is_int()) answer.usage.prompt_tokens += count.as_int();
  }
  request.params.n = static_cast<int32_t>(answer.choices.size());
  out = write_answer(responses.as_array().front(), context, kCompletions, request, answer);
  return std::nullopt;
}

}  // namespace seraph
