#include "daemon/api/token_generation.h"

#include <algorithm>
#include <utility>

#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/openai_format.h"
#include "daemon/api/structured.h"

namespace seraph {
namespace {

class TokensFormat final : public OpenAiFormat {
 public:
  explicit TokensFormat(AnswerFacts facts) : OpenAiFormat(std::move(facts), "", "") {
    id_ = "{\"request_id\":";
    append_json_string(id_, facts_.id);
    mode_ = std::string(",\"output_mode\":\"") + (with_text() ? "text" : "tokens") + "\",\"choices\":[";
  }

  void begin_stream(std::string& /*out*/, const Usage& /*usage*/) override {}

  void append_delta(std::string& out, const Delta& delta) override {
    out += "data: " + id_ + ",\"usage\":null";
    if (delta.first && facts_.request->show_prompt_ids) append_prompt_ids(out, 0, true);
    if (lengths_.size() <= delta.choice) lengths_.resize(delta.choice + 1);
    lengths_[delta.choice] += delta.ids.size();
    out += mode_;
    append_choice(out, {.index = delta.choice,
                        .finish_reason = delta.finish_reason,
                        .stop_reason = delta.stop_reason,
                        .ids = delta.ids,
                        .text = delta.text,
                        .logprobs = delta.logprobs,
                        .length = lengths_[delta.choice]});
    out += "]}\n\n";
  }

  void end_stream(std::string& out, const Usage& usage) override {
    if (facts_.request->params.include_usage) {
      out += "data: " + id_ + ",\"usage\":";
      append_usage_object(out, usage, true);
      out += mode_ + "]}\n\n";
    }
    out += "data: [DONE]\n\n";
  }

  std::string body(std::span<const Choice> choices, const Usage& usage) override {
    std::string out = id_ + ",\"model\":";
    append_json_string(out, facts_.model);
    out += ",\"created\":" + std::to_string(facts_.created) + ",\"usage\":";
    append_usage_object(out, usage, true);
    append_prompt_logprobs_of(out, choices.front());
    out += ",\"prompt_token_id_logprobs\":null";
    append_prompt_ids(out, 0, facts_.request->show_prompt_ids);
    out += ",\"mm_placeholders\":null,\"metrics\":null,\"kv_transfer_params\":null,\"ec_transfer_params\":null" + mode_;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (i > 0) out += ',';
      append_choice(out, {.index = i,
                          .finish_reason = choices[i].finish_reason,
                          .stop_reason = choices[i].stop_reason,
                          .ids = choices[i].ids,
                          .text = choices[i].text,
                          .logprobs = choices[i].logprobs,
                          .length = choices[i].ids.size()});
    }
    return out + "]}";
  }

 private:
  struct Shown {
    size_t index = 0;
    const char* finish_reason = nullptr;
    std::string_view stop_reason;
    std::span<const TokenId> ids;
    std::string_view text;
    std::string_view logprobs;
    size_t length = 0;  // tokens of the choice up to here
  };

  bool with_text() const { return !facts_.request->tokens_only; }

  void append_choice(std::string& out, const Shown& choice) const {
    out += "{\"index\":" + std::to_string(choice.index);
    if (choice.finish_reason == nullptr) {
      out += ",\"finish_reason\":null,\"stop_reason\":null";
    } else {
      append_finish(out, choice.finish_reason, choice.stop_reason);
    }
    append_token_ids(out, choice.ids);
    out += ",\"routed_experts\":null,\"sampling_mask\":null,\"weight_versions\":";
    if (choice.finish_reason == nullptr) {
      out += "null";
    } else {
      out += "[{\"version\":\"default\",\"start\":0,\"end\":" + std::to_string(choice.length) + "}]";
    }
    out += ",\"logprobs\":";
    out += choice.logprobs;
    if (with_text()) {
      out += ",\"text\":";
      append_json_string(out, choice.text);
    }
    out += '}';
  }

  std::string id_;               // the head of every object
  std::string mode_;             // and what precedes its choices
  std::vector<size_t> lengths_;  // streams: by choice
};

/// The values of `sampling_params`, by the rules of a completion's fields.
std::optional<ApiError> read_sampling_params(Json sampling, const Json& body, const PrepareContext& context,
                                             PreparedGeneration& out) {
  const ApiOptions& options = *context.options;
  const FieldLimits limits{.stop_strings_max = options.stop_strings_max, .place = "body.sampling_params"};
  if (auto error = check_fields(sampling, kSampling, limits)) return error;
  for (const char* name : {"stream", "stream_options", "cache_salt", "priority"}) {
    if (const Json* value = find_given(body, name)) sampling.set(name, *value);
  }
  if (auto error = read_params(sampling, kCompletions, options, context.limits(), out.params)) return error;
  if (!find_int(sampling, "max_tokens")) out.params.max_tokens.reset();
  if (out.params.n > context.info->max_num_seqs) {
    return bad_request("sampling_params.n must be at most the server's max_num_seqs (" +
                       std::to_string(context.info->max_num_seqs) + "), got " + std::to_string(out.params.n) + '.');
  }
  return plan_thinking(context, out);
}

std::optional<ApiError> read_token_ids(const Json& body, int32_t vocab_size, std::vector<TokenId>& out) {
  const Json::Array& ids = body.find("token_ids")->as_array();
  if (ids.empty()) {
    return schema_error({{"too_short", "body.token_ids", "List should have at least 1 item after validation, not 0",
                          "<list of 0 items>", "'field_type': 'List', 'min_length': 1, 'actual_length': 0"}});
  }
  for (const Json& item : ids) {
    if (item.as_int() >= vocab_size) {
      return bad_request("Token id " + std::to_string(item.as_int()) + " is out of vocabulary");
    }
    out.push_back(static_cast<TokenId>(item.as_int()));
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<AnswerFormat> make_tokens_format(AnswerFacts facts) {
  return std::make_unique<TokensFormat>(std::move(facts));
}

std::optional<ApiError> prepare_tokens(std::string_view bytes, const PrepareContext& context, PreparedGeneration& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kTokens, {})) return error;
  Prompt prompt;
  if (auto error = read_token_ids(body, context.info->vocab_size, prompt.ids)) return error;
  if (auto error = check_model(body, context)) return error;
  for (const char* images : {"features", "content_parts"}) {
    if (find_given(body, images) == nullptr) continue;
    return bad_request(std::string(images) + " belongs to multimodal models; this server runs text models", images);
  }
  const Json& sampling = *body.find("sampling_params");
  if (auto error = read_sampling_params(sampling, body, context, out)) return error;
  if (auto error = plan_tokens_max(out.params, static_cast<int64_t>(prompt.ids.size()), context.info->max_model_len,
                                   prompt.tokens_max)) {
    return error;
  }
  const std::string* mode = find_string(body, "output_mode");
  out.tokens_only = mode == nullptr || *mode == "tokens";
  out.show_prompt_ids = get_bool(body, "return_token_ids", false);
  out.params.return_token_ids = true;
  if (auto error = read_names(body, out)) return error;
  ConstraintSource source;
  if (auto error = read_constraint(sampling, source)) return error;
  if (auto error = context.constraints->compile(source, ThinkingStart::kNone, prompt.constraint)) return error;
  out.prompts.push_back(std::move(prompt));
  return std::nullopt;
}

std::optional<ApiError> read_abort(std::string_view bytes, std::unordered_set<std::string>& ids) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  const Json* given = body.is_object() ? find_given(body, "request_ids") : nullptr;
  if (given == nullptr) {
    return ApiError{.type = "Bad Request", .message = "Missing 'request_ids' in request body"};
  }
  if (given->is_string()) ids.insert(given->as_string());
  if (!given->is_array()) return std::nullopt;
  for (const Json& id : given->as_array()) {
    if (id.is_string()) ids.insert(id.as_string());
  }
  return std::nullopt;
}

}  // namespace seraph
