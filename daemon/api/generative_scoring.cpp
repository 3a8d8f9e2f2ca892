#include "daemon/api/generative_scoring.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/openai_format.h"

namespace seraph {
namespace {

/// The first label's probability: among the labels with `softmax`, else in the whole vocabulary. `position` begins with
/// the drawn token, which is no label unless it comes again.
double score_of(const PositionLogprobs& position, bool softmax) {
  if (position.size() < 2) return 0;
  const double first = position[1].logprob;
  if (!softmax) return std::exp(first);
  double largest = first;
  for (size_t i = 2; i < position.size(); ++i) largest = std::max(largest, static_cast<double>(position[i].logprob));
  double sum = 0;
  for (size_t i = 1; i < position.size(); ++i) sum += std::exp(static_cast<double>(position[i].logprob) - largest);
  return std::exp(first - largest) / sum;
}

class ScoringFormat final : public OpenAiFormat {
 public:
  explicit ScoringFormat(AnswerFacts facts) : OpenAiFormat(std::move(facts), "list", "list") {}

  void begin_stream(std::string& /*out*/, const Usage& /*usage*/) override {}
  void append_delta(std::string& /*out*/, const Delta& /*delta*/) override {}

  std::string body(std::span<const Choice> choices, const Usage& usage) override {
    std::string out = head_ + ",\"data\":[";
    for (size_t i = 0; i < choices.size(); ++i) {
      if (i > 0) out += ',';
      out += "{\"index\":" + std::to_string(i) + ",\"object\":\"score\",\"score\":";
      append_json_double(out, score_of(choices[i].label_logprobs, facts_.request->softmax));
      out += '}';
    }
    out += "],\"usage\":";
    append_usage_object(out, usage, true);
    out += '}';
    return out;
  }
};

std::optional<ApiError> read_labels(const Json& body, int32_t vocab_size, std::vector<TokenId>& out) {
  constexpr size_t kLabelsMax = 128;
  for (const Json& label : body.find("label_token_ids")->as_array()) {
    const int64_t id = label.as_int();
    if (id < 0 || id >= vocab_size) {
      return bad_request("label_token_id " + std::to_string(id) + " is out of vocabulary range [0, " +
                         std::to_string(vocab_size) + "). Please provide valid token IDs.");
    }
    out.push_back(static_cast<TokenId>(id));
  }
  if (out.empty()) return bad_request("label_token_ids must contain at least one token ID.");
  if (out.size() <= kLabelsMax) return std::nullopt;
  return bad_request("label_token_ids holds " + std::to_string(out.size()) + " ids, at most " +
                         std::to_string(kLabelsMax) + " are taken",
                     "label_token_ids");
}

std::optional<ApiError> read_part(const Json& part, bool add_special_tokens, const PrepareContext& context,
                                  std::vector<TokenId>& out) {
  if (part.is_string()) return encode_prompt(part.as_string(), add_special_tokens, context, out);
  for (const Json& item : part.as_array()) {
    if (item.as_int() < 0 || item.as_int() >= context.info->vocab_size) {
      return bad_request("Token id " + std::to_string(item.as_int()) + " is out of vocabulary");
    }
    out.push_back(static_cast<TokenId>(item.as_int()));
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<AnswerFormat> make_scoring_format(AnswerFacts facts) {
  return std::make_unique<ScoringFormat>(std::move(facts));
}

std::optional<ApiError> prepare_scoring(std::string_view bytes, const PrepareContext& context,
                                        PreparedGeneration& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kScoring, {})) return error;
  warn_of_unknown_fields(body, kScoring, out);
  if (auto error = check_model(body, context)) return error;
  SamplingParams& sampling = out.params.sampling;
  if (auto error = read_labels(body, context.info->vocab_size, sampling.logprob_ids.edit())) return error;
  const Json::Array& items = body.find("items")->as_array();
  if (items.empty()) return bad_request("items must contain at least one item.");
  if (static_cast<int64_t>(items.size()) > context.options->completion_prompts_max) {
    return bad_request("items holds " + std::to_string(items.size()) + " items, at most " +
                           std::to_string(context.options->completion_prompts_max) + " are taken in one request",
                       "items");
  }
  sampling.num_logprobs = static_cast<int32_t>(sampling.logprob_ids.size());
  sampling.temperature = 0;
  out.params.max_tokens = 1;
  out.params.priority =
      static_cast<int32_t>(std::clamp<int64_t>(find_int(body, "priority").value_or(0), INT32_MIN, INT32_MAX));
  if (const std::string* salt = find_string(body, "cache_salt")) out.params.cache_salt = *salt;
  out.softmax = get_bool(body, "apply_softmax", true);
  if (auto error = read_names(body, out)) return error;
  std::vector<TokenId> query;
  const bool add_special_tokens = get_bool(body, "add_special_tokens", true);
  if (auto error = read_part(*body.find("query"), add_special_tokens, context, query)) return error;
  const bool item_first = get_bool(body, "item_first", false);
  for (const Json& item : items) {
    Prompt prompt;
    if (auto error = read_part(item, false, context, prompt.ids)) return error;
    prompt.ids.insert(item_first ? prompt.ids.end() : prompt.ids.begin(), query.begin(), query.end());
    const auto room = static_cast<size_t>(context.info->max_model_len - 1);
    if (prompt.ids.size() > room) prompt.ids.resize(room);
    if (auto error = plan_tokens_max(out.params, static_cast<int64_t>(prompt.ids.size()), context.info->max_model_len,
                                     prompt.tokens_max)) {
      return error;
    }
    out.prompts.push_back(std::move(prompt));
  }
  return std::nullopt;
}

}  // namespace seraph
