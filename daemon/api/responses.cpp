#include "daemon/api/responses.h"

#include <utility>
#include <vector>

#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/response_store.h"
#include "daemon/api/responses_input.h"

namespace seraph {
namespace {

ApiError invalid_request(std::string message, std::string param) {
  return ApiError{.type = "invalid_request_error", .message = std::move(message), .param = std::move(param)};
}

std::optional<ApiError> read_reasoning(const Json& body, Json& chat) {
  const Json* reasoning = find_given(body, "reasoning");
  const Json* effort = reasoning == nullptr ? nullptr : find_given(*reasoning, "effort");
  if (effort == nullptr) return std::nullopt;
  // The same values as chat's field of that name; its place in the body is all that differs.
  Json probe(Json::Object{{"messages", Json(Json::Array{})}, {"reasoning_effort", *effort}});
  std::vector<SchemaError> errors = check_schema(probe, kChat, {});
  for (SchemaError& error : errors) error.loc = "body.reasoning.effort";
  if (!errors.empty()) return schema_error(errors);
  chat.set("reasoning_effort", *effort);
  return std::nullopt;
}

/// Tools, the choice among them, and how the answer shows it.
std::optional<ApiError> read_tools(const Json& body, const ApiOptions& options, PreparedGeneration& out,
                                   ResponsesRequest& request, Json& chat) {
  Json::Array tools;
  std::string left_out;
  const Json* given = find_given(body, "tools");
  if (given != nullptr) {
    if (auto error = read_response_tools(*given, tools, left_out)) return error;
  }
  if (!left_out.empty()) out.warnings.push_back("tools that this server does not run: " + left_out);
  Json choice("auto");
  if (const Json* chosen = find_given(body, "tool_choice")) {
    if (auto error = read_response_tool_choice(*chosen, tools, choice)) return error;
    request.tool_choice = chosen->dump();
  }
  const bool wants_call = choice.is_object() || choice.as_string() == "required";
  if (given == nullptr || given->as_array().empty()) request.tool_choice = "\"none\"";
  if (request.tool_choice.empty()) request.tool_choice = "\"auto\"";
  if (tools.empty() && !wants_call) return std::nullopt;
  if (!tools.empty()) chat.set("tools", Json(std::move(tools)));
  // Without a parser calls stay in the text, as in vLLM.
  const bool readable = !options.tool_parser.empty() && (wants_call || options.enable_auto_tool_choice);
  if (!readable) choice = Json("none");
  chat.set("tool_choice", std::move(choice));
  return std::nullopt;
}

std::optional<ApiError> read_conversation(const Json& body, const PrepareContext& context, const std::string& owner,
                                          ResponsesRequest& request) {
  if (const std::string* previous = find_string(body, "previous_response_id")) {
    const auto row = context.responses == nullptr ? nullptr : context.responses->find(owner, *previous);
    if (row == nullptr) return unknown_response(*previous);
    auto messages = Json::parse(row->messages);
    if (!messages.ok() || !messages->is_array()) return unknown_response(*previous);
    request.conversation = std::move(messages->as_array());
  }
  return append_input_messages(*body.find("input"), request.conversation);
}

std::optional<ApiError> read_output(const Json& body, const PrepareContext& context, Json& chat) {
  const auto tokens_max = find_int(body, "max_output_tokens");
  const int64_t max_model_len = context.info->max_model_len;
  if (tokens_max && *tokens_max > max_model_len) {
    const std::string asked = std::to_string(*tokens_max);
    return bad_parameter("max_output_tokens=" + asked + " cannot be greater than max_model_len=" +
                             std::to_string(max_model_len) + ". Please request fewer output tokens.",
                         "max_output_tokens", asked);
  }
  if (tokens_max) chat.set("max_completion_tokens", Json(*tokens_max));
  if (const Json* text = find_given(body, "text")) {
    Json format;
    if (auto error = read_text_format(*text, format)) return error;
    if (!format.is_null()) chat.set("response_format", std::move(format));
  }
  const Json* include = find_given(body, "include");
  for (const Json& item : include == nullptr ? Json::Array{} : include->as_array()) {
    if (item.as_string() != "message.output_text.logprobs") continue;
    chat.set("logprobs", Json(true));
    chat.set("top_logprobs", Json(find_int(body, "top_logprobs").value_or(0)));
  }
  return std::nullopt;
}

/// The fields that mean the same in both endpoints.
Json shared_fields(const Json& body) {
  Json chat(Json::Object{});
  for (const FieldRule& rule : field_rules()) {
    const Json* value = body.find(rule.name);
    if ((rule.endpoints & kChat) != 0 && (rule.endpoints & kResponses) != 0 && value != nullptr) {
      chat.set(rule.name, *value);
    }
  }
  return chat;
}

Json::Array messages_from(const Json& body, const Json::Array& conversation, size_t from) {
  Json::Array messages;
  if (const std::string* instructions = find_string(body, "instructions")) {
    messages.push_back(Json(Json::Object{{"role", "system"}, {"content", *instructions}}));
  }
  messages.insert(messages.end(), conversation.begin() + static_cast<std::ptrdiff_t>(from), conversation.end());
  return messages;
}

/// A place where a conversation may begin: an answer to a call must not come before the call.
bool may_begin(const Json& message) { return *find_string(message, "role") != "tool"; }

/// truncation "auto": the fewest of the oldest messages go that make the rest fit; the last message stays.
std::optional<ApiError> prepare_truncated(const Json& chat, const ResponsesRequest& request,
                                          const PrepareContext& context, PreparedGeneration& out) {
  const PreparedGeneration before = std::move(out);
  std::vector<size_t> starts = {0};
  for (size_t i = 1; i < request.conversation.size(); ++i) {
    if (may_begin(request.conversation[i])) starts.push_back(i);
  }
  std::optional<ApiError> error;
  const auto attempt = [&](size_t start) {
    Json body = chat;
    body.set("messages", Json(messages_from(request.body, request.conversation, starts[start])));
    out = before;
    error = prepare_chat_body(std::move(body), context, out);
    // Too long for the model, or exactly as long, which leaves no room for an answer.
    return !error || (error->param != "input_tokens" && error->param != "max_tokens");
  };
  if (attempt(0) || starts.size() == 1) return error;
  size_t low = 0;  // too long
  size_t high = starts.size() - 1;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (attempt(middle) ? high : low) = middle;
  }
  attempt(high);
  return error;
}

}  // namespace

ApiError unknown_response(std::string_view id) {
  ApiError error = invalid_request("Response with id '" + std::string(id) + "' not found.", "response_id");
  error.status = 404;
  return error;
}

std::string deleted_response_json(std::string_view id) {
  std::string body = "{\"id\":";
  append_json_string(body, id);
  return body + ",\"object\":\"response\",\"deleted\":true}";
}

ApiError too_many_responses(int64_t limit) {
  return ApiError{.status = 429,
                  .type = "RateLimitError",
                  .message = std::to_string(limit) +
                             " responses run in the background, the limit set by --max-background-responses",
                  .retry_after_s = 1};
}

std::optional<ApiError> prepare_responses(std::string_view bytes, const PrepareContext& context,
                                          PreparedGeneration& out) {
  auto request = std::make_shared<ResponsesRequest>();
  Json& body = request->body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kResponses, {context.options->stop_strings_max})) return error;
  warn_of_unknown_fields(body, kResponses, out);
  if (find_given(body, "prompt") != nullptr) {
    return bad_request("prompt template is not supported (parameter=prompt)", "prompt");
  }
  request->store = get_bool(body, "store", true);
  request->background = get_bool(body, "background", false);
  if (request->background && !request->store) {
    return invalid_request("background mode needs `store`: what is not stored cannot be asked for later", "background");
  }
  if (auto error = check_model(body, context)) return error;
  if (auto error = read_conversation(body, context, out.owner, *request)) return error;
  // What is kept as long as the answer is written is no larger than what the answer repeats.
  std::erase_if(body.as_object(), [](const auto& member) { return member.first == "input"; });
  if (const std::string* user = find_string(body, "user")) body.set("user", Json(shortened_name(*user)));
  Json chat = shared_fields(body);
  if (auto error = read_output(body, context, chat)) return error;
  if (auto error = read_reasoning(body, chat)) return error;
  if (auto error = read_tools(body, *context.options, out, *request, chat)) return error;
  if (get_bool(body, "enable_response_messages", false)) {
    chat.set("return_prompt_text", Json(true));
    chat.set("return_token_ids", Json(true));
  }
  out.responses = request;
  const std::string* truncation = find_string(body, "truncation");
  if (truncation != nullptr && *truncation == "auto") return prepare_truncated(chat, *request, context, out);
  chat.set("messages", Json(messages_from(body, request->conversation, 0)));
  return prepare_chat_body(std::move(chat), context, out);
}

}  // namespace seraph
