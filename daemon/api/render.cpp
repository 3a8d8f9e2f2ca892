#include "daemon/api/render.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "daemon/api/answer.h"
#include "daemon/api/anthropic.h"
#include "daemon/api/body.h"
#include "daemon/api/endpoints.h"
#include "daemon/api/models.h"
#include "daemon/api/openai_format.h"
#include "daemon/api/responses.h"
#include "daemon/api/structured.h"

namespace seraph {
namespace {

void append_member(std::string& out, const char* name, const std::string& value) {
  out += ",\"" + std::string(name) + "\":" + value;
}

std::string ids_json(std::span<const TokenId> ids) {
  std::string out;
  append_ids(out, ids);
  return out;
}

std::string texts_json(const std::vector<std::string>& texts) {
  Json::Array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return Json(std::move(list)).dump();
}

/// What a constraint is called in `structured_outputs`.
std::string structured_json(const ConstraintSource& source) {
  using Kind = ConstraintSource::Kind;
  switch (source.kind) {
    case Kind::kJsonSchema:
      return "{\"json\":" + source.value.dump() + '}';
    case Kind::kRegex:
      return "{\"regex\":" + source.value.dump() + '}';
    case Kind::kChoice:
      return "{\"choice\":" + source.value.dump() + '}';
    case Kind::kGrammar:
      return "{\"grammar\":" + source.value.dump() + '}';
    case Kind::kStructuralTag:
      return "{\"structural_tag\":" + Json(source.value.dump()).dump() + '}';
    case Kind::kJsonObject:
      return "{\"json_object\":true}";
    case Kind::kNone:
      break;
  }
  return "null";
}

/// The values that differ from what the generating server would take by itself, and those that vLLM always names.
std::string sampling_json(const PreparedGeneration& request, int32_t tokens_max, const ConstraintSource& source,
                          const std::string& bad_words) {
  const GenerationParams& params = request.params;
  const SamplingParams& sampling = params.sampling;
  std::string out = "{\"presence_penalty\":" + float_json(sampling.presence_penalty);
  append_member(out, "frequency_penalty", float_json(sampling.frequency_penalty));
  append_member(out, "repetition_penalty", float_json(sampling.repetition_penalty));
  append_member(out, "temperature", float_json(sampling.temperature));
  if (sampling.temperature > 0) {
    append_member(out, "top_p", float_json(sampling.top_p));
    append_member(out, "min_p", float_json(sampling.min_p));
    if (sampling.top_k > 0) append_member(out, "top_k", std::to_string(sampling.top_k));
  }
  if (params.n > 1) append_member(out, "n", std::to_string(params.n));
  if (params.seeded) append_member(out, "seed", std::to_string(static_cast<int64_t>(sampling.seed)));
  append_member(out, "stop", texts_json(params.stop));
  append_member(out, "stop_token_ids", ids_json(sampling.stop_token_ids));
  append_member(out, "max_tokens", std::to_string(tokens_max));
  if (sampling.tokens_min > 0) append_member(out, "min_tokens", std::to_string(sampling.tokens_min));
  if (sampling.ignore_eos) append_member(out, "ignore_eos", "true");
  if (params.include_stop) append_member(out, "include_stop_str_in_output", "true");
  if (!params.skip_special_tokens) append_member(out, "skip_special_tokens", "false");
  if (sampling.num_logprobs >= 0) append_member(out, "logprobs", std::to_string(sampling.num_logprobs));
  if (!sampling.logprob_ids.empty()) append_member(out, "logprob_token_ids", ids_json(sampling.logprob_ids));
  if (sampling.num_prompt_logprobs >= 0) {
    append_member(out, "prompt_logprobs", std::to_string(sampling.num_prompt_logprobs));
  }
  if (!sampling.allowed_ids.empty()) append_member(out, "allowed_token_ids", ids_json(sampling.allowed_ids));
  if (!sampling.logit_bias.empty()) {
    Json bias(Json::Object{});
    for (const auto& [id, value] : sampling.logit_bias) bias.set(std::to_string(id), Json(static_cast<double>(value)));
    append_member(out, "logit_bias", bias.dump());
  }
  if (params.thinking_tokens_max) {
    append_member(out, "thinking_token_budget", std::to_string(*params.thinking_tokens_max));
  }
  if (source.given()) append_member(out, "structured_outputs", structured_json(source));
  append_member(out, "output_kind", params.stream ? "1" : "2");
  append_member(out, "skip_clone", "true");
  if (request.responses != nullptr) append_member(out, "extra_args", "{}");
  append_member(out, "bad_words", bad_words);
  append_member(out, "skip_reading_prefix_cache", sampling.num_prompt_logprobs >= 0 ? "true" : "false");
  return out + '}';
}

struct Rendered {
  const PreparedGeneration& request;
  const Json& body;  // as sent
  std::string id;
  ConstraintSource source = {};
};

void append_request(std::string& out, const Rendered& rendered, const Prompt& prompt, const std::string& suffix) {
  const PreparedGeneration& request = rendered.request;
  const auto given = [&](const char* name, const char* fallback = "null") {
    const Json* value = find_given(rendered.body, name);
    return value == nullptr ? std::string(fallback) : value->dump();
  };
  out += "{\"request_id\":";
  append_json_string(out, rendered.id + suffix);
  append_member(out, "token_ids", ids_json(prompt.ids));
  out += ",\"token_offsets\":null,\"features\":null,\"content_parts\":null";
  append_member(out, "sampling_params",
                sampling_json(request, prompt.tokens_max, rendered.source, given("bad_words", "[]")));
  append_member(out, "model", given("model"));
  out += ",\"reasoning_ended\":null,\"reasoning_parser_kwargs\":null,\"return_token_ids\":null";
  out += ",\"output_mode\":\"tokens\"";
  append_member(out, "stream", request.params.stream ? "true" : "false");
  append_member(out, "stream_options", request.params.stream ? given("stream_options") : "null");
  append_member(out, "cache_salt", given("cache_salt"));
  append_member(out, "priority", std::to_string(request.params.priority));
  out += ",\"kv_transfer_params\":null,\"ec_transfer_params\":null}";
}

std::string new_id(const char* prefix, const std::string& asked) {
  if (!asked.empty()) return prefix + asked;
  std::random_device random;
  return prefix + hex16(static_cast<uint64_t>(random()) << 32 | random());
}

/// The body of each prompt's request. `chat` and `completions` bodies name their constraints themselves.
std::optional<ApiError> render(std::string_view bytes, Endpoint endpoint, const PrepareContext& context,
                               std::vector<std::string>& out) {
  PreparedGeneration request;
  if (auto error = generation_endpoint(endpoint).prepare(bytes, context, request)) return error;
  if (request.params.beam_search) return bad_request("Beam search is not supported by the render endpoint");
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  Rendered rendered{.request = request, .body = body, .id = {}};
  if (endpoint == kChat || endpoint == kCompletions) {
    if (auto error = check_fields(body, endpoint, {context.options->stop_strings_max})) return error;
    if (auto error = read_constraint(body, rendered.source)) return error;
  }
  rendered.id = new_id(id_prefix(endpoint), endpoint == kResponses ? std::string() : request.request_id);
  for (size_t i = 0; i < request.prompts.size(); ++i) {
    const std::string suffix = request.prompts.size() > 1 ? '-' + std::to_string(i) : std::string();
    append_request(out.emplace_back(), rendered, request.prompts[i], suffix);
  }
  return std::nullopt;
}

std::optional<ApiError> render_one(std::string_view bytes, Endpoint endpoint, const PrepareContext& context,
                                   std::string& out) {
  std::vector<std::string> all;
  if (auto error = render(bytes, endpoint, context, all)) return error;
  out = std::move(all.front());
  return std::nullopt;
}

}  // namespace

std::optional<ApiError> answer_render_chat(std::string_view bytes, const PrepareContext& context, std::string& out) {
  return render_one(bytes, kChat, context, out);
}

std::optional<ApiError> answer_render_completion(std::string_view bytes, const PrepareContext& context,
                                                 std::string& out) {
  std::vector<std::string> all;
  if (auto error = render(bytes, kCompletions, context, all)) return error;
  out = "[";
  for (size_t i = 0; i < all.size(); ++i) out += (i > 0 ? "," : "") + all[i];
  out += ']';
  return std::nullopt;
}

std::optional<ApiError> answer_render_messages(std::string_view bytes, const PrepareContext& context,
                                               std::string& out) {
  return render_one(bytes, kMessages, context, out);
}

std::optional<ApiError> answer_render_responses(std::string_view bytes, const PrepareContext& context,
                                                std::string& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (body.is_object() && find_given(body, "previous_response_id") != nullptr) {
    return ApiError{.type = "invalid_request_error",
                    .message = "previous_response_id is not supported by the stateless render endpoint.",
                    .param = "previous_response_id"};
  }
  return render_one(bytes, kResponses, context, out);
}

}  // namespace seraph
