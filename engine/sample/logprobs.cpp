#include "engine/sample/logprobs.h"

#include "engine/base/check.h"

namespace seraph {

void LogprobArena::assign(std::span<const SampleRow> rows, std::span<SampleResult> results) {
  SERAPH_CHECK(rows.size() == results.size(), "every row has a result");
  const auto wanted = [](const SampleRow& row) {
    return row.num_logprobs < 0 ? size_t{0} : static_cast<size_t>(row.num_logprobs) + 1;
  };
  size_t total = 0;
  for (const SampleRow& row : rows) total += wanted(row);
  if (entries_.size() < total) entries_.resize(total);
  size_t begin = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    results[i] = SampleResult{.logprobs = std::span(entries_).subspan(begin, wanted(rows[i]))};
    begin += wanted(rows[i]);
  }
}

PositionLogprobs to_position_logprobs(const SampleResult& result) {
  PositionLogprobs position;
  position.reserve(static_cast<size_t>(result.num_logprobs));
  for (const SampledLogprob& entry : result.logprobs.first(static_cast<size_t>(result.num_logprobs))) {
    position.push_back(TokenLogprob{.id = entry.id, .logprob = entry.logprob, .rank = entry.rank});
  }
  return position;
}

}  // namespace seraph
