// The numbers that a schema allows, and their texts. Bounds, multiples and exclusions are exact; of multiples of a
// number with very many digits only those nearest to zero or to the bound are written. Texts of bounded numbers have no
// exponent. Integers are written without a fraction. Values; pure.
#pragma once

#include <optional>
#include <vector>

#include "engine/grammar/char_dfa.h"
#include "engine/grammar/decimal.h"

namespace seraph::grammar {

struct NumberSet {
  struct Bound {
    Decimal value;
    bool exclusive = false;
    friend bool operator==(const Bound&, const Bound&) = default;
  };
  bool integer = false, not_integer = false;
  std::optional<Bound> lower, upper;
  std::vector<Decimal> multiples, not_multiples, excluded;
  std::optional<std::vector<Decimal>> only;  // a finite set

  friend bool operator==(const NumberSet&, const NumberSet&) = default;
};

/// False when nothing is left.
bool intersect_into(NumberSet& set, const NumberSet& other);
bool contains(const NumberSet& set, const Decimal& value);
/// Sets whose union is everything that is not in `set`.
std::vector<NumberSet> complement(const NumberSet& set);
CharDfa number_texts(const NumberSet& set, Budget& budget);

}  // namespace seraph::grammar
