#include "engine/grammar/number_set.h"

#include <algorithm>
#include <numeric>

#include "engine/grammar/regex_syntax.h"

namespace seraph::grammar {
namespace {

constexpr int64_t kModulusMax = 20'000;  // states of a multipleOf automaton
constexpr int64_t kListedMax = 500;      // multiples of each sign that are listed when an automaton would be too large

template <typename T>
void add_new(std::vector<T>& to, const std::vector<T>& from) {
  for (const T& value : from) {
    if (std::find(to.begin(), to.end(), value) == to.end()) to.push_back(value);
  }
}

bool is_tighter_lower(const NumberSet::Bound& a, const NumberSet::Bound& b) {
  const int order = compare(a.value, b.value);
  return order > 0 || (order == 0 && a.exclusive);
}
bool is_tighter_upper(const NumberSet::Bound& a, const NumberSet::Bound& b) {
  const int order = compare(a.value, b.value);
  return order < 0 || (order == 0 && a.exclusive);
}

/// Texts of non-negative plain numbers that are at least, or at most, a bound >= 0.
class MagnitudeTexts {
 public:
  MagnitudeTexts(const Decimal& bound, bool at_least, bool exclusive)
      : whole_(integer_part(bound)), fraction_(fraction_part(bound)), at_least_(at_least), exclusive_(exclusive) {
    start_ = nfa_.add_state();
    accept_ = nfa_.add_state();
  }

  CharDfa build(Budget& budget) {
    // The length of the integer part is not known before the point, so longer, shorter and equally long ones are
    // separate ways through the automaton.
    if (at_least_) {
      add_longer();
    } else if (whole_.size() > 1) {
      add_shorter();
    }
    add_fraction(add_equally_long());
    return determinize(nfa_, start_, accept_, budget);
  }

 private:
  /// The text may end here, or with any fraction.
  void add_any_fraction(int32_t from) {
    const int32_t point = nfa_.add_state(), digits = nfa_.add_state();
    nfa_.add_epsilon(from, accept_);
    nfa_.add_edge(from, {{'.', '.'}}, point);
    nfa_.add_edge(point, digit_set_, digits);
    nfa_.add_edge(digits, digit_set_, digits);
    nfa_.add_epsilon(digits, accept_);
  }

  int32_t add_digit(int32_t from, uint32_t lo, uint32_t hi) {
    const int32_t to = nfa_.add_state();
    nfa_.add_edge(from, {{lo, hi}}, to);
    return to;
  }

  void add_longer() {
    int32_t state = add_digit(start_, '1', '9');
    for (size_t i = 0; i < whole_.size(); ++i) state = add_digit(state, '0', '9');
    nfa_.add_edge(state, digit_set_, state);
    add_any_fraction(state);
  }

  void add_shorter() {
    add_any_fraction(add_digit(start_, '0', '0'));
    int32_t state = add_digit(start_, '1', '9');
    add_any_fraction(state);
    for (size_t i = 2; i < whole_.size(); ++i) {
      state = add_digit(state, '0', '9');
      add_any_fraction(state);
    }
  }

  /// Leaves the integer part where a digit decides; gives the state in which all its digits were equal.
  int32_t add_equally_long() {
    int32_t equal = start_;
    for (size_t i = 0; i < whole_.size(); ++i) {
      const uint32_t digit = static_cast<uint32_t>(whole_[i]);
      const uint32_t lowest = i == 0 && whole_.size() > 1 ? '1' : '0';
      const uint32_t lo = at_least_ ? digit + 1 : lowest, hi = at_least_ ? '9' : digit - 1;
      if (lo <= hi) {
        int32_t state = add_digit(equal, lo, hi);
        for (size_t k = i + 1; k < whole_.size(); ++k) state = add_digit(state, '0', '9');
        add_any_fraction(state);
      }
      equal = add_digit(equal, digit, digit);
    }
    return equal;
  }

  /// What it means when the text ends after `done` digits of the bound's fraction: the missing ones are zeros.
  bool ends_well(size_t done) const {
    const bool rest_is_zero = done >= fraction_.size() || fraction_.find_first_not_of('0', done) == std::string::npos;
    return rest_is_zero ? !exclusive_ : !at_least_;
  }

  void add_fraction(int32_t equal) {
    if (ends_well(0)) nfa_.add_epsilon(equal, accept_);
    const int32_t decided = nfa_.add_state();  // behind a digit that decided
    nfa_.add_edge(decided, digit_set_, decided);
    nfa_.add_epsilon(decided, accept_);
    int32_t state = add_digit(equal, '.', '.');
    for (size_t i = 0; i < fraction_.size(); ++i) {
      const uint32_t digit = static_cast<uint32_t>(fraction_[i]);
      const uint32_t lo = at_least_ ? digit + 1 : '0', hi = at_least_ ? '9' : digit - 1;
      if (lo <= hi) nfa_.add_edge(state, {{lo, hi}}, decided);
      state = add_digit(state, digit, digit);
      if (ends_well(i + 1)) nfa_.add_epsilon(state, accept_);
    }
    // Behind the bound's last digit only zeros keep the two equal.
    const int32_t zeros = add_digit(state, '0', '0');
    nfa_.add_edge(zeros, {{'0', '0'}}, zeros);
    if (!exclusive_) nfa_.add_epsilon(zeros, accept_);
    if (!at_least_) return;
    nfa_.add_edge(state, {{'1', '9'}}, decided);
    nfa_.add_edge(zeros, {{'1', '9'}}, decided);
  }

  const CharSet digit_set_ = {{'0', '9'}};
  const std::string whole_, fraction_;
  const bool at_least_, exclusive_;
  CharNfa nfa_;
  int32_t start_ = 0, accept_ = 0;
};

CharDfa magnitude_texts(const Decimal& bound, bool at_least, bool exclusive, Budget& budget) {
  return MagnitudeTexts(bound, at_least, exclusive).build(budget);
}

CharDfa unite(const CharDfa& a, const CharDfa& b, Budget& budget) {
  return complement(intersect(complement(a, budget), complement(b, budget), budget), budget);
}

CharDfa with_minus(const CharDfa& magnitudes) {
  CharDfa out;
  if (magnitudes.empty()) return out;
  out.states.push_back({{{'-', '-', 1}}, false});
  for (CharDfa::State state : magnitudes.states) {
    for (auto& edge : state.edges) ++edge.to;
    out.states.push_back(std::move(state));
  }
  return out;
}

/// Plain texts that are at least (or at most) the bound.
CharDfa bounded_texts(const NumberSet::Bound& bound, bool at_least, Budget& budget) {
  const CharDfa plain = compile_whole_match("(0|[1-9][0-9]*)(\\.[0-9]+)?", budget);
  Decimal magnitude = bound.value;
  magnitude.negative = false;
  const CharDfa zeros = compile_whole_match("0(\\.0+)?", budget);
  if (bound.value.is_zero() || bound.value.negative == !at_least) {
    // One sign is bounded, the other is wholly inside or outside.
    const bool positive_side = !bound.value.negative && (at_least || !bound.value.is_zero());
    if (bound.value.is_zero() && !at_least) {
      const CharDfa negative = with_minus(plain);
      if (!bound.exclusive) return unite(negative, zeros, budget);
      return intersect(negative, complement(with_minus(zeros), budget), budget);
    }
    if (!positive_side) {
      // at most a negative number: magnitude at least.
      return with_minus(magnitude_texts(magnitude, true, bound.exclusive, budget));
    }
    return magnitude_texts(magnitude, true, bound.exclusive, budget);  // -0 is left to unbounded numbers
  }
  // The bounded side reaches zero; the other side is wholly inside.
  const CharDfa near = magnitude_texts(magnitude, false, bound.exclusive, budget);
  if (at_least) return unite(plain, with_minus(near), budget);
  return unite(with_minus(plain), near, budget);
}

std::string scaled_digits(const Decimal& of) {
  return of.digits + std::string(static_cast<size_t>(std::max<int64_t>(0, of.exponent)), '0');
}

bool fits_automaton(const Decimal& of) {
  const int64_t places = std::max<int64_t>(0, -of.exponent);
  const std::string scaled = scaled_digits(of);
  return scaled.size() <= 6 && std::stoll(scaled) * (places + 2) <= kModulusMax;
}

[[noreturn]] void fail_too_many_digits(const Decimal& of) {
  fail_limit(fmt::format("multipleOf {}e{} has too many digits to be enforced", of.digits, of.exponent));
}

CharDfa multiple_texts(const Decimal& of, Budget& budget) {
  if (!fits_automaton(of)) fail_too_many_digits(of);
  // value = digits * 10^-places; with of = p * 10^-k the digits, filled up to k places, are a multiple of p.
  const int64_t places = std::max<int64_t>(0, -of.exponent);
  const int64_t modulus = std::stoll(scaled_digits(of));
  const CharDfa plain = compile_whole_match("-?(0|[1-9][0-9]*)(\\.[0-9]+)?", budget);
  CharDfa dfa;  // [places read: 0 = before the point][rest]
  const auto id = [&](int64_t read, int64_t rest) { return static_cast<int32_t>(read * modulus + rest); };
  dfa.states.resize(static_cast<size_t>((places + 2) * modulus));
  for (int64_t read = 0; read <= places + 1; ++read) {  // `read` - 1 places behind the point
    int64_t fill = 1;
    for (int64_t i = std::max<int64_t>(0, read - 1); i < places; ++i) fill = fill * 10 % modulus;
    for (int64_t rest = 0; rest < modulus; ++rest) {
      CharDfa::State& state = dfa.states[static_cast<size_t>(id(read, rest))];
      state.accepting = rest * fill % modulus == 0;
      if (read == 0) {
        state.edges.push_back({'-', '-', id(0, rest)});
        state.edges.push_back({'.', '.', id(1, rest)});
      }
      const bool full = read == places + 1;
      for (int64_t d = 0; d < (full ? 1 : 10); ++d) {
        const auto c = static_cast<uint32_t>('0' + d);
        state.edges.push_back({c, c, full ? id(read, rest) : id(read == 0 ? 0 : read + 1, (rest * 10 + d) % modulus)});
      }
      budget.spend(12);
    }
  }
  return intersect(dfa, plain, budget);
}

Decimal times(const Decimal& value, int64_t factor) {
  const size_t size = value.digits.size();
  std::string reversed;
  int64_t carry = 0;
  for (size_t i = 0; i < size || carry > 0; ++i) {
    if (i < size) carry += (value.digits[size - 1 - i] - '0') * factor;
    reversed.push_back(static_cast<char>('0' + carry % 10));
    carry /= 10;
  }
  const std::string digits(reversed.rbegin(), reversed.rend());
  return parse_decimal(fmt::format("{}e{}", digits.empty() ? "0" : digits, value.exponent));
}

/// What integers must be multiples of to be multiples of `of`.
Decimal integer_step(const Decimal& of) {
  if (of.exponent >= 0) return of;
  if (of.digits.size() > 18 || of.exponent < -18) fail_too_many_digits(of);
  int64_t power = 1;
  for (int64_t i = of.exponent; i < 0; ++i) power *= 10;
  const int64_t digits = std::stoll(of.digits);
  return parse_decimal(std::to_string(digits / std::gcd(digits, power)));
}

/// The set's multiples of `of` that are nearest to zero, or to the bound on its far side.
std::vector<Decimal> listed_multiples(const NumberSet& set, const Decimal& of, Budget& budget) {
  const auto magnitude = [](const Decimal& value) {
    return std::strtod(fmt::format("0{}e{}", value.digits, value.exponent).c_str(), nullptr);
  };
  std::vector<Decimal> out;
  for (const bool negative : {false, true}) {
    const std::optional<NumberSet::Bound>& bound = negative ? set.upper : set.lower;
    double first = 0;
    if (bound && bound->value.negative == negative) first = magnitude(bound->value) / magnitude(of);
    if (!(first < 1e12)) continue;
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(first) - 1, negative ? 1 : 0);
    for (int64_t factor = begin; factor < begin + kListedMax; ++factor) {
      budget.spend(static_cast<int64_t>(of.digits.size()) + 20);
      Decimal value = times(of, factor);
      value.negative = negative && !value.is_zero();
      if (contains(set, value)) out.push_back(std::move(value));
    }
  }
  if (out.empty()) fail_too_many_digits(of);
  return out;
}

/// A multiple stays one when it is multiplied by a power of ten.
void add_exponents(CharDfa& dfa) {
  const auto mark = static_cast<int32_t>(dfa.states.size());
  for (CharDfa::State& state : dfa.states) {
    if (!state.accepting) continue;
    state.edges.push_back({'E', 'E', mark});
    state.edges.push_back({'e', 'e', mark});
  }
  dfa.states.push_back({{{'+', '+', mark + 1}, {'0', '9', mark + 2}}, false});
  dfa.states.push_back({{{'0', '9', mark + 2}}, false});
  dfa.states.push_back({{{'0', '9', mark + 2}}, true});
}

CharDfa listed_texts(const std::vector<Decimal>& values, Budget& budget) {
  std::vector<std::string> texts;
  for (const Decimal& value : values) {
    const std::string fraction = fraction_part(value);
    texts.push_back((value.negative ? "-" : "") + integer_part(value) + (fraction.empty() ? "" : "." + fraction));
  }
  return one_of({texts.begin(), texts.end()}, budget);
}

std::string value_pattern(const Decimal& value, bool integer) {
  std::string out = value.negative ? "-" : "";
  out += integer_part(value);
  const std::string fraction = fraction_part(value);
  if (!fraction.empty()) return out + "\\." + fraction + (integer ? "" : "0*");
  return integer ? out : out + "(\\.0+)?";
}

}  // namespace

bool intersect_into(NumberSet& set, const NumberSet& other) {
  set.integer |= other.integer;
  set.not_integer |= other.not_integer;
  if (other.lower && (!set.lower || is_tighter_lower(*other.lower, *set.lower))) set.lower = other.lower;
  if (other.upper && (!set.upper || is_tighter_upper(*other.upper, *set.upper))) set.upper = other.upper;
  add_new(set.multiples, other.multiples);
  add_new(set.not_multiples, other.not_multiples);
  add_new(set.excluded, other.excluded);
  if (other.only) {
    if (set.only) {
      std::erase_if(*set.only, [&](const Decimal& value) {
        return std::find(other.only->begin(), other.only->end(), value) == other.only->end();
      });
    } else {
      set.only = other.only;
    }
  }
  if (set.only) {
    std::vector<Decimal> kept;
    for (const Decimal& value : *set.only) {
      if (contains(set, value)) kept.push_back(value);
    }
    NumberSet finite;
    finite.only = std::move(kept);
    set = std::move(finite);
    return !set.only->empty();
  }
  if (set.integer && set.not_integer) return false;
  if (!set.lower || !set.upper) return true;
  const int order = compare(set.lower->value, set.upper->value);
  return order < 0 || (order == 0 && !set.lower->exclusive && !set.upper->exclusive);
}

bool contains(const NumberSet& set, const Decimal& value) {
  if (set.integer && !value.is_integer()) return false;
  if (set.not_integer && value.is_integer()) return false;
  if (set.lower) {
    const int order = compare(value, set.lower->value);
    if (order < 0 || (order == 0 && set.lower->exclusive)) return false;
  }
  if (set.upper) {
    const int order = compare(value, set.upper->value);
    if (order > 0 || (order == 0 && set.upper->exclusive)) return false;
  }
  for (const Decimal& of : set.multiples)
    if (!is_multiple(value, of)) return false;
  for (const Decimal& of : set.not_multiples)
    if (is_multiple(value, of)) return false;
  if (std::find(set.excluded.begin(), set.excluded.end(), value) != set.excluded.end()) return false;
  return !set.only || std::find(set.only->begin(), set.only->end(), value) != set.only->end();
}

std::vector<NumberSet> complement(const NumberSet& set) {
  std::vector<NumberSet> out;
  const auto add = [&](auto change) {
    NumberSet part;
    change(part);
    out.push_back(std::move(part));
  };
  if (set.only) {
    add([&](NumberSet& part) { part.excluded = *set.only; });
    return out;
  }
  if (set.integer) add([](NumberSet& part) { part.not_integer = true; });
  if (set.not_integer) add([](NumberSet& part) { part.integer = true; });
  if (set.lower) add([&](NumberSet& part) { part.upper = NumberSet::Bound{set.lower->value, !set.lower->exclusive}; });
  if (set.upper) add([&](NumberSet& part) { part.lower = NumberSet::Bound{set.upper->value, !set.upper->exclusive}; });
  for (const Decimal& of : set.multiples) add([&](NumberSet& part) { part.not_multiples = {of}; });
  for (const Decimal& of : set.not_multiples) add([&](NumberSet& part) { part.multiples = {of}; });
  if (!set.excluded.empty()) add([&](NumberSet& part) { part.only = set.excluded; });
  return out;
}

CharDfa number_texts(const NumberSet& set, Budget& budget) {
  constexpr std::string_view kInteger = "-?(0|[1-9][0-9]*)";
  constexpr std::string_view kPlain = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?";
  constexpr std::string_view kAny = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?";
  if (set.only) return listed_texts(*set.only, budget);
  if (set == NumberSet{}) return compile_whole_match(kAny, budget);
  for (const Decimal& of : set.multiples) {
    const Decimal step = set.integer ? integer_step(of) : of;
    if (!fits_automaton(step)) return listed_texts(listed_multiples(set, step, budget), budget);
  }
  CharDfa out = compile_whole_match(set.integer ? kInteger : kPlain, budget);
  if (set.lower) out = intersect(out, bounded_texts(*set.lower, true, budget), budget);
  if (set.upper) out = intersect(out, bounded_texts(*set.upper, false, budget), budget);
  const auto exclude = [&](const CharDfa& texts) { out = intersect(out, complement(texts, budget), budget); };
  if (set.not_integer) exclude(compile_whole_match("-?(0|[1-9][0-9]*)(\\.0+)?", budget));
  for (const Decimal& of : set.multiples) {
    const Decimal step = set.integer ? integer_step(of) : of;
    if (set.integer && step == Decimal{false, "1", 0}) continue;  // every integer is one
    out = intersect(out, multiple_texts(step, budget), budget);
  }
  NumberSet only_multiples;
  only_multiples.multiples = set.multiples;
  if (set == only_multiples) add_exponents(out);
  for (const Decimal& of : set.not_multiples) exclude(multiple_texts(of, budget));
  for (const Decimal& value : set.excluded) {
    exclude(compile_whole_match(value_pattern(value, set.integer), budget));
    if (value.is_zero()) exclude(compile_whole_match("-0(\\.0+)?", budget));
  }
  return out;
}

}  // namespace seraph::grammar
