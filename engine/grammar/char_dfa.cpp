#include "engine/grammar/char_dfa.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace seraph::grammar {
namespace {

using StateSet = std::vector<int32_t>;  // sorted

struct SetHash {
  size_t operator()(const StateSet& set) const {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const int32_t state : set) hash = (hash ^ static_cast<uint32_t>(state)) * 0x100000001b3u;
    return static_cast<size_t>(hash ^ (hash >> 29));
  }
};

/// Follows epsilon edges, and begin or end edges when asked to.
StateSet closure(const CharNfa& nfa, StateSet set, bool at_begin, bool at_end, std::vector<bool>& seen,
                 Budget& budget) {
  StateSet stack = set;
  for (const int32_t state : set) seen[state] = true;
  const auto visit = [&](int32_t state) {
    if (seen[state]) return;
    seen[state] = true;
    set.push_back(state);
    stack.push_back(state);
  };
  while (!stack.empty()) {
    const CharNfa::State& state = nfa.states()[stack.back()];
    stack.pop_back();
    budget.spend(1 + static_cast<int64_t>(state.epsilon.size()));
    for (const int32_t to : state.epsilon) visit(to);
    if (at_begin)
      for (const int32_t to : state.begin) visit(to);
    if (at_end)
      for (const int32_t to : state.end) visit(to);
  }
  for (const int32_t state : set) seen[state] = false;
  std::sort(set.begin(), set.end());
  return set;
}

void add_merged(std::vector<CharDfa::Edge>& edges, uint32_t lo, uint32_t hi, int32_t to) {
  if (!edges.empty() && edges.back().to == to && edges.back().hi + 1 == lo) {
    edges.back().hi = hi;
  } else {
    edges.push_back({lo, hi, to});
  }
}

class Determinizer {
 public:
  Determinizer(const CharNfa& nfa, int32_t accept, Budget& budget)
      : nfa_(nfa), accept_(accept), budget_(budget), seen_(nfa.states().size()) {}

  CharDfa run(int32_t start) {
    find(closure(nfa_, {start}, true, false, seen_, budget_), true);
    for (size_t i = 0; i < sets_.size(); ++i) expand(static_cast<int32_t>(i));
    return std::move(dfa_);
  }

 private:
  struct Cut {
    uint32_t at;
    int32_t to;
    bool opens;
  };

  int32_t find(StateSet set, bool at_begin) {
    // The start may reach further by begin edges than the same set later on; it stays a state of its own.
    if (!at_begin) {
      const auto found = ids_.find(set);
      if (found != ids_.end()) return found->second;
    }
    const int32_t id = static_cast<int32_t>(sets_.size());
    budget_.check_states(sets_.size());
    const StateSet ended = closure(nfa_, set, at_begin, true, seen_, budget_);
    dfa_.states.push_back({{}, std::binary_search(ended.begin(), ended.end(), accept_)});
    if (!at_begin) ids_.emplace(set, id);
    sets_.push_back(std::move(set));
    return id;
  }

  void expand(int32_t id) {
    std::vector<Cut> cuts;
    for (const int32_t state : sets_[id]) {
      for (const CharNfa::Edge& edge : nfa_.states()[state].edges) {
        for (const CharRange& range : edge.set) {
          cuts.push_back({range.lo, edge.to, true});
          cuts.push_back({range.hi + 1, edge.to, false});
        }
      }
    }
    budget_.spend(static_cast<int64_t>(cuts.size()) + 1);
    std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.at < b.at; });
    std::map<int32_t, int32_t> open;  // target, how many ranges lead there
    std::vector<CharDfa::Edge> edges;
    for (size_t i = 0; i < cuts.size();) {
      const uint32_t at = cuts[i].at;
      for (; i < cuts.size() && cuts[i].at == at; ++i) {
        if (cuts[i].opens) {
          ++open[cuts[i].to];
        } else if (--open[cuts[i].to] == 0) {
          open.erase(cuts[i].to);
        }
      }
      if (open.empty()) continue;
      StateSet targets;
      for (const auto& [to, count] : open) targets.push_back(to);
      budget_.spend(static_cast<int64_t>(targets.size()));
      add_merged(edges, at, cuts[i].at - 1,
                 find(closure(nfa_, std::move(targets), false, false, seen_, budget_), false));
    }
    dfa_.states[id].edges = std::move(edges);
  }

  const CharNfa& nfa_;
  const int32_t accept_;
  Budget& budget_;
  std::vector<bool> seen_;
  CharDfa dfa_;
  std::vector<StateSet> sets_;
  std::unordered_map<StateSet, int32_t, SetHash> ids_;
};

/// States from which an accepting one can be reached.
std::vector<bool> live_states(const CharDfa& dfa, Budget& budget) {
  std::vector<std::vector<int32_t>> sources(dfa.states.size());
  std::vector<bool> live(dfa.states.size());
  std::vector<int32_t> stack;
  for (size_t i = 0; i < dfa.states.size(); ++i) {
    budget.spend(1 + static_cast<int64_t>(dfa.states[i].edges.size()));
    for (const CharDfa::Edge& edge : dfa.states[i].edges) sources[edge.to].push_back(static_cast<int32_t>(i));
    if (dfa.states[i].accepting) {
      live[i] = true;
      stack.push_back(static_cast<int32_t>(i));
    }
  }
  while (!stack.empty()) {
    const int32_t state = stack.back();
    stack.pop_back();
    for (const int32_t source : sources[state]) {
      if (live[source]) continue;
      live[source] = true;
      stack.push_back(source);
    }
  }
  return live;
}

/// Keeps live states that the start reaches, in order of discovery.
CharDfa trimmed(const CharDfa& dfa, Budget& budget) {
  if (dfa.empty()) return {};
  const std::vector<bool> live = live_states(dfa, budget);
  if (!live[0]) return {};
  CharDfa out;
  std::vector<int32_t> ids(dfa.states.size(), -1), order = {0};
  ids[0] = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    CharDfa::State state{{}, dfa.states[order[i]].accepting};
    for (const CharDfa::Edge& edge : dfa.states[order[i]].edges) {
      if (!live[edge.to]) continue;
      if (ids[edge.to] < 0) {
        ids[edge.to] = static_cast<int32_t>(order.size());
        order.push_back(edge.to);
      }
      add_merged(state.edges, edge.lo, edge.hi, ids[edge.to]);
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

}  // namespace

CharDfa determinize(const CharNfa& nfa, int32_t start, int32_t accept, Budget& budget) {
  return minimized(Determinizer(nfa, accept, budget).run(start), budget);
}

CharDfa all_strings() {
  CharDfa dfa;
  dfa.states.push_back({{{0, kCharMax, 0}}, true});
  return dfa;
}

CharDfa minimized(const CharDfa& dfa, Budget& budget) {
  CharDfa out = trimmed(dfa, budget);
  // Moore's refinement. Long chains would need a round per state; stopping early only leaves equal states apart, but
  // then the classes may not be final, so that the result is used only when the rounds ended by themselves.
  constexpr int kRoundsMax = 24;
  if (out.states.size() > 4000) return out;
  std::vector<int32_t> classes(out.states.size());
  for (size_t i = 0; i < out.states.size(); ++i) classes[i] = out.states[i].accepting;
  size_t num_classes = 0;
  bool stable = false;
  for (int round = 0; round < kRoundsMax && !stable; ++round) {
    std::unordered_map<StateSet, int32_t, SetHash> ids;
    std::vector<int32_t> refined(out.states.size());
    for (size_t i = 0; i < out.states.size(); ++i) {
      StateSet key = {classes[i]};
      std::vector<CharDfa::Edge> edges;
      for (const CharDfa::Edge& edge : out.states[i].edges) add_merged(edges, edge.lo, edge.hi, classes[edge.to]);
      for (const CharDfa::Edge& edge : edges) {
        key.insert(key.end(), {static_cast<int32_t>(edge.lo), static_cast<int32_t>(edge.hi), edge.to});
      }
      budget.spend(static_cast<int64_t>(key.size()));
      refined[i] = ids.emplace(std::move(key), static_cast<int32_t>(ids.size())).first->second;
    }
    stable = ids.size() == num_classes;
    num_classes = ids.size();
    classes = std::move(refined);
  }
  if (!stable || num_classes == out.states.size()) return out;
  CharDfa joined;
  joined.states.resize(num_classes);
  for (size_t i = 0; i < out.states.size(); ++i) {
    CharDfa::State& state = joined.states[classes[i]];
    state.accepting = out.states[i].accepting;
    state.edges.clear();
    for (const CharDfa::Edge& edge : out.states[i].edges) add_merged(state.edges, edge.lo, edge.hi, classes[edge.to]);
  }
  return joined;
}

CharDfa complement(const CharDfa& dfa, Budget& budget) {
  CharDfa out = dfa;
  const int32_t sink = static_cast<int32_t>(out.states.size());
  out.states.push_back({{{0, kCharMax, sink}}, false});
  for (CharDfa::State& state : out.states) {
    state.accepting = !state.accepting;
    std::vector<CharDfa::Edge> edges;
    uint32_t next = 0;
    for (const CharDfa::Edge& edge : state.edges) {
      if (edge.lo > next) add_merged(edges, next, edge.lo - 1, sink);
      add_merged(edges, edge.lo, edge.hi, edge.to);
      next = edge.hi + 1;
    }
    if (next <= kCharMax) add_merged(edges, next, kCharMax, sink);
    budget.spend(static_cast<int64_t>(edges.size()));
    state.edges = std::move(edges);
  }
  return minimized(out, budget);
}

CharDfa intersect(const CharDfa& a, const CharDfa& b, Budget& budget) {
  if (a.empty() || b.empty()) return {};
  CharDfa out;
  std::unordered_map<uint64_t, int32_t> ids;
  std::vector<std::pair<int32_t, int32_t>> pairs;
  const auto find = [&](int32_t x, int32_t y) {
    const uint64_t key = (static_cast<uint64_t>(x) << 32) | static_cast<uint32_t>(y);
    const auto [at, added] = ids.emplace(key, static_cast<int32_t>(pairs.size()));
    if (added) {
      budget.check_states(pairs.size());
      pairs.emplace_back(x, y);
      out.states.push_back({{}, a.states[x].accepting && b.states[y].accepting});
    }
    return at->second;
  };
  find(0, 0);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& left = a.states[pairs[i].first].edges;
    const auto& right = b.states[pairs[i].second].edges;
    std::vector<CharDfa::Edge> edges;
    for (size_t x = 0, y = 0; x < left.size() && y < right.size();) {
      budget.spend(1);
      const uint32_t lo = std::max(left[x].lo, right[y].lo), hi = std::min(left[x].hi, right[y].hi);
      if (lo <= hi) add_merged(edges, lo, hi, find(left[x].to, right[y].to));
      if (left[x].hi < right[y].hi) {
        ++x;
      } else {
        ++y;
      }
    }
    out.states[i].edges = std::move(edges);
  }
  return minimized(out, budget);
}

CharDfa one_of(const std::vector<std::string_view>& texts, Budget& budget) {
  CharDfa dfa;
  if (texts.empty()) return dfa;
  dfa.states.emplace_back();
  for (const std::string_view text : texts) {
    int32_t state = 0;
    for (const uint32_t character : decode_text(text)) {
      budget.spend(1);
      auto& edges = dfa.states[state].edges;
      const auto at = std::lower_bound(edges.begin(), edges.end(), character,
                                       [](const CharDfa::Edge& edge, uint32_t value) { return edge.lo < value; });
      if (at != edges.end() && at->lo == character) {
        state = at->to;
        continue;
      }
      const int32_t to = static_cast<int32_t>(dfa.states.size());
      edges.insert(at, {character, character, to});
      budget.check_states(dfa.states.size());
      dfa.states.emplace_back();
      state = to;
    }
    dfa.states[state].accepting = true;
  }
  return dfa;
}

CharDfa length_between(int64_t min, int64_t max, Budget& budget) {
  CharDfa dfa;
  if (max >= 0 && min > max) return dfa;
  const int64_t last = max < 0 ? min : max;
  budget.check_states(static_cast<size_t>(last));
  for (int64_t i = 0; i <= last; ++i) {
    budget.spend(1);
    CharDfa::State state{{}, i >= min};
    if (i < last) state.edges.push_back({0, kCharMax, static_cast<int32_t>(i + 1)});
    if (i == last && max < 0) state.edges.push_back({0, kCharMax, static_cast<int32_t>(i)});
    dfa.states.push_back(std::move(state));
  }
  return dfa;
}

int32_t CharDfa::next(int32_t state, uint32_t character) const {
  const auto& edges = states[state].edges;
  const auto after = std::upper_bound(edges.begin(), edges.end(), character,
                                      [](uint32_t value, const Edge& edge) { return value < edge.lo; });
  if (after == edges.begin() || character > (after - 1)->hi) return -1;
  return (after - 1)->to;
}

bool CharDfa::accepts(std::string_view utf8) const {
  if (empty()) return false;
  int32_t state = 0;
  for (const uint32_t character : decode_text(utf8)) {
    state = next(state, character);
    if (state < 0) return false;
  }
  return states[state].accepting;
}

std::vector<std::string> finite_texts(const CharDfa& dfa, size_t max) {
  std::vector<std::string> out;
  if (dfa.empty()) return out;
  std::vector<std::pair<int32_t, std::string>> stack = {{0, ""}};
  size_t steps = 0;
  while (!stack.empty()) {
    const auto [state, text] = std::move(stack.back());
    stack.pop_back();
    // A path longer than the number of states means a loop: every state is live, so the language is infinite.
    if (++steps > 64 * (max + 1) || text.size() > 4 * dfa.states.size()) return {};
    if (dfa.states[state].accepting) out.push_back(text);
    if (out.size() > max) return {};
    for (const CharDfa::Edge& edge : dfa.states[state].edges) {
      if (edge.hi - edge.lo >= max) return {};
      for (uint32_t c = edge.lo; c <= edge.hi; ++c) {
        std::string longer = text;
        append_utf8(longer, c);
        stack.emplace_back(edge.to, std::move(longer));
      }
    }
  }
  return out;
}

std::vector<uint32_t> decode_text(std::string_view utf8) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < utf8.size();) {
    const uint32_t lead = static_cast<unsigned char>(utf8[i]);
    const int length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || i + length > utf8.size()) fail_invalid(fmt::format("invalid UTF-8 at byte {}", i));
    uint32_t character = length == 1 ? lead : lead & (0x7Fu >> length);
    for (int k = 1; k < length; ++k) {
      const uint32_t byte = static_cast<unsigned char>(utf8[i + k]);
      if ((byte & 0xC0) != 0x80) fail_invalid(fmt::format("invalid UTF-8 at byte {}", i + k));
      character = (character << 6) | (byte & 0x3F);
    }
    constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (character < kSmallest[length] || character > kCharMax || (character >= 0xD800 && character < 0xE000)) {
      fail_invalid(fmt::format("invalid UTF-8 at byte {}", i));
    }
    out.push_back(character);
    i += length;
  }
  return out;
}

void append_utf8(std::string& out, uint32_t character) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xC0 | (character >> 6));
    put(0x80 | (character & 0x3F));
  } else if (character < 0x10000) {
    put(0xE0 | (character >> 12));
    put(0x80 | ((character >> 6) & 0x3F));
    put(0x80 | (character & 0x3F));
  } else {
    put(0xF0 | (character >> 18));
    put(0x80 | ((character >> 12) & 0x3F));
    put(0x80 | ((character >> 6) & 0x3F));
    put(0x80 | (character & 0x3F));
  }
}

}  // namespace seraph::grammar
