#include "engine/grammar/byte_nfa.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace seraph::grammar {

int32_t ByteNfa::add_state() {
  budget_.check_states(static_cast<size_t>(num_states));
  return num_states++;
}

void ByteNfa::add_range(int32_t from, uint8_t lo, uint8_t hi, int32_t to) {
  budget_.spend(1);
  ranges.push_back({from, lo, hi, to});
}

void ByteNfa::add_epsilon(int32_t from, int32_t to) { epsilons.push_back({from, to}); }
void ByteNfa::add_call(int32_t from, RuleId rule, int32_t to) { calls.push_back({from, rule, to}); }

int32_t ByteNfa::add_literal(int32_t from, std::string_view text) {
  for (const char c : text) {
    const int32_t to = add_state();
    add_range(from, static_cast<uint8_t>(c), static_cast<uint8_t>(c), to);
    from = to;
  }
  return from;
}

int32_t ByteNfa::add_space(int32_t from) {
  const int32_t loop = add_state();
  add_epsilon(from, loop);
  add_range(loop, ' ', ' ', loop);
  add_range(loop, '\t', '\n', loop);
  add_range(loop, '\r', '\r', loop);
  return loop;
}

namespace {

/// Rows of a nondeterministic automaton by state, and the search for sets of them.
class RuleDeterminizer {
 public:
  RuleDeterminizer(const ByteNfa& nfa, int32_t accept, Budget& budget)
      : accept_(accept), budget_(budget), seen_(nfa.num_states) {
    index(nfa.ranges, nfa.num_states, ranges_, range_rows_);
    index(nfa.calls, nfa.num_states, calls_, call_rows_);
    index(nfa.epsilons, nfa.num_states, epsilons_, epsilon_rows_);
  }

  RuleBody run(int32_t start) {
    find({start});
    for (size_t i = 0; i < sets_.size(); ++i) expand(i);
    return std::move(body_);
  }

 private:
  using StateSet = std::vector<int32_t>;
  struct SetHash {
    size_t operator()(const StateSet& set) const {
      uint64_t hash = 0xcbf29ce484222325u;
      for (const int32_t state : set) hash = (hash ^ static_cast<uint32_t>(state)) * 0x100000001b3u;
      return static_cast<size_t>(hash ^ (hash >> 31));
    }
  };

  template <typename T>
  static void index(const std::vector<T>& items, int32_t num_states, std::vector<T>& sorted,
                    std::vector<int32_t>& rows) {
    rows.assign(static_cast<size_t>(num_states) + 1, 0);
    for (const T& item : items) ++rows[item.from + 1];
    for (int32_t i = 0; i < num_states; ++i) rows[i + 1] += rows[i];
    sorted.resize(items.size());
    std::vector<int32_t> next(rows.begin(), rows.end() - 1);
    for (const T& item : items) sorted[next[item.from]++] = item;
  }

  StateSet closure(StateSet set) {
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    for (const int32_t state : set) seen_[state] = true;
    for (size_t i = 0; i < set.size(); ++i) {
      const int32_t state = set[i];
      budget_.spend(1 + epsilon_rows_[state + 1] - epsilon_rows_[state]);
      for (int32_t k = epsilon_rows_[state]; k < epsilon_rows_[state + 1]; ++k) {
        const int32_t to = epsilons_[k].to;
        if (seen_[to]) continue;
        seen_[to] = true;
        set.push_back(to);
      }
    }
    StateSet kept;  // states that only lead on by epsilon say nothing; without them more sets are equal
    for (const int32_t state : set) {
      seen_[state] = false;
      const bool has_edges = range_rows_[state] < range_rows_[state + 1] || call_rows_[state] < call_rows_[state + 1];
      if (has_edges || state == accept_) kept.push_back(state);
    }
    std::sort(kept.begin(), kept.end());
    return kept;
  }

  int32_t find(StateSet unclosed) {
    StateSet set = closure(std::move(unclosed));
    const auto [at, added] = ids_.emplace(std::move(set), static_cast<int32_t>(sets_.size()));
    if (added) {
      budget_.check_states(sets_.size());
      sets_.push_back(&at->first);
      body_.states.emplace_back();
      body_.states.back().accepting = std::binary_search(at->first.begin(), at->first.end(), accept_);
    }
    return at->second;
  }

  void expand(size_t id) {
    std::vector<ByteNfa::Range> ranges;
    std::map<RuleId, StateSet> calls;
    for (const int32_t state : *sets_[id]) {
      ranges.insert(ranges.end(), ranges_.begin() + range_rows_[state], ranges_.begin() + range_rows_[state + 1]);
      for (int32_t k = call_rows_[state]; k < call_rows_[state + 1]; ++k) calls[calls_[k].rule].push_back(calls_[k].to);
    }
    for (auto& [rule, targets] : calls) {
      const int32_t to = find(std::move(targets));
      body_.states[id].calls.push_back({rule, to});
    }
    std::vector<uint16_t> cuts;
    for (const ByteNfa::Range& range : ranges) {
      cuts.push_back(range.lo);
      cuts.push_back(static_cast<uint16_t>(range.hi + 1));
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.lo < b.lo; });
    add_edges(id, ranges, cuts);
  }

  void add_edges(size_t id, const std::vector<ByteNfa::Range>& ranges, const std::vector<uint16_t>& cuts) {
    std::vector<RuleBody::Edge> edges;
    std::vector<ByteNfa::Range> open;
    size_t next = 0;
    for (size_t c = 0; c + 1 < cuts.size(); ++c) {
      const uint16_t lo = cuts[c];
      std::erase_if(open, [&](const auto& range) { return range.hi < lo; });
      while (next < ranges.size() && ranges[next].lo == lo) open.push_back(ranges[next++]);
      if (open.empty()) continue;
      StateSet targets;
      for (const auto& range : open) targets.push_back(range.to);
      const int32_t to = find(std::move(targets));
      const uint8_t hi = static_cast<uint8_t>(cuts[c + 1] - 1);
      if (!edges.empty() && edges.back().to == to && edges.back().hi + 1 == lo) {
        edges.back().hi = hi;
      } else {
        edges.push_back({static_cast<uint8_t>(lo), hi, to});
      }
    }
    body_.states[id].edges = std::move(edges);
  }

  const int32_t accept_;
  Budget& budget_;
  std::vector<ByteNfa::Range> ranges_;
  std::vector<ByteNfa::Call> calls_;
  std::vector<ByteNfa::Epsilon> epsilons_;
  std::vector<int32_t> range_rows_, call_rows_, epsilon_rows_;
  std::vector<bool> seen_;
  std::unordered_map<StateSet, int32_t, SetHash> ids_;
  std::vector<const StateSet*> sets_;  // keys of ids_, which stay where they are
  RuleBody body_;
};

}  // namespace

RuleBody determinize_rule(const ByteNfa& nfa, int32_t start, int32_t accept, Budget& budget) {
  return RuleDeterminizer(nfa, accept, budget).run(start);
}

}  // namespace seraph::grammar
