#include "daemon/api/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/coerce.h"
#include "daemon/api/messages.h"
#include "daemon/api/structured.h"
#include "daemon/api/tools.h"

namespace seraph {
namespace {

using Errors = std::vector<SchemaError>;

void check_enum(const Json& value, std::string_view choices, const std::string& loc, Errors& errors) {
  std::string expected;
  std::string_view rest = choices;
  while (!rest.empty()) {
    const size_t bar = rest.find('|');
    const std::string_view choice = rest.substr(0, bar);
    if (value.is_string() && value.as_string() == choice) return;
    rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
    if (!expected.empty()) expected += rest.empty() ? " or " : ", ";
    expected += '\'' + std::string(choice) + '\'';
  }
  errors.push_back(
      {"literal_error", loc, "Input should be " + expected, describe(value), "'expected': " + python_string(expected)});
}

void check_list(Json& value, FieldType type, const std::string& loc, Errors& errors) {
  if (!value.is_array()) {
    errors.push_back(list_type(loc, value));
    return;
  }
  size_t index = 0;
  for (Json& item : value.as_array()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    const std::string place = loc + '.' + std::to_string(index++);
    std::optional<SchemaError> error;
    if (type == FieldType::kIntList) {
      error = to_int(item, place);
    } else if (type == FieldType::kTokenList) {
      error = to_bounded_int(item, place, 0, std::numeric_limits<int64_t>::max());
    } else if (type == FieldType::kStringList && !item.is_string()) {
      error = string_type(place, item);
    } else if (type == FieldType::kObjectList && !item.is_object()) {
      error = dict_type(place, item);
    }
    if (error) errors.push_back(std::move(*error));
  }
}

void check_enum_list(const Json& value, std::string_view choices, const std::string& loc, Errors& errors) {
  if (!value.is_array()) {
    errors.push_back(list_type(loc, value));
    return;
  }
  size_t index = 0;
  for (const Json& item : value.as_array()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    check_enum(item, choices, loc + '.' + std::to_string(index++), errors);
  }
}

void check_string_map(const Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back(dict_type(loc, value));
    return;
  }
  for (const auto& [name, item] : value.as_object()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    if (!item.is_string()) errors.push_back(string_type(loc + '.' + name, item));
  }
}

void check_number_map(Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back(dict_type(loc, value));
    return;
  }
  for (auto& [name, item] : value.as_object()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    if (auto error = to_float(item, loc + '.' + name)) errors.push_back(std::move(*error));
  }
}

/// A string or a list of strings: two tries of a union, so a wrong value gives two errors.
void check_stop(Json& value, int64_t items_max, const std::string& loc, Errors& errors) {
  if (value.is_string()) {
    value = Json(Json::Array{std::move(value)});
    return;
  }
  Errors list_errors;
  if (!value.is_array()) {
    list_errors.push_back(list_type(loc, value));
  } else if (const auto count = static_cast<int64_t>(value.as_array().size()); count > items_max) {
    const std::string limit = std::to_string(items_max);
    const std::string actual = std::to_string(count);
    list_errors.push_back(
        {"too_long", loc, "List should have at most " + limit + " items after validation, not " + actual,
         describe(value), "'field_type': 'List', 'max_length': " + limit + ", 'actual_length': " + actual});
  } else {
    check_list(value, FieldType::kStringList, loc, list_errors);
  }
  if (list_errors.empty()) return;
  errors.push_back(string_type(loc, value));
  std::move(list_errors.begin(), list_errors.end(), std::back_inserter(errors));
}

/// A string or a list of strings: two tries of a union, so a wrong value gives two errors.
void check_texts(Json& value, const std::string& loc, Errors& errors) {
  if (value.is_string()) return;
  Errors of_list;
  check_list(value, FieldType::kStringList, loc, of_list);
  if (of_list.empty()) return;
  errors.push_back(string_type(loc, value));
  std::move(of_list.begin(), of_list.end(), std::back_inserter(errors));
}

/// Ids, lists of ids, a text or texts. A wrong value is refused by all four, in this order.
void check_prompt(Json& value, const std::string& loc, Errors& errors) {
  if (value.is_string()) return;
  if (!value.is_array()) {
    errors.insert(errors.end(),
                  {list_type(loc, value), list_type(loc, value), string_type(loc, value), list_type(loc, value)});
    return;
  }
  const auto as_ids = [](Json& list, const std::string& place, Errors& out) {
    check_list(list, FieldType::kTokenList, place, out);
  };
  Json::Array& items = value.as_array();
  if (std::all_of(items.begin(), items.end(), [](const Json& item) { return item.is_string(); })) return;
  Errors of_ids, of_lists;
  Json ids = value;  // coercion of one try must not show in the next
  as_ids(ids, loc, of_ids);
  if (of_ids.empty()) {
    value = std::move(ids);
    return;
  }
  size_t index = 0;
  for (Json& item : items) {
    if (of_lists.size() >= kSchemaErrorsMax) break;
    as_ids(item, loc + '.' + std::to_string(index++), of_lists);
  }
  if (of_lists.empty()) return;
  std::move(of_ids.begin(), of_ids.end(), std::back_inserter(errors));
  std::move(of_lists.begin(), of_lists.end(), std::back_inserter(errors));
  errors.push_back(string_type(loc, value));
  check_list(value, FieldType::kStringList, loc, errors);
}

void check_questions(const Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back(dict_type(loc, value));
    return;
  }
  for (const auto& [name, question] : value.as_object()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    const std::string place = loc + '.' + name;
    const Json* type = question.is_object() ? question.find("type") : nullptr;
    if (!question.is_object()) {
      errors.push_back({"model_attributes_type", place,
                        "Input should be a valid dictionary or object to extract fields from", describe(question)});
    } else if (type == nullptr) {
      errors.push_back({"missing", place + ".type", "Field required", describe(question)});
    } else if (!type->is_string()) {
      errors.push_back(string_type(place + ".type", *type));
    }
  }
}

/// Values mean nothing here, but their types are checked: a text, a number, or a list of those.
void check_xargs(const Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back(dict_type(loc, value));
    return;
  }
  const auto is_scalar = [](const Json& item) { return item.is_string() || item.is_number() || item.is_bool(); };
  for (const auto& [name, item] : value.as_object()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    const std::string place = loc + '.' + name;
    if (is_scalar(item)) continue;
    const bool is_list = item.is_array();
    if (is_list && std::all_of(item.as_array().begin(), item.as_array().end(), is_scalar)) continue;
    errors.push_back(string_type(place, item));
    errors.push_back({"int_type", place, "Input should be a valid integer", describe(item)});
    errors.push_back({"float_type", place, "Input should be a valid number", describe(item)});
    if (!is_list) errors.push_back(list_type(place, item));
  }
}

void check_repetition(Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back({"dataclass_type", loc, "Input should be a dictionary or an instance of RepetitionDetectionParams",
                      describe(value)});
    return;
  }
  for (const char* name : {"max_pattern_size", "min_pattern_size", "min_count"}) {
    Json* member = value.find(name);
    if (member == nullptr) continue;
    if (auto error = to_int(*member, loc + '.' + name)) errors.push_back(std::move(*error));
  }
}

/// A text or its ids: two tries of a union, so a wrong value gives the errors of both.
void check_text_or_tokens(Json& value, const std::string& loc, Errors& errors) {
  if (value.is_string()) return;
  Errors of_ids;
  check_list(value, FieldType::kIntList, loc, of_ids);
  if (of_ids.empty()) return;
  errors.push_back(string_type(loc, value));
  std::move(of_ids.begin(), of_ids.end(), std::back_inserter(errors));
}

/// All texts, or all lists of ids.
void check_texts_or_tokens(Json& value, const std::string& loc, Errors& errors) {
  Errors of_texts, of_ids;
  check_list(value, FieldType::kStringList, loc, of_texts);
  if (of_texts.empty()) return;
  size_t index = 0;
  if (value.is_array()) {
    for (Json& item : value.as_array()) {
      check_list(item, FieldType::kIntList, loc + '.' + std::to_string(index++), of_ids);
      if (of_ids.size() >= kSchemaErrorsMax) break;
    }
    if (of_ids.empty()) return;
  } else {
    of_ids.push_back(list_type(loc, value));
  }
  std::move(of_texts.begin(), of_texts.end(), std::back_inserter(errors));
  std::move(of_ids.begin(), of_ids.end(), std::back_inserter(errors));
}

void check_conversations(const Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_array()) {
    errors.push_back(list_type(loc, value));
    return;
  }
  if (value.as_array().empty()) {
    errors.push_back({"too_short", loc, "List should have at least 1 item after validation, not 0", describe(value),
                      "'field_type': 'List', 'min_length': 1, 'actual_length': 0"});
  }
  size_t index = 0;
  for (const Json& messages : value.as_array()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    check_messages(messages, loc + '.' + std::to_string(index++), errors);
  }
}

void check_stream_options(Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back({"model_attributes_type", loc,
                      "Input should be a valid dictionary or object to extract fields from", describe(value)});
    return;
  }
  for (const char* name : {"include_usage", "continuous_usage_stats"}) {
    Json* member = value.find(name);
    if (member == nullptr || member->is_null()) continue;
    if (auto error = to_bool(*member, loc + '.' + name)) errors.push_back(std::move(*error));
  }
}

void check_text_or_list(const Json& value, const std::string& loc, Errors& errors) {
  if (value.is_string() || value.is_array()) return;
  errors.push_back(string_type(loc, value));
  errors.push_back(list_type(loc, value));
}

/// Types whose values have parts, each with its own place.
void check_composite(Json& value, const FieldRule& rule, const FieldLimits& limits, const std::string& loc,
                     Errors& errors) {
  switch (rule.type) {
    case FieldType::kEnumList:
      return check_enum_list(value, rule.choices, loc, errors);
    case FieldType::kStringMap:
      return check_string_map(value, loc, errors);
    case FieldType::kTextOrList:
      return check_text_or_list(value, loc, errors);
    case FieldType::kNumberMap:
      return check_number_map(value, loc, errors);
    case FieldType::kIntList:
    case FieldType::kTokenList:
    case FieldType::kStringList:
    case FieldType::kObjectList:
      return check_list(value, rule.type, loc, errors);
    case FieldType::kStop:
      return check_stop(value, limits.stop_strings_max, loc, errors);
    case FieldType::kTexts:
      return check_texts(value, loc, errors);
    case FieldType::kPrompt:
      return check_prompt(value, loc, errors);
    case FieldType::kMessages:
      return check_messages(value, loc, errors);
    case FieldType::kConversations:
      return check_conversations(value, loc, errors);
    case FieldType::kQuestions:
      return check_questions(value, loc, errors);
    case FieldType::kXargs:
      return check_xargs(value, loc, errors);
    case FieldType::kRepetition:
      return check_repetition(value, loc, errors);
    case FieldType::kTextOrTokens:
      return check_text_or_tokens(value, loc, errors);
    case FieldType::kTextsOrTokens:
      return check_texts_or_tokens(value, loc, errors);
    case FieldType::kTools:
      return check_tools(value, loc, errors);
    case FieldType::kStreamOptions:
      return check_stream_options(value, loc, errors);
    case FieldType::kResponseFormat:
      return check_response_format(value, loc, errors);
    case FieldType::kStructuredOutputs:
      return check_structured_outputs(value, loc, errors);
    default:
      return;  // kAny, kUnoffered
  }
}

void check_value(Json& value, const FieldRule& rule, const FieldLimits& limits, Errors& errors) {
  const std::string loc = std::string(limits.place) + '.' + std::string(rule.name);
  std::optional<SchemaError> error;
  switch (rule.type) {
    case FieldType::kBool:
      error = to_bool(value, loc);
      break;
    case FieldType::kInt:
      error = rule.bounded ? to_bounded_int(value, loc, rule.int_min, rule.int_max) : to_int(value, loc);
      break;
    case FieldType::kFloat:
      error = to_float(value, loc);
      break;
    case FieldType::kString:
      if (!value.is_string()) error = string_type(loc, value);
      break;
    case FieldType::kObject:
      if (!value.is_object()) error = dict_type(loc, value);
      break;
    case FieldType::kSchema:
      if (!value.is_object() && !value.is_string()) error = dict_type(loc, value);
      break;
    case FieldType::kEnum:
      return check_enum(value, rule.choices, loc, errors);
    default:
      return check_composite(value, rule, limits, loc, errors);
  }
  if (error) errors.push_back(std::move(*error));
}

/// True when the value really asks for the feature: the neutral spellings of "no, thank you" pass.
bool asks_for(const Json& value) {
  if (value.is_null() || (value.is_bool() && !value.as_bool())) return false;
  return true;
}

std::optional<ApiError> check_range(const Json& value, const FieldRule& rule) {
  const Range& range = rule.range;
  if (range.text == nullptr) return std::nullopt;
  const double number = value.as_double();
  const bool low_ok = range.low_open ? number > range.low : number >= range.low;
  const bool finite_ok = !range.finite || std::isfinite(number);
  if (finite_ok && low_ok && number <= range.high) return std::nullopt;
  const std::string shown = value.is_int() ? std::to_string(value.as_int()) : python_float(number);
  const char* text = !finite_ok                             ? "a finite number"
                     : !low_ok && range.text_low != nullptr ? range.text_low
                                                            : range.text;
  std::string message = std::string(rule.name) + " must be " + text + ", got " + shown + '.';
  if (!range.names_param) return bad_request(std::move(message));
  return bad_parameter(std::move(message), rule.name, shown);
}

/// Rules that vLLM checks before the schema, because their words do not come from it.
std::optional<ApiError> check_before_schema(const Json& body, Endpoint endpoint) {
  const bool is_chat = endpoint == kChat || endpoint == kBatchChat;
  if (!is_chat && endpoint != kCompletions) return std::nullopt;
  const Json* salt = find_given(body, "cache_salt");
  if (salt != nullptr && (!salt->is_string() || salt->as_string().empty())) {
    return bad_request("Parameter 'cache_salt' must be a non-empty string if provided. (parameter=cache_salt)",
                       "cache_salt");
  }
  for (const char* name : {"prompt_logprobs", "top_logprobs", "logprobs"}) {
    const Json* value = find_given(body, name);
    if (value == nullptr || (is_chat && std::string_view(name) == "logprobs")) continue;
    if (endpoint == kCompletions && std::string_view(name) == "top_logprobs") continue;
    Json copy = *value;
    if (to_int(copy, name)) {
      return bad_parameter('`' + std::string(name) + "` must be an integer.", name, describe(*value));
    }
    if (copy.as_int() < -1) {
      return bad_parameter('`' + std::string(name) + "` must be a positive value or -1.", name, describe(*value));
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<SchemaError> check_schema(Json& body, Endpoint endpoint, const FieldLimits& limits) {
  Errors errors;
  for (const FieldRule& rule : field_rules()) {
    if ((rule.endpoints & endpoint) == 0) continue;
    Json* value = body.find(rule.name);
    if (value == nullptr) {
      if (rule.required) {
        errors.push_back(
            {"missing", std::string(limits.place) + '.' + std::string(rule.name), "Field required", describe(body)});
      }
      continue;
    }
    if (value->is_null() && rule.nullable) continue;
    check_value(*value, rule, limits, errors);
  }
  return errors;
}

std::optional<ApiError> check_fields(Json& body, Endpoint endpoint, const FieldLimits& limits) {
  if (!body.is_object()) {
    if (body.is_null()) return schema_error({{"missing", "body", "Field required", "None"}});
    return schema_error({{"model_attributes_type", "body",
                          "Input should be a valid dictionary or object to extract fields from", describe(body)}});
  }
  if (auto error = check_before_schema(body, endpoint)) return error;
  if (const Errors errors = check_schema(body, endpoint, limits); !errors.empty()) return schema_error(errors);
  for (const FieldRule& rule : field_rules()) {
    if ((rule.endpoints & endpoint) == 0) continue;
    const Json* value = find_given(body, rule.name);
    if (value == nullptr) continue;
    if (rule.type == FieldType::kUnoffered && asks_for(*value)) {
      return bad_request(
          '`' + std::string(rule.name) + "` is not offered by this server yet; send the request without it",
          std::string(rule.name));
    }
    if (rule.range.text != nullptr) {
      if (auto error = check_range(*value, rule)) return error;
    }
  }
  return std::nullopt;
}

std::string unknown_fields(const Json& body, Endpoint endpoint) {
  constexpr size_t kNamesMax = 10;
  std::string names;
  size_t count = 0;
  for (const auto& [name, value] : body.as_object()) {
    const auto rules = field_rules();
    const bool known = std::any_of(rules.begin(), rules.end(), [&, &field = name](const FieldRule& rule) {
      return rule.name == field && (rule.endpoints & endpoint) != 0;
    });
    if (known || ++count > kNamesMax) continue;
    names += (names.empty() ? "" : ", ") + name.substr(0, 64);
  }
  if (count > kNamesMax) names += " and " + std::to_string(count - kNamesMax) + " more";
  return names;
}

const Json* find_given(const Json& body, std::string_view name) {
  const Json* value = body.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool get_bool(const Json& body, std::string_view name, bool fallback) {
  return find_bool(body, name).value_or(fallback);
}

std::optional<bool> find_bool(const Json& body, std::string_view name) {
  const Json* value = find_given(body, name);
  return value == nullptr || !value->is_bool() ? std::nullopt : std::optional(value->as_bool());
}

std::optional<int64_t> find_int(const Json& body, std::string_view name) {
  const Json* value = find_given(body, name);
  return value == nullptr || !value->is_int() ? std::nullopt : std::optional(value->as_int());
}

std::optional<double> find_float(const Json& body, std::string_view name) {
  const Json* value = find_given(body, name);
  return value == nullptr || !value->is_number() ? std::nullopt : std::optional(value->as_double());
}

const std::string* find_string(const Json& body, std::string_view name) {
  const Json* value = find_given(body, name);
  return value == nullptr || !value->is_string() ? nullptr : &value->as_string();
}

}  // namespace seraph
