#include "daemon/cli/option.h"

#include <algorithm>

namespace seraph {
namespace {

/// Calls `visit` with each space-separated word until it returns true; tells whether it did.
template <typename Visit>
bool any_word(std::string_view words, Visit visit) {
  while (!words.empty()) {
    const size_t end = words.find(' ');
    if (visit(words.substr(0, end))) return true;
    words.remove_prefix(end == std::string_view::npos ? words.size() : end + 1);
  }
  return false;
}

bool any_long_name(const OptionRow& row, auto visit) {
  if (visit(std::string_view(row.name))) return true;
  return any_word(row.aliases, [&](std::string_view word) { return word.front() != '-' && visit(word); });
}

/// Letters changed, added, left out, or swapped with their neighbour.
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  std::vector<int> above, two_above;
  for (size_t i = 1; i <= a.size(); ++i) {
    two_above = std::move(above);
    above = row;
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), above[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string option_flag(const OptionRow& row) { return std::string("--") + row.name; }

bool option_has_name(const OptionRow& row, std::string_view name) {
  return any_long_name(row, [&](std::string_view word) { return word == name; });
}

void OptionTable::add(std::span<const OptionRow> more) {
  for (const OptionRow& row : more) rows.push_back(&row);
}

const OptionRow* OptionTable::find(std::string_view name) const {
  for (const OptionRow* row : rows) {
    if (option_has_name(*row, name)) return row;
  }
  return nullptr;
}

const OptionRow* OptionTable::find_short(std::string_view spelling) const {
  for (const OptionRow* row : rows) {
    if (any_word(row->aliases, [&](std::string_view word) { return word == spelling; })) return row;
  }
  return nullptr;
}

std::vector<const OptionRow*> OptionTable::find_prefix(std::string_view prefix) const {
  std::vector<const OptionRow*> found;
  for (const OptionRow* row : rows) {
    if (any_long_name(*row, [&](std::string_view word) { return word.starts_with(prefix); })) found.push_back(row);
  }
  return found;
}

std::string OptionTable::nearest(std::string_view name) const {
  if (name.size() > 100) return "";  // the distance costs the product of both lengths
  // A third of the letters may be wrong; more than that is another word, not a slip.
  int best = static_cast<int>(name.size()) / 3 + 1;
  std::string found;
  for (const OptionRow* row : rows) {
    any_long_name(*row, [&](std::string_view word) {
      const int distance = edit_distance(name, word);
      if (distance < best) {
        best = distance;
        found = "--" + std::string(word);
      }
      return false;
    });
  }
  return found;
}

OptionTable server_options(Verb verb) {
  OptionTable table;
  table.command = verb == Verb::kRun ? "run" : "serve";
  table.positional = "model";
  table.add(acting_options());
  table.add(network_options());
  table.add(adapter_options());
  table.add(refused_options());
  table.add(accepted_options());
  return table;
}

}  // namespace seraph
