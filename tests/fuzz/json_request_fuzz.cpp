// Request bodies: parsing, the field table, message normalisation and sampling rules on arbitrary bytes. The first
// byte chooses the endpoint.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/anthropic_input.h"
#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/messages.h"
#include "daemon/api/responses_input.h"
#include "daemon/api/sampling.h"

namespace {

using namespace seraph;

/// What a translated body holds must pass the checks of chat, or be refused by them: nothing else may reach templates.
void check_as_chat(Json::Array messages, Json chat) {
  chat.set("messages", Json(std::move(messages)));
  if (check_fields(chat, kChat, {})) return;
  NormalMessages out;
  normalise_messages(*chat.find("messages"), true, "m", out);
}

void translate_responses(const Json& body) {
  Json::Array messages, tools;
  Json choice, format, chat(Json::Object{});
  std::string left_out;
  if (append_input_messages(*body.find("input"), messages)) return;
  if (const Json* given = find_given(body, "tools"); given != nullptr && read_response_tools(*given, tools, left_out)) {
    return;
  }
  if (const Json* given = find_given(body, "tool_choice")) read_response_tool_choice(*given, tools, choice);
  if (const Json* text = find_given(body, "text")) read_text_format(*text, format);
  chat.set("tools", Json(std::move(tools)));
  check_as_chat(std::move(messages), std::move(chat));
}

void translate_messages(const Json& body) {
  Json::Array messages;
  Json chat(Json::Object{});
  std::vector<SchemaError> errors;
  read_anthropic_messages(body, messages, errors);
  read_anthropic_tools(body, chat, errors);
  if (errors.empty()) check_as_chat(std::move(messages), std::move(chat));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr Endpoint kEndpoints[] = {kChat,       kCompletions, kTokenizeChat, kTokenizeText,
                                     kDetokenize, kResponses,   kMessages,     kCountTokens};
  const Endpoint endpoint = kEndpoints[data[0] % 8];
  Json body;
  if (const auto error = parse_body(bytes, body)) {
    error_json(*error);
    return 0;
  }
  if (const auto error = check_fields(body, endpoint, {})) {
    error_json(*error);
    return 0;
  }
  if (endpoint == kResponses) translate_responses(body);
  if (endpoint == kMessages || endpoint == kCountTokens) translate_messages(body);
  if (endpoint == kChat || endpoint == kCompletions) {
    GenerationParams params;
    if (read_params(body, endpoint, ApiOptions{}, {.vocab_size = 777, .max_model_len = 512}, params)) return 0;
    int32_t tokens_max = 0;
    if (plan_tokens_max(params, 5, 512, tokens_max)) return 0;
  }
  if (const Json* messages = find_given(body, "messages"); messages != nullptr && endpoint != kCompletions) {
    NormalMessages out;
    if (endpoint == kChat || endpoint == kTokenizeChat) {
      if (normalise_messages(*messages, data[0] % 2 == 0, "m", out)) return 0;
    }
  }
  return 0;
}
