#include "daemon/api/prepare.h"

#include <algorithm>
#include <utility>

#include "daemon/api/adapters.h"
#include "daemon/api/messages.h"

namespace seraph {
namespace {

Result<std::unique_ptr<Template>> compile(const std::string& text, const char* origin) {
  auto compiled = Template::compile(text);
  if (!compiled.ok()) {
    Error error = compiled.error();
    error.message = std::string("the chat template of ") + origin + ": " + error.message;
    error.remedy = "give another one with --chat-template FILE";
    return error;
  }
  return compiled;
}

/// Each name is looked up among the others. Templates know a handful; without a limit one body of names could hold a
/// worker for hours.
constexpr size_t kTemplateKwargsMax = 256;

/// The flags that decide where the answer begins. Errors: both at once.
std::optional<ApiError> read_continuation(const Json& body, bool& add_generation_prompt, bool& continue_final) {
  const auto asked = find_bool(body, "add_generation_prompt");
  add_generation_prompt = asked.value_or(true);
  continue_final = get_bool(body, "continue_final_message", false);
  if (!continue_final || !add_generation_prompt) return std::nullopt;
  if (asked) return bad_request("Cannot set both `continue_final_message` and `add_generation_prompt` to True.");
  return bad_request(
      "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message when you want "
      "the model to continue the final message, and add_generation_prompt when you want to add a header that will "
      "prompt it to start a new assistant message instead.");
}

std::optional<ApiError> read_template_kwargs(const Json& body, const ApiOptions& options, Json& kwargs) {
  kwargs =
      options.default_chat_template_kwargs.is_object() ? options.default_chat_template_kwargs : Json(Json::Object{});
  if (const std::string* effort = find_string(body, "reasoning_effort")) {
    kwargs.set("reasoning_effort", Json(*effort));
    if (*effort == "none") kwargs.set("enable_thinking", Json(false));
  }
  const Json* given = find_given(body, "chat_template_kwargs");
  if (given == nullptr) return std::nullopt;
  if (given->as_object().size() > kTemplateKwargsMax) {
    return bad_request("chat_template_kwargs has " + std::to_string(given->as_object().size()) + " members, at most " +
                           std::to_string(kTemplateKwargsMax) + " are taken.",
                       "chat_template_kwargs");
  }
  for (const auto& [name, value] : given->as_object()) {
    if (name == "chat_template" && !options.trust_request_chat_template) {
      return bad_request(
          "Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with "
          "untrusted chat template.");
    }
    if (name == "messages" || name == "tools" || name == "documents") {
      return bad_request("chat_template_kwargs cannot set `" + name + "`, which the request itself sets",
                         "chat_template_kwargs");
    }
    kwargs.set(name, value);
  }
  return std::nullopt;
}

/// The template of this request: its own where that is trusted, else the server's.
std::optional<ApiError> choose_template(const Json& body, const PrepareContext& context, bool with_tools,
                                        std::unique_ptr<Template>& own, const Template*& chosen) {
  if (const std::string* text = find_string(body, "chat_template")) {
    if (!context.options->trust_request_chat_template) {
      return bad_request(
          "Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with "
          "untrusted chat template.");
    }
    auto compiled = Template::compile(*text);
    if (!compiled.ok()) return bad_request(compiled.error().text(), "chat_template");
    own = std::move(compiled).value();
    chosen = own.get();
    return std::nullopt;
  }
  chosen = with_tools && context.tools_template != nullptr ? context.tools_template.get() : context.chat_template.get();
  if (chosen != nullptr) return std::nullopt;
  return bad_request(
      "the checkpoint has no chat template, so chat requests cannot be rendered; start the server with --chat-template "
      "FILE or use /v1/completions");
}

}  // namespace

Result<std::unique_ptr<PrepareContext>> PrepareContext::make(const Tokenizer& tokenizer, const EngineInfo& info,
                                                             const ApiOptions& options) {
  auto context = std::make_unique<PrepareContext>();
  context->tokenizer = &tokenizer;
  context->info = &info;
  context->options = &options;
  const bool given = !options.chat_template.empty();
  const std::string plain = given ? options.chat_template : tokenizer.chat_template(false);
  const std::string with_tools = given ? plain : tokenizer.chat_template(true);
  const char* origin = given ? "--chat-template" : "the checkpoint";
  if (!plain.empty()) {
    SERAPH_ASSIGN_OR_RETURN(context->chat_template, compile(plain, origin));
  }
  if (!with_tools.empty() && with_tools != plain) {
    SERAPH_ASSIGN_OR_RETURN(context->tools_template, compile(with_tools, origin));
  }
  context->constraints = std::make_unique<const ConstraintCompiler>(
      ConstraintCompiler::Args{.tokenizer = &tokenizer,
                               .tool_parser = options.tool_parser,
                               .reasoning_parser = options.reasoning_parser,
                               .cache_bytes_max = options.grammar_cache_bytes_max});
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    context->piece_bytes_max = std::max(context->piece_bytes_max, static_cast<int64_t>(tokenizer.piece(id).size()));
  }
  return context;
}

ApiError unknown_model(const std::string& name, const ApiOptions& options) {
  std::string aliases;
  for (const std::string& served : options.served_model_names) aliases += (aliases.empty() ? "" : ", ") + served;
  return ApiError{.status = 404,
                  .type = "NotFoundError",
                  .message = "The model `" + name + "` does not exist. Valid aliases: " + aliases + '.',
                  .param = "model"};
}

std::optional<ApiError> check_model(const Json& body, const PrepareContext& context) {
  const ApiOptions& options = *context.options;
  const std::string* name = find_string(body, "model");
  if (name != nullptr && context.adapters != nullptr && context.adapters->has(*name)) return std::nullopt;
  if (name == nullptr || name->empty() || options.foreign_names == ForeignNames::kAll) return std::nullopt;
  if (options.foreign_names == ForeignNames::kPaths && name->find('/') != std::string::npos) return std::nullopt;
  const auto& names = options.served_model_names;
  if (std::find(names.begin(), names.end(), *name) != names.end()) return std::nullopt;
  return unknown_model(*name, options);
}

std::optional<ApiError> choose_model(const Json& body, const PrepareContext& context, PreparedGeneration& out) {
  const std::string* name = find_string(body, "model");
  if (name != nullptr && context.adapters != nullptr) {
    auto adapter = context.adapters->acquire(*name);
    if (!adapter.ok()) return from_error(adapter.error());
    if (*adapter != nullptr) {
      out.model = *name;
      out.adapter = std::move(*adapter);
      return std::nullopt;
    }
  }
  return check_model(body, context);
}

void warn_of_unknown_fields(const Json& body, Endpoint endpoint, PreparedGeneration& out) {
  if (std::string names = unknown_fields(body, endpoint); !names.empty()) {
    out.warnings.push_back("unknown fields: " + std::move(names));
  }
}

std::optional<ApiError> read_request_id(const Json& body, std::string& out) {
  const std::string* id = find_string(body, "request_id");
  if (id == nullptr) return std::nullopt;
  if (id->size() > kNameBytesMax) {
    return bad_request("request_id has " + std::to_string(id->size()) + " bytes, at most " +
                           std::to_string(kNameBytesMax) + " are taken",
                       "request_id");
  }
  out = *id;
  return std::nullopt;
}

std::string shortened_name(const std::string& name) {
  size_t size = std::min(name.size(), kNameBytesMax);
  // Not in the middle of a character.
  while (size > 0 && size < name.size() && (static_cast<unsigned char>(name[size]) & 0xC0) == 0x80) --size;
  return name.substr(0, size);
}

std::optional<ApiError> read_names(const Json& body, PreparedGeneration& out) {
  if (const std::string* user = find_string(body, "user")) out.user = shortened_name(*user);
  return read_request_id(body, out.request_id);
}

std::optional<ApiError> plan_thinking(const PrepareContext& context, PreparedGeneration& out) {
  if (!out.params.thinking_tokens_max) return std::nullopt;
  const ReasoningFormat* format = find_reasoning_format(context.options->reasoning_parser);
  if (format == nullptr) {
    return bad_request(
        "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser and/or "
        "--reasoning-config to use thinking_token_budget.");
  }
  const auto ids_of = [&](std::string_view tag) {
    const TokenId piece = context.tokenizer->find_piece(tag);
    return piece >= 0 ? std::vector<TokenId>{piece} : context.tokenizer->encode(tag, false);
  };
  out.thinking_budget = std::make_shared<const ThinkingBudget>(ThinkingBudget{
      .tokens_max = *out.params.thinking_tokens_max, .open = ids_of(format->open), .close = ids_of(format->close)});
  return std::nullopt;
}

std::optional<ApiError> encode_prompt(std::string_view text, bool add_special_tokens, const PrepareContext& context,
                                      std::vector<TokenId>& ids) {
  // A text this long cannot fit; tokenizing it first would only burn a worker. Four is slack for normalizers.
  const int64_t limit = context.info->max_model_len;
  if (static_cast<int64_t>(text.size()) / context.piece_bytes_max > 4 * limit) {
    ids.clear();
    int32_t unused = 0;
    return plan_tokens_max({}, limit + 1, limit, unused);
  }
  ids = context.tokenizer->encode(text, add_special_tokens);
  const auto wrong =
      std::find_if(ids.begin(), ids.end(), [&](TokenId id) { return id < 0 || id >= context.info->vocab_size; });
  if (wrong == ids.end()) return std::nullopt;
  return bad_request("the prompt contains " + python_string(context.tokenizer->piece(*wrong)) + ", token " +
                     std::to_string(*wrong) + ", which the tokenizer knows but the model does not");
}

std::optional<ApiError> truncate_prompt(const Json& body, const GenerationParams& params, int64_t max_model_len,
                                        std::vector<TokenId>& ids) {
  const auto asked = find_int(body, "truncate_prompt_tokens");
  if (!asked) return std::nullopt;
  if (*asked > max_model_len) {
    const std::string value = std::to_string(*asked);
    return bad_parameter("truncate_prompt_tokens=" + value + " cannot be greater than max_model_len = " +
                             std::to_string(max_model_len) + ". Please request a smaller truncation size.",
                         "truncate_prompt_tokens", value);
  }
  int64_t keep = *asked;
  if (keep < 0) keep = std::max<int64_t>(1, max_model_len - params.max_tokens.value_or(1));
  if (static_cast<int64_t>(ids.size()) <= keep) return std::nullopt;
  const std::string* side = find_string(body, "truncation_side");
  if (side != nullptr && *side == "right") {
    ids.resize(static_cast<size_t>(keep));
  } else {
    ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(keep));
  }
  return std::nullopt;
}

std::optional<ApiError> render_chat_body(const Json& body, const PrepareContext& context, RenderedChat& out) {
  const Json* messages = find_given(body, "messages");
  if (messages == nullptr) return bad_request("messages must be a list, got null", "messages");
  bool add_generation_prompt = true;
  ChatInput input;
  if (auto error = read_continuation(body, add_generation_prompt, input.continue_final_message)) return error;
  if (messages->as_array().empty()) {
    return bad_request("Cannot apply chat template to an empty conversation. Provide at least one message.");
  }
  const Json* tools = find_given(body, "tools");
  const std::string* choice = find_string(body, "tool_choice");
  const bool excluded = context.options->exclude_tools_when_choice_none && choice != nullptr && *choice == "none";
  if (tools != nullptr && !tools->as_array().empty() && !excluded) input.tools = normalise_tools(*tools);
  std::unique_ptr<Template> own;
  const Template* chosen = nullptr;
  if (auto error = choose_template(body, context, !input.tools.is_null(), own, chosen)) return error;
  if (auto error = read_template_kwargs(body, *context.options, input.kwargs)) return error;
  const ContentFormat format = context.options->content_format;
  const bool as_parts =
      format == ContentFormat::kOpenai || (format == ContentFormat::kAuto && chosen->wants_content_parts());
  NormalMessages normal;
  if (auto error = normalise_messages(*messages, as_parts, context.options->served_model_names.front(), normal)) {
    return error;
  }
  input.messages = std::move(normal.messages);
  if (const Json* documents = find_given(body, "documents")) input.documents = *documents;
  input.add_generation_prompt = add_generation_prompt;
  input.special_tokens = context.tokenizer->special_tokens();
  auto rendered = render_chat(*chosen, input, TemplateLimits{}, TemplateClock{});
  if (!rendered.ok()) return bad_request(rendered.error().text());
  out.text = std::move(rendered).value();
  out.role = add_generation_prompt ? context.options->response_role : normal.last_role;
  out.last_role = std::move(normal.last_role);
  out.last_text = std::move(normal.last_text);
  return std::nullopt;
}

}  // namespace seraph
