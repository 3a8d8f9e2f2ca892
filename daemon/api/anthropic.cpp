#include "daemon/api/anthropic.h"

#include <utility>
#include <vector>

#include "daemon/api/anthropic_input.h"
#include "daemon/api/body.h"
#include "daemon/api/fields.h"

namespace seraph {
namespace {

using Errors = std::vector<SchemaError>;

SchemaError value_error(const std::string& loc, const std::string& message, const Json& value) {
  return {"value_error", loc, "Value error, " + message, describe(value),
          "'error': ValueError(" + python_string(message) + ')'};
}

void read_thinking(const Json& body, Json& chat, Errors& errors) {
  const Json* thinking = find_given(body, "thinking");
  if (thinking == nullptr) return;
  const std::string* type = find_string(*thinking, "type");
  if (type == nullptr || (*type != "enabled" && *type != "disabled" && *type != "adaptive")) {
    errors.push_back({"literal_error", "body.thinking.type", "Input should be 'enabled', 'disabled' or 'adaptive'",
                      describe(*thinking)});
    return;
  }
  const auto budget = find_int(*thinking, "budget_tokens");
  const auto tokens_max = find_int(body, "max_tokens");
  if (*type == "enabled" && budget && tokens_max && *budget >= *tokens_max) {
    errors.push_back(value_error("body", "thinking.budget_tokens must be less than max_tokens", body));
  }
  Json kwargs = chat.find("chat_template_kwargs") != nullptr ? *chat.find("chat_template_kwargs") : Json();
  if (kwargs.is_null()) kwargs = Json(Json::Object{});
  if (kwargs.find("enable_thinking") == nullptr) kwargs.set("enable_thinking", Json(*type != "disabled"));
  chat.set("chat_template_kwargs", std::move(kwargs));
}

void read_limits(const Json& body, int64_t stop_strings_max, Json& chat, Errors& errors) {
  if (const auto tokens_max = find_int(body, "max_tokens")) {
    if (*tokens_max < 1) {
      errors.push_back(value_error("body.max_tokens", "max_tokens must be positive", Json(*tokens_max)));
    }
    chat.set("max_tokens", Json(*tokens_max));
  }
  const Json* stop = find_given(body, "stop_sequences");
  if (stop == nullptr) return;
  if (const auto count = static_cast<int64_t>(stop->as_array().size()); count > stop_strings_max) {
    const std::string limit = std::to_string(stop_strings_max);
    const std::string actual = std::to_string(count);
    errors.push_back({"too_long", "body.stop_sequences",
                      "List should have at most " + limit + " items after validation, not " + actual, describe(*stop),
                      "'field_type': 'List', 'max_length': " + limit + ", 'actual_length': " + actual});
  }
  chat.set("stop", *stop);
}

/// output_config: a schema that the text must follow, and how much to think.
void read_output_config(const Json& body, Json& chat) {
  const Json* config = find_given(body, "output_config");
  if (config == nullptr) return;
  if (const Json* effort = find_given(*config, "effort")) chat.set("reasoning_effort", *effort);
  const Json* format = find_given(*config, "format");
  const Json* schema = format == nullptr ? nullptr : find_given(*format, "schema");
  if (schema == nullptr) return;
  chat.set("response_format",
           Json(Json::Object{{"type", "json_schema"},
                             {"json_schema", Json(Json::Object{{"name", "output"}, {"schema", *schema}})}}));
}

/// A checked body of either endpoint as a chat body.
std::optional<ApiError> read_body(std::string_view bytes, Endpoint endpoint, const PrepareContext& context, Json& chat,
                                  PreparedGeneration& out) {
  Json body;
  const FieldLimits limits{context.options->stop_strings_max};
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, endpoint, limits)) return error;
  warn_of_unknown_fields(body, endpoint, out);
  chat = Json(Json::Object{});
  for (const FieldRule& rule : field_rules()) {
    const Json* value = body.find(rule.name);
    if ((rule.endpoints & kChat) != 0 && (rule.endpoints & endpoint) != 0 && value != nullptr) {
      chat.set(rule.name, *value);
    }
  }
  chat.set("model", *body.find("model"));
  Errors errors;
  Json::Array messages;
  read_limits(body, limits.stop_strings_max, chat, errors);
  read_anthropic_messages(body, messages, errors);
  read_anthropic_tools(body, chat, errors);
  read_thinking(body, chat, errors);
  if (!errors.empty()) return schema_error(errors);
  read_output_config(body, chat);
  const Json* metadata = find_given(body, "metadata");
  if (const std::string* user = metadata == nullptr ? nullptr : find_string(*metadata, "user_id")) {
    chat.set("user", Json(*user));
  }
  chat.set("messages", Json(std::move(messages)));
  return std::nullopt;
}

}  // namespace

std::optional<ApiError> prepare_anthropic(std::string_view bytes, const PrepareContext& context,
                                          PreparedGeneration& out) {
  Json chat;
  if (auto error = read_body(bytes, kMessages, context, chat, out)) return error;
  return prepare_chat_body(std::move(chat), context, out);
}

std::optional<ApiError> answer_count_tokens(std::string_view bytes, const PrepareContext& context, std::string& out) {
  Json chat;
  PreparedGeneration unused_generation;
  if (auto error = read_body(bytes, kCountTokens, context, chat, unused_generation)) return error;
  if (auto error = check_fields(chat, kChat, {context.options->stop_strings_max})) return error;
  if (auto error = check_model(chat, context)) return error;
  OutputPlan unused;
  if (auto error = read_output_plan(chat, *context.options, *context.tokenizer, unused)) return error;
  RenderedChat rendered;
  if (auto error = render_chat_body(chat, context, rendered)) return error;
  const std::string count = std::to_string(context.tokenizer->encode(rendered.text, false).size());
  out = "{\"input_tokens\":" + count + ",\"context_management\":{\"original_input_tokens\":" + count + "}}";
  return std::nullopt;
}

std::string anthropic_error_json(const ApiError& error) {
  const auto type = [&]() -> const char* {
    switch (error.status) {
      case 401:
        return "authentication_error";
      case 404:
        return "not_found_error";
      case 413:
        return "request_too_large";
      case 429:
        return "rate_limit_error";
      case 503:
        return "overloaded_error";
      default:
        return error.status < 500 ? "invalid_request_error" : "api_error";
    }
  };
  std::string out = "{\"type\":\"error\",\"error\":{\"type\":\"";
  out += type();
  out += "\",\"message\":";
  append_json_string(out, error.message);
  // Not Anthropic's, but what vLLM's clients look for.
  out += ",\"param\":";
  if (error.param) {
    append_json_string(out, *error.param);
  } else {
    out += "null";
  }
  return out + ",\"code\":" + std::to_string(error.status) + "}}";
}

}  // namespace seraph
