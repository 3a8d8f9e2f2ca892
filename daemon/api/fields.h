// The one table of request fields: name, type, null, limits, which endpoints. It is the only place that decides what
// a body may hold; values are brought to their type here (lax as vLLM's schema library: "5", 5.0 and true are
// integers), so that readers behind it see plain kinds. Unknown fields pass. Pure; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/errors.h"
#include "engine/base/json.h"

namespace seraph {

enum Endpoint : uint32_t {
  kChat = 1,
  kCompletions = 2,
  kTokenizeChat = 4,
  kTokenizeText = 8,
  kDetokenize = 16,
  kResponses = 32,
  kMessages = 64,
  kCountTokens = 128,
  kEmbeddings = 256,
  kPooling = 512,
  kClassify = 1024,
  kScore = 2048,
  kRerank = 4096,
  kInvocations = 8192,  // a route, no schema: the body decides between chat and completions
  kLoadAdapter = 1 << 14,
  kUnloadAdapter = 1 << 15,
  kBatchChat = 1 << 16,
  kSystemOne = 1 << 17,
  kScoring = 1 << 18,   // /generative_scoring
  kTokens = 1 << 19,    // /inference/v1/generate
  kSampling = 1 << 20,  // its sampling_params
};

enum class FieldType : uint8_t {
  kBool,
  kInt,
  kFloat,
  kString,
  kEnum,  // one of FieldRule::choices
  kObject,
  kNumberMap,  // object of numbers (logit_bias)
  kIntList,
  kTokenList,  // list of integers >= 0
  kStringList,
  kObjectList,
  kEnumList,       // list of FieldRule::choices
  kStringMap,      // object of strings (metadata)
  kTextOrList,     // a string or a list of anything
  kTexts,          // a string or a list of strings
  kStop,           // a string or a list of at most FieldRule::items_max strings; becomes a list
  kPrompt,         // text, ids, or a list of either
  kQuestions,      // object of objects that have a type
  kXargs,          // object of texts, numbers, and lists of them
  kRepetition,     // object of three integers
  kTextOrTokens,   // a string or ids
  kTextsOrTokens,  // a list of either
  kMessages,
  kConversations,  // a list of what kMessages is
  kTools,
  kAny,            // checked by its reader, or not at all
  kStreamOptions,  // object of two booleans
  kResponseFormat,
  kStructuredOutputs,
  kSchema,     // an object, or its text
  kUnoffered,  // understood, not offered: anything that asks for it is refused in plain words
};

/// Limits that vLLM checks after the schema, with its own words: "NAME must be TEXT, got V."
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;           // low itself is refused
  const char* text = nullptr;      // null: no such check
  const char* text_low = nullptr;  // other words below `low`; null: the same
  bool names_param = false;        // "(parameter=NAME, value=V)" and param are added
  bool finite = false;             // infinities and NaN have their own words
};

struct FieldRule {
  std::string_view name;
  FieldType type;
  uint32_t endpoints;
  bool nullable = true;
  bool required = false;
  bool bounded = false;  // int_min and int_max are part of the schema
  int64_t int_min = std::numeric_limits<int64_t>::min();
  int64_t int_max = std::numeric_limits<int64_t>::max();
  Range range = {};
  std::string_view choices = {};  // "left|right"
};

std::span<const FieldRule> field_rules();

struct FieldLimits {
  int64_t stop_strings_max = 4;
  std::string_view place = "body";  // of the fields, as errors name it
};

/// The schema's part of check_fields(): every wrong field of an object at once, values coerced in place.
std::vector<SchemaError> check_schema(Json& body, Endpoint endpoint, const FieldLimits& limits);

/// Checks and coerces `body` in place. Errors: 400 "Bad Request" of the schema (all fields at once), or the refusal
/// of a later rule or of a feature that is not offered.
std::optional<ApiError> check_fields(Json& body, Endpoint endpoint, const FieldLimits& limits);

/// Top-level names that no rule of this endpoint knows: they are passed over. At most so many, as one text for people.
std::string unknown_fields(const Json& body, Endpoint endpoint);

// Reading a checked body. Null and absent are both "not given".
bool get_bool(const Json& body, std::string_view name, bool fallback);
std::optional<bool> find_bool(const Json& body, std::string_view name);
std::optional<int64_t> find_int(const Json& body, std::string_view name);
std::optional<double> find_float(const Json& body, std::string_view name);
/// Null when not given.
const std::string* find_string(const Json& body, std::string_view name);
const Json* find_given(const Json& body, std::string_view name);

}  // namespace seraph
