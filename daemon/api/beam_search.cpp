#include "daemon/api/beam_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace seraph {

double BeamSearch::score(const Beam& beam) const {
  return beam.cumulative / std::pow(static_cast<double>(beam.tokens.size()), options_.length_penalty);
}

/// True when no live beam can still reach the answer: log probabilities only add up to less, so a beam's best score is
/// that of its present sum at the most favourable length.
bool BeamSearch::settled() const {
  const auto width = static_cast<size_t>(options_.width);
  if (finished_.size() < width) return false;
  if (options_.early_stopping) return true;
  std::vector<double> scores;
  for (const Beam& beam : finished_) scores.push_back(score(beam));
  std::nth_element(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(width) - 1, scores.end(),
                   std::greater<>());
  const int32_t length = options_.length_penalty > 0 ? options_.tokens_max : num_steps_ + 1;
  const double best = live_.front().cumulative / std::pow(static_cast<double>(length), options_.length_penalty);
  return best < scores[width - 1];
}

void BeamSearch::advance(std::span<const PositionLogprobs> next) {
  struct Candidate {
    size_t parent = 0;
    const TokenLogprob* token = nullptr;
    double cumulative = 0;
  };
  std::vector<Candidate> going_on;
  const auto extend = [&](const Candidate& candidate) {
    Beam beam = live_[candidate.parent];
    beam.tokens.push_back(candidate.token->id);
    // The chosen one first, then the best without it.
    PositionLogprobs position = {*candidate.token};
    for (const TokenLogprob& entry : next[candidate.parent]) {
      if (entry.id != candidate.token->id) position.push_back(entry);
    }
    beam.logprobs.push_back(std::move(position));
    beam.cumulative = candidate.cumulative;
    return beam;
  };
  for (size_t parent = 0; parent < live_.size(); ++parent) {
    const size_t count = std::min(next[parent].size(), static_cast<size_t>(candidates()));
    for (const TokenLogprob& token : std::span(next[parent]).first(count)) {
      const Candidate candidate{parent, &token, live_[parent].cumulative + static_cast<double>(token.logprob)};
      if (std::find(options_.end_ids.begin(), options_.end_ids.end(), token.id) == options_.end_ids.end()) {
        going_on.push_back(candidate);
      } else {
        finished_.push_back(extend(candidate));
        finished_.back().ended = true;
      }
    }
  }
  std::stable_sort(going_on.begin(), going_on.end(),
                   [](const Candidate& a, const Candidate& b) { return a.cumulative > b.cumulative; });
  going_on.resize(std::min(going_on.size(), static_cast<size_t>(options_.width)));
  std::vector<Beam> grown;
  for (const Candidate& candidate : going_on) grown.push_back(extend(candidate));
  live_ = std::move(grown);
  ++num_steps_;
  if (live_.empty()) return;
  const bool full = num_steps_ == options_.tokens_max;
  if (!full && !settled()) return;
  if (full) std::move(live_.begin(), live_.end(), std::back_inserter(finished_));
  live_.clear();
}

std::vector<Beam> BeamSearch::take_best() {
  std::stable_sort(finished_.begin(), finished_.end(),
                   [this](const Beam& a, const Beam& b) { return score(a) > score(b); });
  finished_.resize(std::min(finished_.size(), static_cast<size_t>(options_.width)));
  return std::move(finished_);
}

}  // namespace seraph
