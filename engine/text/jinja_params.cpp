#include <algorithm>
#include <charconv>

#include "engine/text/jinja_builtins.h"

namespace seraph::jinja {

Params::Params(const char* function, Args& args, std::initializer_list<const char*> names, size_t required)
    : values_(names.size()) {
  const std::string call = std::string("TypeError: ") + function + "()";
  if (args.positional.size() > names.size()) {
    fail(call + " takes at most " + std::to_string(names.size()) + " arguments (" +
         std::to_string(args.positional.size()) + " given)");
  }
  std::move(args.positional.begin(), args.positional.end(), values_.begin());
  for (auto& [keyword, value] : args.keyword) {
    const std::string& name = keyword;  // clang 14 captures no structured bindings
    const auto* it = std::find_if(names.begin(), names.end(), [&](const char* known) { return name == known; });
    if (it == names.end()) fail(call + " got an unexpected keyword argument " + repr_str(name));
    Value& place = values_[static_cast<size_t>(it - names.begin())];
    if (!place.is_missing()) fail(call + " got multiple values for argument " + repr_str(name));
    place = std::move(value);
  }
  for (size_t i = 0; i < required; ++i) {
    if (values_[i].is_missing()) fail(call + " missing a required argument: '" + *(names.begin() + i) + "'");
  }
}

int64_t to_index(const Value& value) {
  if (value.is(Type::kInt) || value.is(Type::kBool)) return value.as_int();
  if (value.is_undefined()) fail_undefined(value);
  if (value.is(Type::kBig)) fail("OverflowError: this integer is too large here");
  fail("TypeError: '" + type_name(value) + "' object cannot be interpreted as an integer");
}

Value digits_value(std::string_view digits) {
  int64_t out = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return out;
}

int64_t Params::integer(size_t index, int64_t fallback) const {
  return has(index) ? to_index(values_[index]) : fallback;
}

std::string Params::text(size_t index, std::string_view fallback) const {
  return has(index) ? to_str(values_[index]) : std::string(fallback);
}

}  // namespace seraph::jinja
