#include "engine/sample/sample_rows.h"

#include <algorithm>
#include <bit>

namespace seraph {

void SampleState::restart(const Request& request, const SampleModel& model) {
  const SamplingParams& sampling = request.sampling;
  id_ = request.id;
  num_followed_ = 0;
  counting_ =
      sampling.repetition_penalty != 1.0F || sampling.frequency_penalty != 0.0F || sampling.presence_penalty != 0.0F;
  counts_.clear();
  const auto inside = [&model](TokenId id) { return id >= 0 && id < model.vocab_size; };
  stop_ids_.clear();
  if (sampling.tokens_min > 0) {
    // eos is masked even with ignore_eos, as vLLM does (golden: sampling/process).
    std::copy_if(model.eos_ids.begin(), model.eos_ids.end(), std::back_inserter(stop_ids_), inside);
    std::copy_if(sampling.stop_token_ids.begin(), sampling.stop_token_ids.end(), std::back_inserter(stop_ids_), inside);
  }
  allowed_.clear();
  if (!sampling.allowed_ids.empty()) allowed_.assign((static_cast<size_t>(model.vocab_size) + 31) / 32, 0);
  for (const TokenId id : sampling.allowed_ids) {
    if (inside(id)) allowed_[static_cast<size_t>(id) / 32] |= 1U << (id % 32);
  }
  bias_.clear();
  for (const auto& [id, value] : sampling.logit_bias) {
    if (inside(id)) bias_.emplace_back(id, value);
  }
}

void SampleState::find_bad_ids(const Request& request, std::span<const TokenId> tokens, const SampleModel& model) {
  bad_ids_.clear();
  const auto output = tokens.subspan(request.prompt_ids.size());
  for (const std::vector<TokenId>& word : request.sampling.bad_words) {
    const size_t before = word.size() - 1;
    if (before > output.size() || word.back() < 0 || word.back() >= model.vocab_size) continue;
    if (std::equal(word.begin(), word.end() - 1, output.end() - static_cast<std::ptrdiff_t>(before))) {
      bad_ids_.push_back(word.back());
    }
  }
}

std::span<const int32_t> SampleState::banned(bool before_tokens_min) {
  if (!before_tokens_min) return bad_ids_;
  if (bad_ids_.empty()) return stop_ids_;
  banned_ = stop_ids_;
  banned_.insert(banned_.end(), bad_ids_.begin(), bad_ids_.end());
  return banned_;
}

void SampleState::follow(const Request& request, std::span<const TokenId> tokens, const SampleModel& model) {
  // Ids are unique for the life of the process. A sequence that comes back after preemption has the same tokens, so a
  // state that kept them is still right.
  if (id_ != request.id) restart(request, model);
  find_bad_ids(request, tokens, model);
  if (!counting_) return;
  const size_t prompt_tokens = request.prompt_ids.size();
  if (num_followed_ == 0) {
    counts_.add_prompt(tokens.first(prompt_tokens));
    num_followed_ = prompt_tokens;
  }
  for (; num_followed_ < tokens.size(); ++num_followed_) counts_.add_output(tokens[num_followed_]);
}

SampleRow make_draw_row(const SamplingParams& params, SampleState& state, const DrawArgs& args) {
  SampleRow row;
  row.logit_row = args.logit_row;
  row.temperature = params.temperature;
  row.top_k = params.top_k;
  row.top_p = params.top_p;
  row.min_p = params.min_p;
  row.repetition_penalty = params.repetition_penalty;
  row.frequency_penalty = params.frequency_penalty;
  row.presence_penalty = params.presence_penalty;
  row.seed = params.seed;
  row.position = static_cast<uint32_t>(args.position);
  row.choice = params.choice;
  row.num_logprobs = std::min(params.num_logprobs, args.vocab_size);
  row.logprob_ids = params.logprob_ids;
  row.counts = state.counts();
  row.bias = state.bias();
  row.banned = state.banned(args.generated_tokens < params.tokens_min);
  row.allowed = state.allowed();
  return row;
}

bool masks_everything(const SampleRow& row, int32_t vocab_size) {
  if (row.allowed == nullptr) return false;  // nobody can ban a whole vocabulary
  const auto is_allowed = [&row](int32_t id) { return (row.allowed[id / 32] >> (id % 32) & 1U) != 0; };
  // More allowed ids than banned ones, as nearly always, leave some: counting ends with the first few.
  size_t num_allowed = 0;
  for (int32_t word = 0; word < (vocab_size + 31) / 32 && num_allowed <= row.banned.size(); ++word) {
    num_allowed += static_cast<size_t>(std::popcount(row.allowed[word]));
  }
  if (num_allowed > row.banned.size()) return false;
  std::vector<int32_t> banned(row.banned.begin(), row.banned.end());
  std::sort(banned.begin(), banned.end());
  banned.erase(std::unique(banned.begin(), banned.end()), banned.end());
  return static_cast<size_t>(std::count_if(banned.begin(), banned.end(), is_allowed)) == num_allowed;
}

SampleRow make_prompt_row(int32_t num_logprobs, int32_t logit_row, TokenId given) {
  SampleRow row;
  row.logit_row = logit_row;
  row.given_token = given;
  row.num_logprobs = num_logprobs;
  return row;
}

}  // namespace seraph
