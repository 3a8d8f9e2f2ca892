#include "engine/grammar/unique_items.h"

#include <string>

namespace seraph::grammar {

bool json_equal(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.integer_digits() != b.integer_digits()) return false;
    if (a.is_int() && b.is_int()) return a.as_int() == b.as_int();
    return a.as_double() == b.as_double();
  }
  if (a.kind() != b.kind()) return false;
  if (a.is_array()) {
    if (a.as_array().size() != b.as_array().size()) return false;
    for (size_t i = 0; i < a.as_array().size(); ++i) {
      if (!json_equal(a.as_array()[i], b.as_array()[i])) return false;
    }
    return true;
  }
  if (a.is_object()) {
    if (a.as_object().size() != b.as_object().size()) return false;
    for (const auto& [name, value] : a.as_object()) {
      const Json* other = b.find(name);
      if (other == nullptr || !json_equal(value, *other)) return false;
    }
    return true;
  }
  return a == b;
}

bool last_item_is_unique(std::string_view array, std::string_view item) {
  std::string text(array);
  text.append(item);
  text.push_back(']');
  const auto parsed = Json::parse(text);
  if (!parsed.ok() || !parsed->is_array() || parsed->as_array().empty()) return false;
  const Json::Array& items = parsed->as_array();
  for (size_t i = 0; i + 1 < items.size(); ++i) {
    if (json_equal(items[i], items.back())) return false;
  }
  return true;
}

}  // namespace seraph::grammar
