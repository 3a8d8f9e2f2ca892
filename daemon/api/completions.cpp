// POST /v1/completions: from bytes to prompts (text, ids, or batches of either), and the JSON of its answers.
#include <algorithm>
#include <utility>

#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/fill_in_middle.h"
#include "daemon/api/openai_format.h"
#include "daemon/api/prepare.h"

namespace seraph {
namespace {

class CompletionFormat : public OpenAiFormat {
 public:
  explicit CompletionFormat(AnswerFacts facts) : OpenAiFormat(std::move(facts), "text_completion", "text_completion") {}

  void begin_stream(std::string&, const Usage&) override {}

  void append_delta(std::string& out, const Delta& delta) override {
    const GenerationParams& params = facts_.request->params;
    out += chunk_head_;
    out += ",\"choices\":[{\"index\":";
    out += std::to_string(delta.choice);
    out += ",\"text\":";
    append_json_string(out, delta.text);
    out += ",\"logprobs\":";
    out += delta.logprobs;
    if (delta.finish_reason == nullptr) {
      out += ",\"finish_reason\":null,\"stop_reason\":null";
    } else {
      append_finish(out, delta.finish_reason, delta.stop_reason);
    }
    append_prompt_ids(out, prompt_of(delta.choice), delta.first && (params.echo || params.return_token_ids));
    append_token_ids(out, delta.ids);
    out += "}]";
    append_chunk_tail(out, delta.usage, delta.last_event);
  }

  std::string body(std::span<const Choice> choices, const Usage& usage) override {
    std::string out = head_ + ",\"choices\":[";
    for (size_t i = 0; i < choices.size(); ++i) {
      if (i > 0) out += ',';
      out += "{\"index\":" + std::to_string(i) + ",\"text\":";
      append_json_string(out, choices[i].text);
      out += ",\"logprobs\":" + choices[i].logprobs;
      append_finish(out, choices[i].finish_reason, choices[i].stop_reason);
      append_token_ids(out, choices[i].ids);
      append_prompt_logprobs_of(out, choices[i]);
      append_prompt_ids(out, prompt_of(i), facts_.request->params.return_token_ids);
      out += ",\"routed_experts\":null}";
    }
    out += ']';
    append_body_usage(out, usage);
    out += ",\"kv_transfer_params\":null}";
    return out;
  }

 private:
  size_t prompt_of(size_t choice) const { return choice / static_cast<size_t>(facts_.request->params.n); }
};

/// The prompts of a checked body, not yet tokenized: exactly one of text and ids per prompt.
struct RawPrompt {
  const std::string* text = nullptr;
  const Json::Array* ids = nullptr;
};

std::optional<ApiError> list_prompts(const Json& body, const ApiOptions& options, std::vector<RawPrompt>& out) {
  const Json* prompt = find_given(body, "prompt");
  if (prompt == nullptr || (prompt->is_string() && prompt->as_string().empty())) {
    return bad_request("Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)", "prompt");
  }
  if (prompt->is_string()) {
    out.push_back({&prompt->as_string(), nullptr});
    return std::nullopt;
  }
  const Json::Array& items = prompt->as_array();
  if (items.empty()) return bad_request("You must pass at least one prompt");
  if (items.front().is_int()) {
    out.push_back({nullptr, &items});
    return std::nullopt;
  }
  if (static_cast<int64_t>(items.size()) > options.completion_prompts_max) {
    return bad_parameter("prompt holds " + std::to_string(items.size()) + " prompts, at most " +
                             std::to_string(options.completion_prompts_max) + " are taken in one request.",
                         "prompt", std::to_string(items.size()));
  }
  for (const Json& item : items) {
    if (item.is_string()) {
      out.push_back({&item.as_string(), nullptr});
    } else {
      out.push_back({nullptr, &item.as_array()});
    }
  }
  return std::nullopt;
}

/// vLLM's words for a model that cannot, and ours for a prompt that cannot.
std::optional<ApiError> check_suffix(const Json& body, const PrepareContext& context,
                                     const std::vector<RawPrompt>& prompts) {
  if (find_string(body, "suffix") == nullptr) return std::nullopt;
  if (!find_middle_form(*context.tokenizer)) {
    return bad_request("suffix is only supported for models with FIM completion rendering", "suffix");
  }
  for (const RawPrompt& prompt : prompts) {
    if (prompt.text == nullptr) return bad_request("suffix needs a prompt that is text, not token ids", "suffix");
  }
  return std::nullopt;
}

std::optional<ApiError> read_prompt_ids(const Json::Array& items, const PrepareContext& context,
                                        std::vector<TokenId>& ids) {
  ids.reserve(items.size());
  for (const Json& item : items) {
    if (item.as_int() >= context.info->vocab_size) {
      return bad_request("Token id " + std::to_string(item.as_int()) + " is out of vocabulary");
    }
    ids.push_back(static_cast<TokenId>(item.as_int()));
  }
  return std::nullopt;
}

std::optional<ApiError> prepare_prompt(const RawPrompt& raw, const Json& body, const PrepareContext& context,
                                       const GenerationParams& params, Prompt& out) {
  if (raw.text != nullptr) {
    const bool add_special_tokens = get_bool(body, "add_special_tokens", true);
    const std::string* suffix = find_string(body, "suffix");
    const std::string middle =
        suffix != nullptr ? middle_prompt(*find_middle_form(*context.tokenizer), *raw.text, *suffix) : "";
    const std::string& text = suffix != nullptr ? middle : *raw.text;
    if (auto error = encode_prompt(text, add_special_tokens, context, out.ids)) return error;
    if (raw.text->empty()) out.ids.clear();
  } else if (auto error = read_prompt_ids(*raw.ids, context, out.ids)) {
    return error;
  }
  if (params.echo) out.text = raw.text != nullptr ? *raw.text : context.tokenizer->decode(out.ids, false);
  const int64_t max_model_len = context.info->max_model_len;
  if (auto error = truncate_prompt(body, params, max_model_len, out.ids)) return error;
  return plan_tokens_max(params, static_cast<int64_t>(out.ids.size()), max_model_len, out.tokens_max);
}

}  // namespace

std::unique_ptr<AnswerFormat> make_completion_format(AnswerFacts facts) {
  return std::make_unique<CompletionFormat>(std::move(facts));
}

std::optional<ApiError> prepare_completion(std::string_view bytes, const PrepareContext& context,
                                           PreparedGeneration& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  const ApiOptions& options = *context.options;
  if (auto error = check_fields(body, kCompletions, {options.stop_strings_max})) return error;
  warn_of_unknown_fields(body, kCompletions, out);
  std::vector<RawPrompt> raw;
  if (auto error = list_prompts(body, options, raw)) return error;
  if (auto error = check_suffix(body, context, raw)) return error;
  if (auto error = choose_model(body, context, out)) return error;
  if (auto error = read_params(body, kCompletions, options, context.limits(), out.params)) return error;
  if (auto error = plan_thinking(context, out)) return error;
  if (static_cast<int64_t>(raw.size()) * out.params.best_of > options.choices_max) {
    return bad_request("prompts times n is " + std::to_string(static_cast<int64_t>(raw.size()) * out.params.best_of) +
                           ", at most " + std::to_string(options.choices_max) + " sequences are taken in one request",
                       "n");
  }
  // vLLM shows either the prompt's text or its ids.
  if (out.params.return_token_ids) out.params.echo = false;
  for (const RawPrompt& one : raw) {
    Prompt prompt;
    if (auto error = prepare_prompt(one, body, context, out.params, prompt)) return error;
    out.prompts.push_back(std::move(prompt));
  }
  if (auto error = read_names(body, out)) return error;
  ConstraintSource source;
  if (auto error = read_constraint(body, source)) return error;
  std::shared_ptr<const Constraint> constraint;
  if (auto error = context.constraints->compile(source, ThinkingStart::kNone, constraint)) return error;
  for (Prompt& prompt : out.prompts) prompt.constraint = constraint;
  return std::nullopt;
}

}  // namespace seraph
