// Reading the speculation counters out of a /metrics text.
#include <algorithm>
#include <charconv>

#include "daemon/commands/bench_report.h"

namespace seraph {
namespace {

/// The value of a sample line, after its last space; 0 when it is no number.
double sample_value(std::string_view line) {
  double value = 0;
  const size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return 0;
  std::from_chars(line.data() + space + 1, line.data() + line.size(), value);
  return value;
}

/// The text of label `name` in a sample line.
std::string_view label_value(std::string_view line, std::string_view name) {
  const size_t at = line.find(std::string(name) + "=\"");
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + name.size() + 2);
  return line.substr(0, line.find('"'));
}

/// More positions than any server drafts are a broken text, not a reason to allocate.
constexpr size_t kPositionsMax = 1024;

void add_line(std::string_view line, SpecCounters& counters) {
  constexpr std::string_view kPrefix = "vllm:spec_decode_num_";
  if (!line.starts_with(kPrefix)) return;
  const std::string_view rest = line.substr(kPrefix.size());
  if (rest.starts_with("drafts_total")) counters.drafts += sample_value(line);
  if (rest.starts_with("draft_tokens_total")) counters.draft_tokens += sample_value(line);
  if (rest.starts_with("accepted_tokens_total")) counters.accepted_tokens += sample_value(line);
  if (!rest.starts_with("accepted_tokens_per_pos_total")) return;
  const std::string_view text = label_value(line, "position");
  size_t position = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position);
  if (error != std::errc{} || position >= kPositionsMax) return;
  if (counters.accepted_at.size() <= position) counters.accepted_at.resize(position + 1, 0);
  counters.accepted_at[position] += sample_value(line);
}

}  // namespace

SpecCounters parse_spec_counters(std::string_view metrics_text) {
  SpecCounters counters;
  while (!metrics_text.empty()) {
    const std::string_view line = metrics_text.substr(0, metrics_text.find('\n'));
    add_line(line, counters);
    metrics_text.remove_prefix(std::min(metrics_text.size(), line.size() + 1));
  }
  return counters;
}

SpecCounters operator-(const SpecCounters& after, const SpecCounters& before) {
  SpecCounters out = after;
  out.drafts -= before.drafts;
  out.draft_tokens -= before.draft_tokens;
  out.accepted_tokens -= before.accepted_tokens;
  for (size_t i = 0; i < std::min(out.accepted_at.size(), before.accepted_at.size()); ++i) {
    out.accepted_at[i] -= before.accepted_at[i];
  }
  return out;
}

}  // namespace seraph
