#include "daemon/api/openapi.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "daemon/api/fields.h"

namespace seraph {
namespace {

/// What a person wants to know about a path, and which rows of the field table its body obeys.
struct PathNotes {
  std::string_view path;  // as added to the router
  std::string_view summary;
  uint32_t endpoints = 0;                       // several: the body is one of them
  std::string_view media = "application/json";  // of the answer; "" : it is empty
};

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kMetricsText = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kEventStream = "text/event-stream; charset=utf-8";

constexpr PathNotes kPaths[] = {
    {"/v1/chat/completions", "Answer a conversation", kChat},
    {"/v1/chat/completions/batch", "Answer several conversations at once", kBatchChat},
    {"/v1/completions", "Continue a text", kCompletions},
    {"/v1/responses", "Answer a conversation of items", kResponses},
    {"/v1/responses/*", "A stored answer"},
    {"/v1/messages", "Answer a conversation, in Anthropic's form", kMessages},
    {"/v1/messages/count_tokens", "The length of such a conversation", kCountTokens},
    {"/v1/embeddings", "Texts to vectors", kEmbeddings},
    {"/pooling", "Texts to what the model's head gives", kPooling},
    {"/classify", "Texts to classes", kClassify},
    {"/score", "How well pairs of texts fit", kScore},
    {"/v1/score", "Like /score", kScore},
    {"/rerank", "Documents in the order in which they answer a query", kRerank},
    {"/v1/rerank", "Like /rerank", kRerank},
    {"/v2/rerank", "Like /rerank", kRerank},
    {"/generative_scoring", "How likely tokens are to follow a query and each item", kScoring},
    {"/inference/v1/generate", "Token ids to token ids", kTokens},
    {"/inference/v1/abort_requests", "End requests by the ids of their answers", 0, ""},
    {"/v1/chat/completions/render", "A conversation as the body of /inference/v1/generate", kChat},
    {"/v1/completions/render", "The same for texts", kCompletions},
    {"/v1/messages/render", "The same for Anthropic's form", kMessages},
    {"/v1/responses/render", "The same for items", kResponses},
    {"/v1/chat/completions/derender", "An answer of ids as that of a conversation"},
    {"/v1/completions/derender", "The same for texts"},
    {"/kv_event_sources", "Where events of the KV cache are published: nowhere"},
    {"/is_scaling_elastic_ep", "Whether experts are being moved: never"},
    {"/reset_mm_cache", "Nothing to forget in text models", 0, ""},
    {"/reset_encoder_cache", "Nothing to forget in text models", 0, ""},
    {"/collective_rpc", "400: the workers have no methods"},
    {"/get_world_size", "Processes that share the model"},
    {"/pause", "Begin no step until /resume"},
    {"/resume", "The end of /pause"},
    {"/is_paused", "Whether the server is paused"},
    {"/tokenize", "Text or messages to token ids", kTokenizeChat | kTokenizeText},
    {"/detokenize", "Token ids to text", kDetokenize},
    {"/v1/load_lora_adapter", "Serve one more adapter", kLoadAdapter, "text/plain"},
    {"/v1/unload_lora_adapter", "Serve an adapter no more", kUnloadAdapter, "text/plain"},
    {"/v1/models", "The served models"},
    {"/v1/models/*", "One served model"},
    {"/health", "200 while the engine works", 0, ""},
    {"/ping", "Like /health", 0, ""},
    {"/version", "The server's version"},
    {"/load", "Requests in progress"},
    {"/metrics", "Prometheus metrics", 0, kMetricsText},
    {"/invocations", "A chat body with messages, else a completion's", kChat | kCompletions},
    {"/v1/audio/transcriptions", "404: text models only"},
    {"/v1/audio/translations", "404: text models only"},
    {"/v1/audio/speech", "404: text models only"},
    {"/tokenizer_info", "The vocabulary's size, special tokens, the chat template"},
    {"/server_info", "What the server runs with"},
    {"/reset_prefix_cache", "Forget earlier prompts"},
    {"/sleep", "Compute nothing and give back memory until /wake_up"},
    {"/wake_up", "The end of /sleep"},
    {"/is_sleeping", "Whether the server sleeps"},
    {"/openapi.json", "This document"},
    {"/docs", "This document as a page", 0, kHtml},
    {"/redoc", "Like /docs", 0, kHtml},
};

/// Answers besides 200, all with an error object.
constexpr std::pair<const char*, const char*> kErrors[] = {
    {"400", "The request is wrong; the message says where"},
    {"401", "The key is missing or wrong"},
    {"403", "Switched off: the answer names the flag"},
    {"404", "There is no such path or model"},
    {"405", "The path has no such method"},
    {"413", "The body is too large"},
    {"429", "Too many requests wait"},
    {"500", "The server failed"},
    {"501", "Not offered by this server"},
    {"503", "The server is shutting down or overloaded"},
};

constexpr int64_t kTokenMax = std::numeric_limits<uint32_t>::max();  // ids beyond the vocabulary decode to nothing

Json object(Json::Object members) { return Json(std::move(members)); }
Json type_schema(const char* type) { return object({{"type", type}}); }
Json list_schema(Json items) { return object({{"type", "array"}, {"items", std::move(items)}}); }
Json any_of(Json::Array schemas) { return object({{"anyOf", Json(std::move(schemas))}}); }
Json reference(const std::string& name) { return object({{"$ref", "#/components/schemas/" + name}}); }

/// "a|b" as an enum.
Json enum_schema(std::string_view choices) {
  Json::Array values;
  while (!choices.empty()) {
    const std::string_view word = choices.substr(0, choices.find('|'));
    values.emplace_back(std::string(word));
    choices.remove_prefix(std::min(choices.size(), word.size() + 1));
  }
  return object({{"type", "string"}, {"enum", Json(std::move(values))}});
}

void set_limits(const FieldRule& rule, Json& schema) {
  const bool is_int = rule.type == FieldType::kInt;
  const auto number = [&](double value) { return is_int ? Json(static_cast<int64_t>(value)) : Json(value); };
  if (rule.bounded && rule.int_min != std::numeric_limits<int64_t>::min()) schema.set("minimum", rule.int_min);
  if (rule.bounded && rule.int_max != std::numeric_limits<int64_t>::max()) schema.set("maximum", rule.int_max);
  if (rule.range.text == nullptr) return;
  if (std::isfinite(rule.range.low)) {
    schema.set(rule.range.low_open ? "exclusiveMinimum" : "minimum", number(rule.range.low));
  }
  if (std::isfinite(rule.range.high)) schema.set("maximum", number(rule.range.high));
}

Json messages_schema() {
  Json message = type_schema("object");
  message.set(
      "properties",
      object({{"role", type_schema("string")},
              {"content", any_of({type_schema("string"), list_schema(type_schema("object")), type_schema("null")})}}));
  message.set("required", Json(Json::Array{"role"}));
  Json messages = list_schema(std::move(message));
  messages.set("minItems", 1);
  return messages;
}

Json conversations_schema() {
  Json conversations = list_schema(messages_schema());
  conversations.set("minItems", 1);
  return conversations;
}

Json tools_schema() {
  Json function = type_schema("object");
  function.set("properties", object({{"name", type_schema("string")},
                                     {"description", type_schema("string")},
                                     {"parameters", type_schema("object")}}));
  function.set("required", Json(Json::Array{"name"}));
  Json tool = type_schema("object");
  tool.set("properties", object({{"type", enum_schema("function")}, {"function", std::move(function)}}));
  tool.set("required", Json(Json::Array{"function"}));
  return list_schema(std::move(tool));
}

Json prompt_schema() {
  const Json ids = list_schema(object({{"type", "integer"}, {"minimum", 0}}));
  return any_of({type_schema("string"), list_schema(type_schema("string")), ids, list_schema(ids)});
}

Json stream_options_schema() {
  Json schema = type_schema("object");
  schema.set("properties",
             object({{"include_usage", type_schema("boolean")}, {"continuous_usage_stats", type_schema("boolean")}}));
  return schema;
}

/// An empty schema for what its reader checks.
Json schema_of(const FieldRule& rule) {
  switch (rule.type) {
    case FieldType::kBool:
      return type_schema("boolean");
    case FieldType::kInt:
      return type_schema("integer");
    case FieldType::kFloat:
      return type_schema("number");
    case FieldType::kString:
      return type_schema("string");
    case FieldType::kEnum:
      return enum_schema(rule.choices);
    case FieldType::kObject:
      return type_schema("object");
    case FieldType::kNumberMap:
      return object({{"type", "object"}, {"additionalProperties", type_schema("number")}});
    case FieldType::kIntList:
      return list_schema(type_schema("integer"));
    case FieldType::kTokenList:
      return list_schema(object({{"type", "integer"}, {"minimum", 0}, {"maximum", kTokenMax}}));
    case FieldType::kStringList:
      return list_schema(type_schema("string"));
    case FieldType::kObjectList:
      return list_schema(type_schema("object"));
    case FieldType::kEnumList:
      return list_schema(enum_schema(rule.choices));
    case FieldType::kStringMap:
      return object({{"type", "object"}, {"additionalProperties", type_schema("string")}});
    case FieldType::kTextOrList:
      return any_of({type_schema("string"), list_schema(object({}))});
    case FieldType::kStop:
      return any_of({type_schema("string"), list_schema(type_schema("string"))});
    case FieldType::kPrompt:
      return prompt_schema();
    case FieldType::kMessages:
      return messages_schema();
    case FieldType::kConversations:
      return conversations_schema();
    case FieldType::kTools:
      return tools_schema();
    case FieldType::kQuestions:
      return object({{"type", "object"}, {"additionalProperties", type_schema("object")}});
    case FieldType::kXargs:
    case FieldType::kRepetition:
      return type_schema("object");
    case FieldType::kTextOrTokens:
      return any_of({type_schema("string"), list_schema(type_schema("integer"))});
    case FieldType::kTextsOrTokens:
      return any_of({list_schema(type_schema("string")), list_schema(list_schema(type_schema("integer")))});
    case FieldType::kStreamOptions:
      return stream_options_schema();
    default:
      return object({});
  }
}

Json with_null(Json schema) {
  Json* type = schema.find("type");
  if (type != nullptr && schema.find("enum") == nullptr) {
    *type = Json(Json::Array{*type, "null"});
    return schema;
  }
  if (Json* choices = schema.find("anyOf"); choices != nullptr) {
    choices->as_array().push_back(type_schema("null"));
    return schema;
  }
  return type == nullptr ? schema : any_of({std::move(schema), type_schema("null")});
}

/// The body of one endpoint: every row of the field table that is offered there.
Json body_schema(uint32_t endpoint) {
  Json properties(Json::Object{});
  Json::Array required;
  for (const FieldRule& rule : field_rules()) {
    if ((rule.endpoints & endpoint) == 0 || rule.type == FieldType::kUnoffered) continue;
    Json schema = schema_of(rule);
    set_limits(rule, schema);
    properties.set(rule.name, rule.nullable ? with_null(std::move(schema)) : std::move(schema));
    if (rule.required) required.emplace_back(std::string(rule.name));
  }
  Json schema = type_schema("object");
  schema.set("properties", std::move(properties));
  if (!required.empty()) schema.set("required", Json(std::move(required)));
  return schema;
}

Json content(const char* type, Json schema) { return object({{type, object({{"schema", std::move(schema)}})}}); }

Json request_body(const PathNotes* notes) {
  Json::Array bodies;
  for (uint32_t bit = 1; notes != nullptr && bit <= notes->endpoints; bit <<= 1) {
    if ((notes->endpoints & bit) != 0) bodies.push_back(body_schema(bit));
  }
  if (bodies.empty()) bodies.push_back(type_schema("object"));
  Json schema = bodies.size() == 1 ? std::move(bodies.front()) : any_of(std::move(bodies));
  return object({{"required", true}, {"content", content("application/json", std::move(schema))}});
}

/// Generations may be streamed; of a path without notes nothing is promised but JSON or a stream.
Json responses(const PathNotes* notes) {
  Json ok = object({{"description", "The answer"}});
  if (notes == nullptr || !notes->media.empty()) {
    Json types(Json::Object{});
    types.set(notes != nullptr ? notes->media : "application/json", Json(Json::Object{}));
    if (notes == nullptr || (notes->endpoints & (kChat | kCompletions | kResponses | kMessages)) != 0) {
      types.set(kEventStream, Json(Json::Object{}));
    }
    ok.set("content", std::move(types));
  }
  Json out = object({{"200", std::move(ok)}});
  for (const auto& [status, text] : kErrors) {
    out.set(status, object({{"description", text}, {"content", content("application/json", reference("Error"))}}));
  }
  return out;
}

Json error_schema() {
  Json inner = type_schema("object");
  inner.set("properties", object({{"message", type_schema("string")},
                                  {"type", type_schema("string")},
                                  {"param", any_of({type_schema("string"), type_schema("null")})},
                                  {"code", any_of({type_schema("integer"), type_schema("string")})}}));
  Json error = type_schema("object");  // an unknown path has {"detail"}, a missing key {"error": "Unauthorized"}
  error.set("properties",
            object({{"error", any_of({std::move(inner), type_schema("string")})}, {"detail", type_schema("string")}}));
  return error;
}

Json operation(const Router::Listed& route, const PathNotes* notes) {
  Json out(Json::Object{});
  out.set("summary", notes != nullptr ? Json(std::string(notes->summary)) : Json(route.method + " " + route.path));
  if (route.path.ends_with('*')) {
    Json parameter = object({{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", type_schema("string")}});
    out.set("parameters", Json(Json::Array{std::move(parameter)}));
  }
  const bool has_body = route.method == "POST" && (notes == nullptr || notes->endpoints != 0);
  if (has_body) out.set("requestBody", request_body(notes));
  out.set("responses", responses(notes));
  if (route.access != Access::kOpen) out.set("security", Json(Json::Array{object({{"key", Json(Json::Array{})}})}));
  return out;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

}  // namespace

Json openapi_document(const std::vector<Router::Listed>& routes, const std::string& version) {
  Json paths(Json::Object{});
  for (const Router::Listed& route : routes) {
    if (route.method == "HEAD") continue;
    const auto* notes = std::find_if(std::begin(kPaths), std::end(kPaths),
                                     [&](const PathNotes& each) { return each.path == route.path; });
    std::string path = route.path;
    if (path.ends_with('*')) path.replace(path.size() - 1, 1, "{id}");
    if (paths.find(path) == nullptr) paths.set(path, Json(Json::Object{}));
    paths.find(path)->set(lower(route.method), operation(route, notes == std::end(kPaths) ? nullptr : notes));
  }
  Json document(Json::Object{});
  document.set("openapi", "3.1.0");
  document.set("info", object({{"title", "seraph"}, {"version", version}}));
  document.set("paths", std::move(paths));
  document.set("components",
               object({{"schemas", object({{"Error", error_schema()}})},
                       {"securitySchemes", object({{"key", object({{"type", "http"}, {"scheme", "bearer"}})}})}}));
  return document;
}

}  // namespace seraph
