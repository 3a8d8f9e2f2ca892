// What a request's answer must match: response_format, structured_outputs and the older guided_* fields, brought to one
// ConstraintSource. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/api/errors.h"
#include "engine/base/json.h"

namespace seraph {

/// A constraint as it was written, not yet compiled.
struct ConstraintSource {
  enum class Kind { kNone, kJsonObject, kJsonSchema, kRegex, kChoice, kGrammar, kStructuralTag };
  Kind kind = Kind::kNone;
  Json value;              // schema; pattern; list of strings; grammar; tag
  bool any_space = true;   // JSON: false for compact text
  bool markers = false;    // the tool parser's markers may be drawn as the tokens that they are
  std::string field = {};  // of the body, for errors

  bool given() const { return kind != Kind::kNone; }
  /// Equal for sources that mean the same constraint.
  std::string key() const;
};

/// The schema of response_format and of structured_outputs.
void check_response_format(const Json& value, const std::string& loc, std::vector<SchemaError>& errors);
void check_structured_outputs(Json& value, const std::string& loc, std::vector<SchemaError>& errors);

/// The schema with every object closed that names its members and leaves open whether others may follow.
Json without_additional_properties(const Json& schema);
/// One response_format object, whose schema was checked; text gives kNone.
std::optional<ApiError> read_response_format(const Json& format, ConstraintSource& out);
/// Reads every field of a checked body that constrains the answer. Errors: 400 in vLLM's words; fields that contradict
/// each other.
std::optional<ApiError> read_constraint(const Json& body, ConstraintSource& out);

}  // namespace seraph
