#include "engine/text/component_spec.h"

namespace seraph::text {

Result<std::string> get_type(const Json& spec, const std::string& key, int depth) {
  const Json* type = spec.find("type");
  if (type == nullptr || !type->is_string()) {
    return Error{ErrorCode::kCorrupt, key + " has no member \"type\" that is a string"};
  }
  if (depth > kComponentDepthMax) return Error{ErrorCode::kCorrupt, key + " nests more than 16 sequences"};
  return type->as_string();
}

Result<std::string> get_string(const Json& spec, std::string_view name, const std::string& key) {
  const Json* member = spec.find(name);
  if (member == nullptr || !member->is_string()) {
    return Error{ErrorCode::kCorrupt, key + "." + std::string(name) + " is not a string"};
  }
  return member->as_string();
}

Result<const Json::Array*> get_array(const Json& spec, std::string_view name, const std::string& key) {
  const Json* member = spec.find(name);
  if (member == nullptr || !member->is_array()) {
    return Error{ErrorCode::kCorrupt, key + "." + std::string(name) + " is not an array"};
  }
  return &member->as_array();
}

bool get_bool(const Json& spec, std::string_view name, bool fallback) {
  const Json* member = spec.find(name);
  return member != nullptr && member->is_bool() ? member->as_bool() : fallback;
}

int64_t get_int(const Json& spec, std::string_view name, int64_t fallback) {
  const Json* member = spec.find(name);
  return member != nullptr && member->is_int() ? member->as_int() : fallback;
}

Error unknown_type(const std::string& type, const std::string& key) {
  return Error{ErrorCode::kUnsupported, key + " has type \"" + type + "\", which is not supported",
               "convert the tokenizer to components that are"};
}

TextPattern TextPattern::literal(std::string text) {
  TextPattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

TextPattern TextPattern::known(SplitPattern split) {
  TextPattern pattern;
  pattern.known_ = split;
  return pattern;
}

Result<TextPattern> TextPattern::regex(const std::string& expression) {
  const SplitPattern split = find_split_pattern(expression);
  if (split != SplitPattern::kNone) return known(split);
  TextPattern pattern;
  SERAPH_ASSIGN_OR_RETURN(pattern.regex_, Regex::compile(expression));
  return pattern;
}

std::string TextPattern::replace_all(std::string_view text, std::string_view content) const {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for_each_part(text, [&](size_t begin, size_t end, bool is_match) {
    out += is_match ? content : text.substr(begin, end - begin);
  });
  return out;
}

Result<TextPattern> parse_pattern(const Json& spec, const std::string& key) {
  const Json* pattern = spec.find("pattern");
  const Json* text = pattern != nullptr ? pattern->find("String") : nullptr;
  if (text != nullptr && text->is_string()) return TextPattern::literal(text->as_string());
  const Json* expression = pattern != nullptr ? pattern->find("Regex") : nullptr;
  if (expression == nullptr || !expression->is_string()) {
    return Error{ErrorCode::kCorrupt, key + ".pattern is neither {\"String\": text} nor {\"Regex\": text}"};
  }
  auto compiled = TextPattern::regex(expression->as_string());
  if (!compiled.ok()) compiled.error().message = key + ".pattern: " + compiled.error().message;
  return compiled;
}

}  // namespace seraph::text
