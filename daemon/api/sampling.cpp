#include "daemon/api/sampling.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace seraph {
namespace {

constexpr double kGreedyBelow = 1e-5;
constexpr size_t kStopBytesMax = 1 << 16;  // of a stop string: so much text may be held back
constexpr size_t kShownMax = 20;           // of a list's wrong items in an error

int32_t clamp_int32(int64_t value) {
  return static_cast<int32_t>(
      std::clamp<int64_t>(value, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

ApiError out_of_vocabulary(const char* field, const std::vector<int64_t>& ids, int32_t vocab_size) {
  std::string list = "[";
  for (size_t i = 0; i < ids.size() && i < kShownMax; ++i) list += (i == 0 ? "" : ", ") + std::to_string(ids[i]);
  list += ids.size() > kShownMax ? ", ...]" : "]";
  return bad_parameter("token_id(s) " + list + " in " + field +
                           " contain out-of-vocab token ids. Vocabulary size: " + std::to_string(vocab_size),
                       field, list);
}

/// The ids of a list field; out-of-vocabulary ids are an error.
std::optional<ApiError> read_ids(const Json& body, const char* field, int32_t vocab_size, std::vector<TokenId>& out) {
  const Json* list = find_given(body, field);
  if (list == nullptr) return std::nullopt;
  std::vector<int64_t> wrong;
  for (const Json& item : list->as_array()) {
    const int64_t id = item.as_int();
    if (id < 0 || id >= vocab_size) {
      wrong.push_back(id);
    } else {
      out.push_back(static_cast<TokenId>(id));
    }
  }
  if (!wrong.empty()) return out_of_vocabulary(field, wrong, vocab_size);
  return std::nullopt;
}

std::optional<ApiError> read_logit_bias(const Json& body, int32_t vocab_size, SamplingParams& out) {
  const Json* map = find_given(body, "logit_bias");
  if (map == nullptr) return std::nullopt;
  std::string not_ids;
  size_t num_not_ids = 0;
  std::vector<int64_t> wrong;
  std::unordered_map<TokenId, float> biases;
  for (const auto& [key, value] : map->as_object()) {
    int64_t id = 0;
    const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (code != std::errc() || end != key.data() + key.size() || key.empty()) {
      if (++num_not_ids > kShownMax) continue;
      not_ids += (not_ids.empty() ? "" : ", ") + python_string(describe(Json(key)));
    } else if (id < 0 || id >= vocab_size) {
      wrong.push_back(id);
    } else {
      const double bias = value.as_double();
      biases[static_cast<TokenId>(id)] =
          static_cast<float>(std::isnan(bias) ? -100.0 : std::clamp(bias, -100.0, 100.0));
    }
  }
  if (num_not_ids > kShownMax) not_ids += ", ...";
  if (num_not_ids > 0) {
    return bad_parameter("logit_bias contains key(s) that cannot be converted to integer token IDs: [" + not_ids + ']',
                         "logit_bias", '[' + not_ids + ']');
  }
  if (!wrong.empty()) return out_of_vocabulary("logit_bias", wrong, vocab_size);
  std::vector<std::pair<TokenId, float>>& list = out.logit_bias.edit();
  list.assign(biases.begin(), biases.end());
  std::sort(list.begin(), list.end());
  return std::nullopt;
}

void read_distribution(const Json& body, const SamplingDefaults& defaults, SamplingParams& out) {
  const auto number = [&](const char* name, const std::optional<double>& fallback, double otherwise) {
    return static_cast<float>(find_float(body, name).value_or(fallback.value_or(otherwise)));
  };
  out.temperature = number("temperature", defaults.temperature, 1.0);
  out.top_p = number("top_p", defaults.top_p, 1.0);
  out.min_p = number("min_p", defaults.min_p, 0.0);
  out.repetition_penalty = number("repetition_penalty", defaults.repetition_penalty, 1.0);
  out.presence_penalty = number("presence_penalty", {}, 0.0);
  out.frequency_penalty = number("frequency_penalty", {}, 0.0);
  out.top_k = clamp_int32(find_int(body, "top_k").value_or(defaults.top_k.value_or(0)));
}

/// A count of logprobs as asked (-1: the whole vocabulary) against the server's limit.
std::optional<ApiError> check_logprob_count(int64_t& count, const char* kind, const char* param,
                                            const ApiOptions& options, const SamplingLimits& limits) {
  if (count == -1) count = limits.vocab_size;
  const int64_t allowed = options.max_logprobs == -1 ? limits.vocab_size : options.max_logprobs;
  if (count <= allowed) return std::nullopt;
  return bad_parameter(std::string("Requested ") + kind + " logprobs of " + std::to_string(count) +
                           ", which is greater than max allowed: " + std::to_string(allowed),
                       param, std::to_string(count));
}

/// Named ids are reported instead of the best; chat lists the chosen token with them.
std::optional<ApiError> read_logprob_ids(const Json& body, Endpoint endpoint, const SamplingLimits& limits,
                                         GenerationParams& out) {
  constexpr const char* kField = "logprob_token_ids";
  constexpr size_t kIdsMax = 128;
  const Json* ids = find_given(body, kField);
  if (ids == nullptr || ids->as_array().empty()) return std::nullopt;
  if (get_bool(body, "use_beam_search", false)) {
    return bad_request("`logprob_token_ids` is not supported with beam search. (parameter=logprob_token_ids)", kField);
  }
  if (!out.logprobs) {
    const std::string what = endpoint == kChat ? "must be set to true" : "must be set";
    return bad_request("when using `logprob_token_ids`, `logprobs` " + what + ". (parameter=logprob_token_ids)",
                       kField);
  }
  if (endpoint == kCompletions && out.echo) {
    return bad_request("`logprob_token_ids` is not supported when `echo=True`. (parameter=logprob_token_ids)", kField);
  }
  if (ids->as_array().size() > kIdsMax) {
    const std::string count = std::to_string(ids->as_array().size());
    return bad_parameter("Requested logprob_token_ids of length " + count +
                             ", which is greater than max allowed: " + std::to_string(kIdsMax),
                         kField, count);
  }
  if (auto error = read_ids(body, kField, limits.vocab_size, out.sampling.logprob_ids.edit())) return error;
  out.sampling.num_logprobs = static_cast<int32_t>(out.sampling.logprob_ids.size());
  out.top_logprobs = out.sampling.num_logprobs + (endpoint == kChat ? 1 : 0);
  return std::nullopt;
}

std::optional<ApiError> read_logprobs(const Json& body, Endpoint endpoint, const ApiOptions& options,
                                      const SamplingLimits& limits, GenerationParams& out) {
  std::optional<int64_t> count;
  if (endpoint == kChat) {
    out.logprobs = get_bool(body, "logprobs", false);
    const int64_t top = find_int(body, "top_logprobs").value_or(0);
    if (top != 0 && !out.logprobs) {
      return bad_request("when using `top_logprobs`, `logprobs` must be set to true. (parameter=top_logprobs)",
                         "top_logprobs");
    }
    if (out.logprobs) count = top;
  } else {
    count = find_int(body, "logprobs");
    out.logprobs = count.has_value();
  }
  if (auto error = read_logprob_ids(body, endpoint, limits, out)) return error;
  if (!out.sampling.logprob_ids.empty()) count.reset();
  if (count) {
    if (auto error = check_logprob_count(*count, "sample", "logprobs", options, limits)) return error;
    out.top_logprobs = static_cast<int32_t>(*count);
    out.sampling.num_logprobs = out.top_logprobs;
  }
  std::optional<int64_t> of_prompt = find_int(body, "prompt_logprobs");
  if (of_prompt && *of_prompt != 0 && out.stream) {
    return bad_request("`prompt_logprobs` are not available when `stream=True`. (parameter=prompt_logprobs)",
                       "prompt_logprobs");
  }
  // echo shows the prompt's logprobs too: as many as of the output (chat: at least the tokens' own).
  if (!of_prompt && out.echo && (endpoint == kChat || count)) of_prompt = count.value_or(0);
  if (of_prompt) {
    if (auto error = check_logprob_count(*of_prompt, "prompt", "prompt_logprobs", options, limits)) return error;
    out.sampling.num_prompt_logprobs = static_cast<int32_t>(*of_prompt);
  }
  return std::nullopt;
}

std::optional<ApiError> read_output_limits(const Json& body, Endpoint endpoint, const ApiOptions& options,
                                           const SamplingLimits& limits, GenerationParams& out) {
  constexpr int64_t kCompletionsDefault = 16;
  out.max_tokens = find_int(body, "max_tokens");
  if (endpoint == kChat) {
    if (const auto newer = find_int(body, "max_completion_tokens")) out.max_tokens = newer;
  } else {
    if (!out.max_tokens) out.max_tokens = kCompletionsDefault;
    out.echo_only = out.echo && *out.max_tokens == 0;
    if (out.echo_only) out.max_tokens = 1;
  }
  if (out.max_tokens && *out.max_tokens > limits.max_model_len) {
    const std::string asked = std::to_string(*out.max_tokens);
    return bad_parameter("max_tokens=" + asked + " cannot be greater than max_model_len=" +
                             std::to_string(limits.max_model_len) + ". Please request fewer output tokens.",
                         "max_tokens", asked);
  }
  out.max_tokens_cap = options.sampling.max_new_tokens.value_or(0);
  out.sampling.tokens_min = clamp_int32(find_int(body, "min_tokens").value_or(0));
  out.sampling.ignore_eos = get_bool(body, "ignore_eos", false);
  std::vector<TokenId>& stop_ids = out.sampling.stop_token_ids.edit();
  if (auto error = read_ids(body, "stop_token_ids", limits.vocab_size, stop_ids)) return error;
  if (!out.sampling.ignore_eos) {
    stop_ids.insert(stop_ids.end(), options.stop_token_ids.begin(), options.stop_token_ids.end());
  }
  // The engine looks through them for every token: a body's worth of repetitions would slow down everybody's steps.
  std::sort(stop_ids.begin(), stop_ids.end());
  stop_ids.erase(std::unique(stop_ids.begin(), stop_ids.end()), stop_ids.end());
  if (const Json* stop = find_given(body, "stop")) {
    for (const Json& text : stop->as_array()) {
      if (text.as_string().empty()) return bad_request("stop cannot contain an empty string.");
      if (text.as_string().size() > kStopBytesMax) {
        return bad_request("a stop string has " + std::to_string(text.as_string().size()) + " bytes, at most " +
                               std::to_string(kStopBytesMax) + " are taken",
                           "stop");
      }
      out.stop.push_back(text.as_string());
    }
  }
  out.include_stop = get_bool(body, "include_stop_str_in_output", false);
  return std::nullopt;
}

std::optional<ApiError> read_stream(const Json& body, const ApiOptions& options, GenerationParams& out) {
  out.stream = get_bool(body, "stream", false);
  const Json* given = find_given(body, "stream_options");
  if (given != nullptr && !given->as_object().empty() && !out.stream) {
    return bad_request("Stream options can only be defined when `stream=True`. (parameter=stream_options)",
                       "stream_options");
  }
  if (given != nullptr) {
    out.include_usage = get_bool(*given, "include_usage", false);
    out.continuous_usage = out.include_usage && get_bool(*given, "continuous_usage_stats", false);
  }
  if (options.force_include_usage) out.include_usage = out.continuous_usage = true;
  out.stream_interval = clamp_int32(find_int(body, "stream_interval").value_or(1));
  return std::nullopt;
}

/// The ids that alone may be drawn.
std::optional<ApiError> read_allowed_ids(const Json& body, int32_t vocab_size, SamplingParams& out) {
  const Json* ids = find_given(body, "allowed_token_ids");
  if (ids == nullptr) return std::nullopt;
  if (ids->as_array().empty()) {
    return bad_parameter("allowed_token_ids is not None and empty!", "allowed_token_ids", "[]");
  }
  for (const char* name : {"structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar",
                           "structural_tag", "response_format", "tools"}) {
    if (find_given(body, name) == nullptr) continue;
    return bad_request(std::string("allowed_token_ids cannot be combined with ") + name, "allowed_token_ids");
  }
  std::string shown;
  bool wrong = false;
  std::vector<TokenId>& allowed = out.allowed_ids.edit();
  for (const Json& item : ids->as_array()) {
    const int64_t id = item.as_int();
    if (shown.size() < 200) shown += (shown.empty() ? "" : ", ") + std::to_string(id);
    if (id < 0 || id >= vocab_size) {
      wrong = true;
    } else {
      allowed.push_back(static_cast<TokenId>(id));
    }
  }
  if (wrong) {
    return bad_parameter("allowed_token_ids contains out-of-vocab token id!", "allowed_token_ids", '[' + shown + ']');
  }
  std::sort(allowed.begin(), allowed.end());
  allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
  return std::nullopt;
}

/// Words as ids, in vLLM's way: as the word stands, and as it stands after a space where that is another first token
/// and not more of them. What is longer than every answer cannot be drawn and is left out.
std::optional<ApiError> read_bad_words(const Json& body, const SamplingLimits& limits, SamplingParams& out) {
  constexpr size_t kWordsMax = 128;
  constexpr size_t kIdsMax = 16'384;  // of all words; the engine compares them at every token
  const Json* words = find_given(body, "bad_words");
  if (words == nullptr) return std::nullopt;
  if (words->as_array().size() > kWordsMax) {
    return bad_request("bad_words holds " + std::to_string(words->as_array().size()) + " words, at most " +
                           std::to_string(kWordsMax) + " are taken",
                       "bad_words");
  }
  std::vector<std::vector<TokenId>>& list = out.bad_words.edit();
  size_t num_ids = 0;
  const auto add = [&](std::vector<TokenId> ids) {
    if (ids.size() > static_cast<size_t>(limits.max_model_len)) return;
    num_ids += ids.size();
    list.push_back(std::move(ids));
  };
  for (const Json& item : words->as_array()) {
    std::string_view word = item.as_string();
    if (word.empty()) return bad_request("bad_words cannot contain an empty string. Got bad_words=['']");
    // What cannot fit into the context cannot be drawn either.
    if (word.size() > static_cast<size_t>(limits.max_model_len) * 64) continue;
    while (!word.empty() && std::isspace(static_cast<unsigned char>(word.front()))) word.remove_prefix(1);
    std::vector<TokenId> plain = limits.tokenizer->encode(word, false);
    std::vector<TokenId> spaced = limits.tokenizer->encode(' ' + std::string(word), false);
    if (plain.empty() || spaced.empty()) continue;
    const bool other_word = spaced.front() != plain.front() && spaced.size() == plain.size();
    add(std::move(plain));
    if (other_word) add(std::move(spaced));
    if (num_ids > kIdsMax) {
      return bad_request("bad_words holds more than " + std::to_string(kIdsMax) + " tokens", "bad_words");
    }
  }
  return std::nullopt;
}

bool is_greedy(const GenerationParams& params) {
  return static_cast<double>(params.sampling.temperature) < kGreedyBelow;
}

std::optional<ApiError> read_best_of(const Json& body, const ApiOptions& options, GenerationParams& out) {
  const int64_t best_of = find_int(body, "best_of").value_or(0);
  out.best_of = out.n;
  if (best_of == 0) return std::nullopt;
  if (best_of < out.n) {
    return bad_request("best_of must be greater than or equal to n, got n=" + std::to_string(out.n) +
                           " and best_of=" + std::to_string(best_of) + '.',
                       "best_of");
  }
  if (best_of > options.choices_max) {
    return bad_request(
        "best_of must be at most " + std::to_string(options.choices_max) + ", got " + std::to_string(best_of) + '.',
        "best_of");
  }
  if (best_of > 1 && !out.beam_search && is_greedy(out)) {
    return bad_request("best_of must be 1 when using greedy sampling, got " + std::to_string(best_of) + '.', "best_of");
  }
  if (out.beam_search && best_of != out.n) {
    return bad_request("best_of is the number of beams, which is n here: leave it out or make them equal", "best_of");
  }
  out.best_of = static_cast<int32_t>(best_of);
  return std::nullopt;
}

/// Beams follow the model's own log probabilities: what would change them is refused, not ignored.
std::optional<ApiError> read_beam_search(const Json& body, Endpoint endpoint, GenerationParams& out) {
  out.beam_search = get_bool(body, "use_beam_search", false);
  out.length_penalty = find_float(body, "length_penalty").value_or(1.0);
  const Json* early = find_given(body, "early_stopping");
  const bool never = early != nullptr && early->is_string() && early->as_string() == "never";
  if (early != nullptr && !early->is_bool() && !never) {
    return bad_request("early_stopping must be true, false or \"never\"", "early_stopping");
  }
  out.early_stopping = early != nullptr && early->is_bool() && early->as_bool();
  if (!out.beam_search) return std::nullopt;
  constexpr int32_t kBeamsMax = 256;
  if (out.n > kBeamsMax) {
    return bad_request(
        "n must be at most " + std::to_string(kBeamsMax) + " with beam search, got " + std::to_string(out.n) + '.',
        "n");
  }
  if (!std::isfinite(out.length_penalty) || std::abs(out.length_penalty) > 100) {
    return bad_request("length_penalty must be in [-100, 100], got " + python_float(out.length_penalty) + '.',
                       "length_penalty");
  }
  if (out.stream && endpoint == kCompletions) {
    return bad_request("Streaming is not currently supported with beam search");
  }
  for (const char* name :
       {"logit_bias", "allowed_token_ids", "bad_words", "prompt_logprobs", "structured_outputs", "guided_json",
        "guided_regex", "guided_choice", "guided_grammar", "structural_tag", "tools", "repetition_detection"}) {
    const Json* value = find_given(body, name);
    const bool empty = value == nullptr || (value->is_array() && value->as_array().empty()) ||
                       (value->is_object() && value->as_object().empty());
    if (!empty) return bad_request(std::string(name) + " cannot be combined with beam search", name);
  }
  const Json* format = find_given(body, "response_format");
  const std::string* kind = format != nullptr ? find_string(*format, "type") : nullptr;
  if (kind != nullptr && *kind != "text") {
    return bad_request("response_format cannot be combined with beam search", "response_format");
  }
  for (const auto& [name, neutral] : {std::pair("frequency_penalty", 0.0), std::pair("presence_penalty", 0.0),
                                      std::pair("repetition_penalty", 1.0), std::pair("min_tokens", 0.0)}) {
    if (find_float(body, name).value_or(neutral) != neutral) {
      return bad_request(std::string(name) + " cannot be combined with beam search", name);
    }
  }
  if (out.thinking_tokens_max) {
    return bad_request("thinking_token_budget cannot be combined with beam search", "thinking_token_budget");
  }
  if (out.sampling.num_prompt_logprobs >= 0) {
    return bad_request("log probabilities of the prompt cannot be combined with beam search", "echo");
  }
  return std::nullopt;
}

std::optional<ApiError> read_choices(const Json& body, Endpoint endpoint, const ApiOptions& options,
                                     GenerationParams& out) {
  const int64_t n = find_int(body, "n").value_or(1);
  if (n > options.choices_max) {
    return bad_request("n must be at most " + std::to_string(options.choices_max) + ", got " + std::to_string(n) + '.');
  }
  out.n = static_cast<int32_t>(n);
  if (auto error = read_beam_search(body, endpoint, out)) return error;
  if (out.n > 1 && !out.beam_search && is_greedy(out)) {
    return bad_request("n must be 1 when using greedy sampling, got " + std::to_string(n) + '.');
  }
  if (auto error = read_best_of(body, options, out)) return error;
  out.whole_events = out.beam_search || out.best_of > out.n;
  if (const auto seed = find_int(body, "seed"); seed && *seed != -1) {
    out.seeded = true;
    out.sampling.seed = static_cast<uint64_t>(*seed);
  }
  return std::nullopt;
}

/// Features that are understood and asked for by their presence.
std::optional<ApiError> refuse_unoffered(const Json& body) {
  const Json* processors = find_given(body, "logits_processors");
  if (processors != nullptr && !(processors->is_array() && processors->as_array().empty())) {
    return bad_request(
        "logits_processors name Python code, which this server cannot load; see logit_bias, "
        "allowed_token_ids and bad_words",
        "logits_processors");
  }
  return std::nullopt;
}

}  // namespace

/// Allowed ids of which none may ever be the first: all are ends before min_tokens, or bad words themselves.
std::optional<ApiError> check_allowed_ids(const SamplingLimits& limits, const SamplingParams& sampling) {
  if (sampling.allowed_ids.empty()) return std::nullopt;
  std::vector<TokenId> single_bad_words;
  for (const std::vector<TokenId>& word : sampling.bad_words) {
    if (word.size() == 1) single_bad_words.push_back(word[0]);
  }
  const auto contains = [](std::span<const TokenId> ids, TokenId id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  const auto is_banned = [&](TokenId id) {
    if (sampling.tokens_min > 0 && (contains(limits.eos_ids, id) || contains(sampling.stop_token_ids, id))) return true;
    return contains(single_bad_words, id);
  };
  if (!std::all_of(sampling.allowed_ids.begin(), sampling.allowed_ids.end(), is_banned)) return std::nullopt;
  return bad_request("allowed_token_ids leaves no token to begin with: min_tokens and bad_words exclude all of them",
                     "allowed_token_ids");
}

std::optional<ApiError> read_params(const Json& body, Endpoint endpoint, const ApiOptions& options,
                                    const SamplingLimits& limits, GenerationParams& out) {
  if (auto error = refuse_unoffered(body)) return error;
  if (auto error = read_repetition(body, out.repetition)) return error;
  if (const int64_t budget = find_int(body, "thinking_token_budget").value_or(-1); budget >= 0) {
    out.thinking_tokens_max = clamp_int32(budget);
  }
  out.echo = get_bool(body, "echo", false);
  out.skip_special_tokens = get_bool(body, "skip_special_tokens", true);
  out.tokens_as_ids = get_bool(body, "return_tokens_as_token_ids", options.return_tokens_as_token_ids);
  out.return_token_ids = get_bool(body, "return_token_ids", false);
  out.return_prompt_text = get_bool(body, "return_prompt_text", false);
  out.priority = clamp_int32(find_int(body, "priority").value_or(0));
  if (const std::string* salt = find_string(body, "cache_salt")) out.cache_salt = *salt;
  if (auto error = read_stream(body, options, out)) return error;
  read_distribution(body, options.sampling, out.sampling);
  if (auto error = read_output_limits(body, endpoint, options, limits, out)) return error;
  if (auto error = read_logprobs(body, endpoint, options, limits, out)) return error;
  if (auto error = read_logit_bias(body, limits.vocab_size, out.sampling)) return error;
  if (auto error = read_allowed_ids(body, limits.vocab_size, out.sampling)) return error;
  if (auto error = read_bad_words(body, limits, out.sampling)) return error;
  if (auto error = check_allowed_ids(limits, out.sampling)) return error;
  return read_choices(body, endpoint, options, out);
}

std::optional<ApiError> plan_tokens_max(const GenerationParams& params, int64_t prompt_tokens, int64_t max_model_len,
                                        int32_t& tokens_max) {
  const std::string limit = std::to_string(max_model_len);
  if (prompt_tokens == 0) return bad_request("The decoder prompt cannot be empty");
  if (prompt_tokens > max_model_len) {
    // "at least": vLLM stops counting there, and clients match these words.
    const std::string at_least = std::to_string(max_model_len + 1);
    return bad_parameter("This model's maximum context length is " + limit +
                             " tokens. However, your prompt contains at " + "least " + at_least +
                             " input tokens, which exceeds this limit even without any output " +
                             "tokens. Please reduce the length of the input prompt.",
                         "input_tokens", at_least);
  }
  int64_t room = max_model_len - prompt_tokens;
  if (params.max_tokens) room = std::min(room, *params.max_tokens);
  if (params.max_tokens_cap > 0) room = std::min(room, params.max_tokens_cap);
  if (room < 1) {
    return bad_parameter("max_tokens must be at least 1, got " + std::to_string(room) + '.', "max_tokens",
                         std::to_string(room));
  }
  if (params.sampling.tokens_min > room) {
    return bad_request("min_tokens must be less than or equal to max_tokens=" + std::to_string(room) + ", got " +
                       std::to_string(params.sampling.tokens_min) + '.');
  }
  tokens_max = static_cast<int32_t>(room);
  return std::nullopt;
}

}  // namespace seraph
