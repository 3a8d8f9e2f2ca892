// The keywords that constrain one type: type, enum, const, numbers, strings, arrays, objects.
#include <algorithm>

#include "engine/grammar/regex_syntax.h"
#include "engine/grammar/schema_expander.h"

namespace seraph::grammar {
namespace {

/// A non-negative integer keyword; -1 when it is absent.
int64_t count_keyword(const Json& schema, const char* name) {
  const Json* value = schema.find(name);
  if (value == nullptr) return -1;
  if (value->is_int() && value->as_int() >= 0) return value->as_int();
  if (value->is_double() && value->as_double() >= 0 &&
      value->as_double() == static_cast<double>(static_cast<int64_t>(std::min(value->as_double(), 1e15)))) {
    return static_cast<int64_t>(value->as_double());
  }
  if (value->is_double() && value->as_double() > 1e15) return int64_t{1} << 50;
  fail_invalid(fmt::format("{} must be a non-negative integer", name));
}

bool is_text(const Json* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->as_string() == text;
}

const Json* object_keyword(const Json& schema, const char* name) {
  const Json* value = schema.find(name);
  if (value != nullptr && !value->is_object()) fail_invalid(fmt::format("{} must be an object", name));
  return value;
}

template <typename Change>
void change_type(Alternatives& set, JsonType type, const Change& change) {
  for (Alternative& alternative : set) {
    if (alternative.type == type) change(alternative);
  }
}

}  // namespace

void SchemaExpander::apply_type(const Node& node, Alternatives& set) {
  const Json* type = node.place.schema->find("type");
  if (type == nullptr) return;
  std::vector<std::string> names;
  if (type->is_string()) names = {type->as_string()};
  if (type->is_array()) {
    for (const Json& name : type->as_array()) {
      if (!name.is_string()) fail_invalid("type must be a string or a list of strings");
      names.push_back(name.as_string());
    }
  } else if (!type->is_string()) {
    fail_invalid("type must be a string or a list of strings");
  }
  Alternatives out;
  for (const std::string& name : names) {
    constexpr std::pair<std::string_view, JsonType> kNames[] = {
        {"object", JsonType::kObject}, {"array", JsonType::kArray},    {"string", JsonType::kString},
        {"number", JsonType::kNumber}, {"integer", JsonType::kNumber}, {"boolean", JsonType::kBool},
        {"null", JsonType::kNull}};
    const auto found =
        std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& entry) { return entry.first == name; });
    if (found == std::end(kNames)) fail_invalid(fmt::format("type \"{:.100}\" does not exist", name));
    Alternative alternative;
    alternative.type = found->second;
    alternative.number.integer = name == "integer" && std::find(names.begin(), names.end(), "number") == names.end();
    if (std::find(out.begin(), out.end(), alternative) == out.end()) out.push_back(std::move(alternative));
  }
  set = std::move(out);
}

void SchemaExpander::apply_values(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  if (const Json* value = schema.find("const")) set = intersect(set, expand_value(*value));
  const Json* values = schema.find("enum");
  if (values == nullptr) return;
  if (!values->is_array()) fail_invalid("enum must be a list");
  Alternatives allowed;
  std::vector<std::string_view> strings;
  std::vector<Decimal> numbers;
  for (const Json& value : values->as_array()) {
    if (value.is_string()) {
      strings.push_back(value.as_string());
    } else if (value.is_number()) {
      numbers.push_back(decimal_of(value));
    } else {
      add_unique(allowed, expand_value(value)[0]);
    }
  }
  if (!strings.empty()) {
    Alternative alternative;
    alternative.type = JsonType::kString;
    alternative.string.language = languages_.add(one_of(strings, budget_));
    alternative.string.one_spelling = true;
    allowed.push_back(std::move(alternative));
  }
  if (!numbers.empty()) {
    Alternative alternative;
    alternative.type = JsonType::kNumber;
    alternative.number.only = std::move(numbers);
    allowed.push_back(std::move(alternative));
  }
  set = intersect(set, allowed);
}

void SchemaExpander::apply_number(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  Alternative limits;
  limits.type = JsonType::kNumber;
  const auto number = [&](const char* name) -> const Json* {
    const Json* value = schema.find(name);
    if (value != nullptr && !value->is_number()) fail_invalid(fmt::format("{} must be a number", name));
    return value;
  };
  const auto bound = [&](const char* name, const char* exclusive_name,
                         std::optional<NumberSet::Bound> NumberSet::*side) {
    const Json* exclusive = schema.find(exclusive_name);
    const bool is_flag = exclusive != nullptr && exclusive->is_bool();  // as draft 4 had it
    NumberSet tighter;
    if (const Json* value = number(name)) {
      tighter.*side = NumberSet::Bound{decimal_of(*value), is_flag && exclusive->as_bool()};
      grammar::intersect_into(limits.number, tighter);
    }
    if (exclusive == nullptr || is_flag) return;
    tighter.*side = NumberSet::Bound{decimal_of(*number(exclusive_name)), true};
    grammar::intersect_into(limits.number, tighter);
  };
  bound("minimum", "exclusiveMinimum", &NumberSet::lower);
  bound("maximum", "exclusiveMaximum", &NumberSet::upper);
  if (const Json* multiple = number("multipleOf")) {
    const Decimal of = decimal_of(*multiple);
    if (of.is_zero() || of.negative) fail_invalid("multipleOf must be greater than 0");
    limits.number.multiples.push_back(of);
  }
  if (limits.number == NumberSet{}) return;
  std::erase_if(set, [&](Alternative& alternative) {
    return alternative.type == JsonType::kNumber && !intersect_into(alternative, limits);
  });
}

void SchemaExpander::apply_string(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  Alternative limits;
  limits.type = JsonType::kString;
  limits.string.min_chars = std::max<int64_t>(0, count_keyword(schema, "minLength"));
  limits.string.max_chars = count_keyword(schema, "maxLength");
  if (const Json* pattern = schema.find("pattern")) {
    if (!pattern->is_string()) fail_invalid("pattern must be a string");
    limits.string.language = languages_.add(compile_regex_dfa(pattern->as_string(), RegexDialect::kEcma, budget_));
    limits.string.one_spelling = true;
  }
  apply_format(schema, limits.string);
  apply_content(schema, limits.string);
  if (limits.string == StringSet{}) return;
  std::erase_if(set, [&](Alternative& alternative) {
    return alternative.type == JsonType::kString && !intersect_into(alternative, limits);
  });
}

void SchemaExpander::apply_format(const Json& schema, StringSet& string) {
  const Json* format = schema.find("format");
  if (format == nullptr) return;
  if (!format->is_string()) fail_invalid("format must be a string");
  LangId language = LanguagePool::kAll;
  if (!find_format(format->as_string(), languages_, budget_, language)) return;
  string.language = languages_.intersection(string.language, language);
  string.one_spelling = true;
}

/// Annotations since draft 2019-09; earlier drafts, and documents that do not say, may mean them as assertions.
void SchemaExpander::apply_content(const Json& schema, StringSet& string) {
  const Json* encoding = schema.find("contentEncoding");
  const Json* media_type = schema.find("contentMediaType");
  if (document_.is_recent_draft() || (encoding == nullptr && media_type == nullptr)) return;
  const bool is_base64 = is_text(encoding, "base64");
  const bool is_json = is_text(media_type, "application/json");
  if (!is_base64 && !is_json) return;
  LangId language = LanguagePool::kAll;
  const std::string_view content = is_base64 ? (is_json ? kBase64JsonContent : kBase64Content) : kJsonContent;
  find_format(content, languages_, budget_, language);
  string.language = languages_.intersection(string.language, language);
  string.one_spelling = true;
}

void SchemaExpander::apply_array(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  Alternative limits;
  limits.type = JsonType::kArray;
  limits.array.min = std::max<int64_t>(0, count_keyword(schema, "minItems"));
  limits.array.max = count_keyword(schema, "maxItems");
  if (const Json* unique = schema.find("uniqueItems")) {
    if (!unique->is_bool()) fail_invalid("uniqueItems must be true or false");
    limits.array.unique = unique->as_bool();
  }
  apply_items(node, limits);
  apply_contains(node, limits);
  const bool possible = is_possible(limits, 0);
  std::erase_if(set, [&](Alternative& alternative) {
    return alternative.type == JsonType::kArray && (!possible || !intersect_into(alternative, limits));
  });
}

void SchemaExpander::apply_items(const Node& node, Alternative& alternative) {
  const Json& schema = *node.place.schema;
  const Json* items = schema.find("items");
  const Json* prefix = schema.find("prefixItems");
  const Json* rest = items;
  if (items != nullptr && items->is_array()) {
    // Up to draft 2019-09 a list under `items` is what `prefixItems` is now.
    if (prefix != nullptr) fail_invalid("items may not be a list beside prefixItems");
    prefix = items;
    rest = schema.find("additionalItems");
  }
  if (prefix != nullptr) {
    if (!prefix->is_array()) fail_invalid("prefixItems must be a list");
    for (const Json& item : prefix->as_array()) alternative.array.prefix.push_back(child_expr(node, item));
    alternative.evaluated.items = static_cast<int64_t>(prefix->as_array().size());
  }
  if (rest == nullptr) return;
  alternative.array.rest = child_expr(node, *rest);
  alternative.evaluated.all_items = true;
}

void SchemaExpander::apply_contains(const Node& node, Alternative& alternative) {
  const Json& schema = *node.place.schema;
  const Json* contains = schema.find("contains");
  if (contains == nullptr) return;
  ArraySet::Contains wanted;
  wanted.item = child_expr(node, *contains);
  const int64_t min = count_keyword(schema, "minContains");
  wanted.min = min < 0 ? 1 : min;
  wanted.max = count_keyword(schema, "maxContains");
  if (wanted.min > 0 || wanted.max >= 0) alternative.array.contains.push_back(wanted);
  alternative.evaluated.contained = wanted.item;
}

void SchemaExpander::apply_object(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  Alternative limits;
  limits.type = JsonType::kObject;
  limits.object.min = std::max<int64_t>(0, count_keyword(schema, "minProperties"));
  limits.object.max = count_keyword(schema, "maxProperties");
  apply_properties(node, limits);
  apply_names(node, limits);
  const bool possible = is_possible(limits, 0);
  std::erase_if(set, [&](Alternative& alternative) {
    return alternative.type == JsonType::kObject && (!possible || !intersect_into(alternative, limits));
  });
}

void SchemaExpander::apply_properties(const Node& node, Alternative& alternative) {
  const Json& schema = *node.place.schema;
  std::vector<std::string_view> names;
  if (const Json* properties = object_keyword(schema, "properties")) {
    for (const auto& [name, value] : properties->as_object()) {
      alternative.object.rules.push_back({languages_.literal(name), child_expr(node, value), true, name});
      names.push_back(name);
    }
  }
  LangId matched = names.empty() ? LanguagePool::kNothing : languages_.add(one_of(names, budget_));
  if (const Json* patterns = object_keyword(schema, "patternProperties")) {
    for (const auto& [pattern, value] : patterns->as_object()) {
      const LangId language = languages_.add(compile_regex_dfa(pattern, RegexDialect::kEcma, budget_));
      alternative.object.rules.push_back({language, child_expr(node, value), false, ""});
      matched = languages_.unite(matched, language);
    }
  }
  alternative.evaluated.names = matched;
  if (const Json* additional = schema.find("additionalProperties")) {
    const ExprId value = child_expr(node, *additional);
    if (value != ExprPool::kTrue)
      alternative.object.rules.push_back({languages_.complement(matched), value, false, ""});
    alternative.evaluated.all_members = true;
  }
}

void SchemaExpander::apply_names(const Node& node, Alternative& alternative) {
  const Json& schema = *node.place.schema;
  const Json* required = schema.find("required");
  if (required != nullptr && !required->is_bool()) {  // a flag inside a property, as draft 3 had it, says nothing here
    if (!required->is_array()) fail_invalid("required must be a list of strings");
    for (const Json& name : required->as_array()) {
      if (!name.is_string()) fail_invalid("required must be a list of strings");
      ObjectSet::Rule rule = {languages_.literal(name.as_string()), ExprPool::kTrue, true, name.as_string()};
      auto& exists = alternative.object.exists;
      if (std::find(exists.begin(), exists.end(), rule) == exists.end()) exists.push_back(std::move(rule));
    }
  }
  const Json* names = schema.find("propertyNames");
  if (names == nullptr) return;
  LangId allowed = LanguagePool::kNothing;
  for (const Alternative& name : expand(child_expr(node, *names))) {
    if (name.type != JsonType::kString) continue;
    LangId language = name.string.language;
    if (name.string.min_chars > 0 || name.string.max_chars >= 0) {
      language = languages_.intersection(
          language, languages_.add(length_between(name.string.min_chars, name.string.max_chars, budget_)));
    }
    allowed = languages_.unite(allowed, language);
  }
  if (allowed == LanguagePool::kAll) return;
  alternative.object.rules.push_back({languages_.complement(allowed), ExprPool::kFalse, false, ""});
}

}  // namespace seraph::grammar
