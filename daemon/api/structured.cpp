#include "daemon/api/structured.h"

#include <utility>

#include "daemon/api/fields.h"

namespace seraph {
namespace {

using Errors = std::vector<SchemaError>;
using Kind = ConstraintSource::Kind;

constexpr const char* kNoKind =
    "You must use one kind of structured outputs constraint but none are specified: give one of json, regex, choice, "
    "grammar, json_object, structural_tag";

ApiError invalid_specification(const std::string& field) {
  return bad_request("Invalid " + field + " structural_tag specification. (parameter=" + field + ")", field);
}

void check_string(const Json* value, const std::string& loc, bool nullable, Errors& errors) {
  if (value == nullptr || value->is_string() || (nullable && value->is_null())) return;
  errors.push_back({"string_type", loc, "Input should be a valid string", describe(*value)});
}

void check_json_schema_format(const Json& format, const std::string& loc, Errors& errors) {
  if (!format.is_object()) {
    errors.push_back({"model_attributes_type", loc,
                      "Input should be a valid dictionary or object to extract fields from", describe(format)});
    return;
  }
  const Json* name = format.find("name");
  if (name == nullptr) errors.push_back({"missing", loc + ".name", "Field required", describe(format)});
  check_string(name, loc + ".name", false, errors);
  check_string(format.find("description"), loc + ".description", true, errors);
  const Json* schema = format.find("schema");
  if (schema != nullptr && !schema->is_object() && !schema->is_null()) {
    errors.push_back({"dict_type", loc + ".schema", "Input should be a valid dictionary", describe(*schema)});
  }
  const Json* strict = format.find("strict");
  if (strict != nullptr && !strict->is_bool() && !strict->is_null()) {
    errors.push_back({"bool_type", loc + ".strict", "Input should be a valid boolean", describe(*strict)});
  }
}

std::optional<ApiError> read_schema(const Json& given, const char* field, ConstraintSource& out) {
  out.kind = Kind::kJsonSchema;
  out.value = given;
  if (!given.is_string()) return std::nullopt;
  auto parsed = Json::parse(given.as_string());
  if (!parsed.ok() || !(parsed->is_object() || parsed->is_bool())) {
    return bad_request("Invalid JSON grammar specification.", field);
  }
  out.value = std::move(parsed).value();
  return std::nullopt;
}

std::optional<ApiError> read_text(const Json& given, Kind kind, const char* field, ConstraintSource& out) {
  out.kind = kind;
  out.value = given;
  if (!given.as_string().empty()) return std::nullopt;
  return bad_request(std::string(field) + " cannot be an empty string");
}

std::optional<ApiError> read_choices(const Json& given, ConstraintSource& out) {
  out.kind = Kind::kChoice;
  out.value = given;
  if (!given.as_array().empty()) return std::nullopt;
  return bad_request("Choice '[]' cannot be an empty list");
}

bool is_structural_tag(const Json& tag) {
  return tag.is_object() && (tag.find("format") != nullptr || tag.find("structures") != nullptr);
}

std::optional<ApiError> read_tag_text(const Json& given, const std::string& field, ConstraintSource& out) {
  auto tag = Json::parse(given.as_string());
  if (!tag.ok() || !is_structural_tag(*tag)) return invalid_specification(field);
  out.kind = Kind::kStructuralTag;
  out.value = std::move(tag).value();
  return std::nullopt;
}

/// The white space that JSON may have between its tokens: any, or the standard one when compact text is asked for.
std::optional<ApiError> read_space(const Json* pattern, bool compact, const char* field, ConstraintSource& out) {
  out.any_space = !compact;
  if (pattern == nullptr) return std::nullopt;
  const std::string& text = pattern->as_string();
  if (text == "" || text == " " || text == " ?") {
    out.any_space = false;
    return std::nullopt;
  }
  for (const char* any : {"[\\n\\t ]*", "[ \\n\\t]*", "[ \\n\\t\\r]*", "[\\n ]*", "[ \\n]*", "\\s*", "[\\s]*", " *"}) {
    if (text == any) return std::nullopt;
  }
  return bad_request(std::string(field) + " " + python_string(text) +
                         " cannot be honoured; leave it out for any JSON white space, or give \" \" for compact text",
                     field);
}

/// The one kind that structured_outputs gives.
std::optional<ApiError> read_structured_kind(const Json& given, ConstraintSource& out) {
  if (const Json* json = find_given(given, "json")) return read_schema(*json, "structured_outputs.json", out);
  if (const Json* regex = find_given(given, "regex")) {
    return read_text(*regex, Kind::kRegex, "structured_outputs.regex", out);
  }
  if (const Json* choice = find_given(given, "choice")) return read_choices(*choice, out);
  if (const Json* grammar = find_given(given, "grammar")) {
    return read_text(*grammar, Kind::kGrammar, "structured_outputs.grammar", out);
  }
  if (const Json* tag = find_given(given, "structural_tag")) return read_tag_text(*tag, "structured_outputs", out);
  out.kind = Kind::kJsonObject;
  return std::nullopt;
}

std::optional<ApiError> read_structured_outputs(const Json& given, ConstraintSource& out) {
  int count = 0;
  for (const char* name : {"json", "regex", "choice", "grammar", "json_object", "structural_tag"}) {
    count += find_given(given, name) != nullptr ? 1 : 0;
  }
  if (count == 0) return bad_request(kNoKind, "structured_outputs");
  if (count > 1) {
    return bad_request("You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
                       "structured_outputs");
  }
  const Json* object = find_given(given, "json_object");
  if (object != nullptr && !object->as_bool()) {
    return bad_request(
        "structured_outputs.json_object must be True if set; omit structured_outputs to disable structured outputs");
  }
  if (auto error = read_structured_kind(given, out)) return error;
  if (get_bool(given, "disable_additional_properties", false) && out.kind == Kind::kJsonSchema) {
    out.value = without_additional_properties(out.value);
  }
  return read_space(find_given(given, "whitespace_pattern"), get_bool(given, "disable_any_whitespace", false),
                    "structured_outputs.whitespace_pattern", out);
}

/// The fields of vLLM up to 0.11; each gives a constraint of its own.
std::optional<ApiError> read_guided(const Json& body, std::vector<ConstraintSource>& out) {
  const Json* space = find_given(body, "guided_whitespace_pattern");
  if (const Json* json = find_given(body, "guided_json")) {
    out.push_back({.field = "guided_json"});
    if (auto error = read_schema(*json, "guided_json", out.back())) return error;
    if (auto error = read_space(space, false, "guided_whitespace_pattern", out.back())) return error;
  }
  if (const Json* regex = find_given(body, "guided_regex")) {
    out.push_back({.field = "guided_regex"});
    if (auto error = read_text(*regex, Kind::kRegex, "guided_regex", out.back())) return error;
  }
  if (const Json* choice = find_given(body, "guided_choice")) {
    out.push_back({.field = "guided_choice"});
    if (auto error = read_choices(*choice, out.back())) return error;
  }
  if (const Json* grammar = find_given(body, "guided_grammar")) {
    out.push_back({.field = "guided_grammar"});
    if (auto error = read_text(*grammar, Kind::kGrammar, "guided_grammar", out.back())) return error;
  }
  if (get_bool(body, "guided_json_object", false)) {
    out.push_back({.kind = Kind::kJsonObject, .field = "guided_json_object"});
  }
  if (const Json* tag = find_given(body, "structural_tag")) {
    out.push_back({.field = "structural_tag"});
    if (auto error = read_tag_text(*tag, "structural_tag", out.back())) return error;
  }
  return std::nullopt;
}

}  // namespace

Json without_additional_properties(const Json& schema) {
  if (schema.is_array()) {
    Json::Array out;
    for (const Json& item : schema.as_array()) out.push_back(without_additional_properties(item));
    return out;
  }
  if (!schema.is_object()) return schema;
  Json out{Json::Object{}};
  for (const auto& [name, value] : schema.as_object()) {
    const bool is_data = name == "enum" || name == "const" || name == "default" || name == "examples";
    const bool is_map = value.is_object() && (name == "properties" || name == "patternProperties" ||
                                              name == "dependentSchemas" || name == "$defs" || name == "definitions");
    Json closed = value;
    if (is_map) {
      for (auto& member : closed.as_object()) member.second = without_additional_properties(member.second);
    } else if (!is_data) {
      closed = without_additional_properties(value);
    }
    out.as_object().emplace_back(name, std::move(closed));
  }
  const Json* properties = out.find("properties");
  if (properties != nullptr && properties->is_object() && out.find("additionalProperties") == nullptr &&
      out.find("patternProperties") == nullptr) {
    out.set("additionalProperties", Json(false));
  }
  return out;
}

std::string ConstraintSource::key() const {
  return std::to_string(static_cast<int>(kind)) + (any_space ? 'a' : 'c') + (markers ? 'm' : 'p') + value.dump();
}

void check_response_format(const Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back({"model_attributes_type", loc,
                      "Input should be a valid dictionary or object to extract fields from", describe(value)});
    return;
  }
  const Json* type = value.find("type");
  if (type == nullptr) {
    errors.push_back({"missing", loc + ".type", "Field required", describe(value)});
    return;
  }
  const std::string word = type->is_string() ? type->as_string() : "";
  if (word != "text" && word != "json_object" && word != "json_schema" && word != "structural_tag") {
    const std::string expected = "'text', 'json_object', 'json_schema' or 'structural_tag'";
    errors.push_back({"literal_error", loc + ".type", "Input should be " + expected, describe(*type),
                      "'expected': " + python_string(expected)});
    return;
  }
  const Json* schema = find_given(value, "json_schema");
  if (word == "json_schema" && schema != nullptr) check_json_schema_format(*schema, loc + ".json_schema", errors);
}

void check_structured_outputs(Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_object()) {
    errors.push_back({"dataclass_type", loc, "Input should be a dictionary or an instance of StructuredOutputsParams",
                      describe(value)});
    return;
  }
  for (const char* name : {"regex", "grammar", "structural_tag", "whitespace_pattern"}) {
    check_string(value.find(name), loc + '.' + name, true, errors);
  }
  for (const char* name : {"json_object", "disable_any_whitespace", "disable_additional_properties"}) {
    const Json* given = value.find(name);
    if (given == nullptr || given->is_null() || given->is_bool()) continue;
    errors.push_back({"bool_type", loc + '.' + name, "Input should be a valid boolean", describe(*given)});
  }
  const Json* json = value.find("json");
  if (json != nullptr && !json->is_null() && !json->is_string() && !json->is_object()) {
    errors.push_back({"dict_type", loc + ".json", "Input should be a valid dictionary", describe(*json)});
  }
  const Json* choice = value.find("choice");
  if (choice == nullptr || choice->is_null()) return;
  if (!choice->is_array()) {
    errors.push_back({"list_type", loc + ".choice", "Input should be a valid list", describe(*choice)});
    return;
  }
  size_t index = 0;
  for (const Json& item : choice->as_array()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    check_string(&item, loc + ".choice." + std::to_string(index++), false, errors);
  }
}

std::optional<ApiError> read_response_format(const Json& format, ConstraintSource& out) {
  const std::string& type = format.find("type")->as_string();
  if (type == "text") return std::nullopt;
  if (type == "json_object") {
    out.kind = Kind::kJsonObject;
    return std::nullopt;
  }
  if (type == "structural_tag") {
    if (!is_structural_tag(format)) return invalid_specification("response_format");
    out.kind = Kind::kStructuralTag;
    out.value = format;
    return std::nullopt;
  }
  const Json* wrapped = find_given(format, "json_schema");
  if (wrapped == nullptr) {
    return bad_request(
        "When response_format type is 'json_schema', the 'json_schema' field must be provided. "
        "(parameter=response_format)",
        "response_format");
  }
  const Json* schema = find_given(*wrapped, "schema");
  if (schema == nullptr) return bad_request(kNoKind);
  out.kind = Kind::kJsonSchema;
  out.value = get_bool(*wrapped, "strict", false) ? without_additional_properties(*schema) : *schema;
  return std::nullopt;
}

std::optional<ApiError> read_constraint(const Json& body, ConstraintSource& out) {
  std::vector<ConstraintSource> sources;
  if (const Json* given = find_given(body, "structured_outputs")) {
    sources.push_back({.field = "structured_outputs"});
    if (auto error = read_structured_outputs(*given, sources.back())) return error;
  }
  if (const Json* format = find_given(body, "response_format")) {
    sources.push_back({.field = "response_format"});
    if (auto error = read_response_format(*format, sources.back())) return error;
    if (!sources.back().given()) sources.pop_back();
  }
  if (auto error = read_guided(body, sources)) return error;
  if (sources.empty()) return std::nullopt;
  for (const ConstraintSource& other : sources) {
    if (other.key() == sources.front().key()) continue;
    return bad_request("You can only use one kind of structured outputs constraint but multiple are specified: " +
                           sources.front().field + " and " + other.field,
                       other.field);
  }
  out = std::move(sources.front());
  return std::nullopt;
}

}  // namespace seraph
