#include "kernels/cpu/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/check.h"

namespace seraph::cpu {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();
constexpr float kGreedyBelow = 1e-5F;
constexpr float kTemperatureMin = 0.01F;
constexpr float kBiasMax = 100.0F;

bool edits(const SampleRow& row) {
  const bool penalised =
      row.repetition_penalty != 1.0F || row.frequency_penalty != 0.0F || row.presence_penalty != 0.0F;
  return row.allowed != nullptr || !row.banned.empty() || !row.bias.empty() || (penalised && !row.counts.empty());
}

void mask_disallowed(const uint32_t* allowed, float* logits, int64_t vocab_size) {
  for (int64_t begin = 0; begin < vocab_size; begin += 32) {
    const uint32_t bits = allowed[begin / 32];
    if (bits == 0xFFFFFFFFU) continue;
    const int64_t end = std::min<int64_t>(begin + 32, vocab_size);
    for (int64_t id = begin; id < end; ++id) {
      if ((bits >> (id - begin) & 1U) == 0) logits[id] = kMasked;
    }
  }
}

void penalise(const SampleRow& row, float* logits, int64_t vocab_size) {
  for (const TokenCount& seen : row.counts) {
    if (seen.id < 0 || seen.id >= vocab_size) continue;
    float& logit = logits[seen.id];
    if (seen.in_output > 0 || seen.in_prompt) {
      logit = logit > 0.0F ? logit / row.repetition_penalty : logit * row.repetition_penalty;
    }
    if (seen.in_output > 0) {
      logit -= row.frequency_penalty * static_cast<float>(seen.in_output);
      logit -= row.presence_penalty;
    }
  }
}

/// The order of a ranking: by logit, the smaller id first among equals.
constexpr auto heavier = [](const auto& a, const auto& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
};

/// The smallest distance below the maximum at which `enough` holds; everything when none does.
template <typename Enough>
float distance_for(const LogitProfile& profile, Enough enough) {
  for (int32_t s = 0; s < kProfileSteps; ++s) {
    if (enough(profile.count[s], profile.mass[s])) return kProfileDistance[s];
  }
  return kProfileDistance[kProfileSteps - 1];
}

}  // namespace

void edit_logits(const SampleRow& row, float* logits, int64_t vocab_size) {
  if (row.allowed != nullptr) mask_disallowed(row.allowed, logits, vocab_size);
  for (const int32_t id : row.banned) {
    if (id >= 0 && id < vocab_size) logits[id] = kMasked;
  }
  for (const auto& [id, bias] : row.bias) {
    if (id >= 0 && id < vocab_size) logits[id] += std::clamp(bias, -kBiasMax, kBiasMax);
  }
  penalise(row, logits, vocab_size);
}

void Sampler::reserve(int64_t vocab_max) {
  const auto size = static_cast<size_t>(vocab_max);
  if (ids_.size() >= size) return;
  untouched_.resize(size);
  ids_.resize(size);
  candidates_.reserve(size);
}

void Sampler::sample(const SampleRow& row, float* logits, int64_t columns, int64_t vocab_size, SampleResult& result) {
  SERAPH_CPU_CHECK(static_cast<int64_t>(ids_.size()) >= columns, "plan_scratch() covers the vocabulary");
  const bool greedy = row.temperature < kGreedyBelow;
  const bool given = row.given_token >= 0;
  const float* original = logits;
  if (row.num_logprobs >= 0 && !given && (edits(row) || !greedy)) {
    std::copy(logits, logits + columns, untouched_.begin());
    original = untouched_.data();
  }
  if (given) {
    result.token = row.given_token;
  } else {
    edit_logits(row, logits, vocab_size);
    result.token = static_cast<int32_t>(greedy ? kernels_.argmax(logits, vocab_size) : draw(row, logits, vocab_size));
  }
  result.num_logprobs = 0;
  if (row.num_logprobs >= 0 && result.token >= 0) report_logprobs(row, original, columns, result);
}

int64_t Sampler::draw(const SampleRow& row, float* logits, int64_t vocab_size) {
  const float temperature = std::max(row.temperature, kTemperatureMin);
  if (temperature != 1.0F) kernels_.divide(logits, vocab_size, temperature);
  const int64_t best = kernels_.argmax(logits, vocab_size);
  if (best < 0) return -1;
  const bool filtered = row.min_p > 0.0F || row.top_p < 1.0F || (row.top_k > 0 && row.top_k < vocab_size);
  if (filtered) {
    filter(row, logits, vocab_size, logits[best]);
    return draw_candidates(row, logits[best]);
  }
  return kernels_.draw({logits, vocab_size, row.seed, row.position, row.choice}, best);
}

std::span<const Candidate> Sampler::filter(const SampleRow& row, const float* logits, int64_t vocab_size,
                                           float max_logit) {
  const bool by_count = row.top_k > 0 && row.top_k < vocab_size;
  float border = row.min_p > 0.0F ? max_logit + std::log(row.min_p) : std::numeric_limits<float>::lowest();
  double total = -1.0;
  if (by_count || row.min_p <= 0.0F) {
    LogitProfile profile;
    kernels_.profile(logits, vocab_size, max_logit, profile);
    if (!by_count) total = profile.mass[kProfileSteps - 1];
    // A little more than the mass asked for, so that its last id is among the candidates for certain.
    const double mass = row.top_p * total * 1.0001;
    const float distance = by_count ? distance_for(profile, [&](int64_t count, double) { return count >= row.top_k; })
                                    : distance_for(profile, [&](int64_t, double sum) { return sum > mass; });
    border = std::max(border, max_logit - distance);
  }
  collect(logits, vocab_size, max_logit, border);
  if (by_count) keep_top_k(row.top_k);
  if (row.top_p < 1.0F) {
    if (total < 0.0) total = candidate_mass();
    keep_mass(row.top_p * total);
  }
  return candidates_;
}

void Sampler::collect(const float* logits, int64_t count, float max_logit, float border) {
  const int64_t found = kernels_.select_at_least(logits, count, border, ids_.data(), static_cast<int64_t>(ids_.size()));
  candidates_.clear();
  for (int64_t i = 0; i < found; ++i) {
    const int32_t id = ids_[static_cast<size_t>(i)];
    candidates_.push_back({id, logits[id], std::exp(static_cast<double>(logits[id]) - max_logit)});
  }
}

void Sampler::keep_top_k(int64_t k) {
  if (static_cast<int64_t>(candidates_.size()) <= k) return;
  const auto kth = candidates_.begin() + (k - 1);
  std::nth_element(candidates_.begin(), kth, candidates_.end(), heavier);
  const float border = kth->logit;
  std::erase_if(candidates_, [border](const Candidate& c) { return c.logit < border; });
}

void Sampler::keep_mass(double mass) {
  // Halve the range that holds the border until it is small, then walk it. [begin, end) is unordered,
  // everything before begin is heavier and stays, everything from end on is lighter and goes.
  constexpr int64_t kWalk = 64;
  auto begin = candidates_.begin();
  auto end = candidates_.end();
  double before = 0.0;
  while (end - begin > kWalk) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, heavier);
    double upper = 0.0;
    for (auto it = begin; it != middle; ++it) upper += it->weight;
    if (before + upper >= mass) {
      end = middle;
    } else {
      before += upper;
      begin = middle;
    }
  }
  std::sort(begin, end, heavier);
  while (begin != end && (begin == candidates_.begin() || before < mass)) before += (begin++)->weight;
  candidates_.erase(begin, candidates_.end());
}

double Sampler::candidate_mass() const {
  double sum = 0.0;
  for (const Candidate& c : candidates_) sum += c.weight;
  return sum;
}

int64_t Sampler::draw_candidates(const SampleRow& row, float max_logit) const {
  int64_t best = -1;
  float best_score = kMasked;
  double limit = std::numeric_limits<double>::infinity();
  for (const Candidate& c : candidates_) {
    const auto id = static_cast<uint32_t>(c.id);
    const PhiloxWords words = philox4x32({{id >> 2, row.position, row.choice, 0}}, static_cast<uint32_t>(row.seed),
                                         static_cast<uint32_t>(row.seed >> 32), 10);
    const uint32_t word = words.word[id & 3U];
    // The noise exceeds y only for u < exp(-y): no logarithms for an id that cannot win (see ops/logits.h).
    if (static_cast<double>(word) * 0x1p-32 > c.weight * limit) continue;
    const float score = c.logit + gumbel_noise(word);
    if (best < 0 || score > best_score || (score == best_score && c.id < best)) {
      best = c.id;
      best_score = score;
      limit = std::exp(static_cast<double>(max_logit) - best_score + 1e-3 + 4e-7 * std::fabs(best_score));
    }
  }
  return best;
}

void Sampler::report_logprobs(const SampleRow& row, const float* logits, int64_t columns, SampleResult& result) {
  SERAPH_CPU_CHECK(static_cast<int64_t>(result.logprobs.size()) > row.num_logprobs,
                   "room for the chosen id and k more");
  SERAPH_CPU_CHECK(result.token < columns, "a given token is an id of the vocabulary");
  const int64_t best = kernels_.argmax(logits, columns);
  if (best < 0) return;
  const float max_logit = logits[best];
  const double log_sum = max_logit + std::log(kernels_.exp_sum(logits, columns, max_logit));
  const auto logprob = [&](float logit) { return static_cast<float>(logit - log_sum); };
  const float chosen = logits[result.token];
  result.logprobs[0] = {result.token, logprob(chosen),
                        static_cast<int32_t>(kernels_.count_at_least(logits, columns, chosen))};
  result.num_logprobs = 1;
  const int64_t wanted = std::min<int64_t>(row.num_logprobs, columns);
  if (wanted == 0) return;
  if (!row.logprob_ids.empty()) {
    for (const int32_t id : row.logprob_ids) {
      SERAPH_CPU_CHECK(id >= 0 && id < columns, "ids to report are ids of the vocabulary");
      const auto rank = static_cast<int32_t>(kernels_.count_at_least(logits, columns, logits[id]));
      result.logprobs[static_cast<size_t>(result.num_logprobs++)] = {id, logprob(logits[id]), rank};
    }
    return;
  }
  LogitProfile profile;
  kernels_.profile(logits, columns, max_logit, profile);
  collect(logits, columns, max_logit,
          max_logit - distance_for(profile, [&](int64_t count, double) { return count >= wanted; }));
  keep_top_k(wanted);  // with all ties of the last, which its rank counts
  std::sort(candidates_.begin(), candidates_.end(), heavier);
  const auto found = static_cast<int64_t>(candidates_.size());
  int64_t rank = 0;
  for (int64_t i = 0; i < std::min(wanted, found); ++i) {
    const Candidate& c = candidates_[static_cast<size_t>(i)];
    while (rank < found && candidates_[static_cast<size_t>(rank)].logit >= c.logit) ++rank;
    if (c.id == result.token) continue;
    result.logprobs[static_cast<size_t>(result.num_logprobs++)] = {c.id, logprob(c.logit), static_cast<int32_t>(rank)};
  }
}

}  // namespace seraph::cpu
