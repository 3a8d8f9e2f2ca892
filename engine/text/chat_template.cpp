// A conversation to a prompt, as transformers' apply_chat_template prepares and cuts it.
#include "engine/text/chat_template.h"

#include <algorithm>

#include "engine/text/jinja_unicode.h"

namespace seraph {
namespace {

constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view kReasoningNames[] = {"reasoning_content", "thinking", "reasoning"};

Error invalid(std::string message, std::string param) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), "", std::move(param)};
}

/// A message without its null members, and with its reasoning under the names that templates read.
Json::Object prepare_message(const Json& message) {
  Json::Object out;
  const Json* reasoning = nullptr;
  for (const std::string_view name : kReasoningNames) {
    const Json* value = message.find(name);
    if (reasoning == nullptr && value != nullptr && !value->is_null()) reasoning = value;
  }
  const Json* thinking = message.find("thinking");
  const bool has_thinking = thinking != nullptr && !thinking->is_null();
  if (reasoning != nullptr) out.emplace_back("thinking", has_thinking ? *thinking : *reasoning);
  for (const auto& [name, value] : message.as_object()) {
    if (value.is_null() || (reasoning != nullptr && name == "thinking")) continue;
    out.emplace_back(name, name == "reasoning_content" ? *reasoning : value);
  }
  if (reasoning != nullptr && message.find("reasoning_content") == nullptr)
    out.emplace_back("reasoning_content", *reasoning);
  // A null reasoning_content beside another name was dropped above, so it has to be added here too.
  if (reasoning != nullptr && message.find("reasoning_content") != nullptr &&
      message.find("reasoning_content")->is_null()) {
    out.emplace_back("reasoning_content", *reasoning);
  }
  return out;
}

Result<Json> prepare_messages(const Json& messages) {
  if (!messages.is_array()) return invalid("messages must be an array of objects", "messages");
  Json::Array out;
  out.reserve(messages.as_array().size());
  for (const Json& message : messages.as_array()) {
    if (!message.is_object()) return invalid("every message must be an object", "messages");
    out.emplace_back(prepare_message(message));
  }
  return Json(std::move(out));
}

Status check_objects(const Json& value, const char* name) {
  if (value.is_null()) return {};
  if (!value.is_array()) return invalid(std::string(name) + " must be an array of objects", name);
  for (const Json& item : value.as_array()) {
    if (!item.is_object()) return invalid(std::string(name) + " must be an array of objects", name);
  }
  return {};
}

/// Marks the end of the last message's text; gives back the text as it was.
Result<std::string> mark_final_message(Json& messages) {
  if (messages.as_array().empty())
    return invalid("continue_final_message is set but there are no messages", "messages");
  Json* content = messages.as_array().back().find("content");
  if (content == nullptr) {
    return invalid("continue_final_message is set but the final message has no content to continue",
                   "continue_final_message");
  }
  Json* text = content->is_string() ? content : nullptr;
  if (content->is_array()) {
    for (Json& part : content->as_array()) {
      if (Json* found = part.find("text"); found != nullptr && found->is_string()) text = found;
    }
  }
  if (text == nullptr) {
    return invalid("continue_final_message is set but the final message has no text to continue",
                   "continue_final_message");
  }
  std::string original = text->as_string();
  *text = Json(original + std::string(kContinueTag));
  return original;
}

/// Cuts the prompt right behind the last message's text; a template that trimmed the text trims the prompt too.
Result<std::string> cut_at_mark(std::string prompt, std::string_view final_text) {
  const std::string_view tag = jinja::strip_space(kContinueTag, jinja::kBoth);
  const size_t at = prompt.rfind(tag);
  if (at == std::string::npos || prompt.find(jinja::strip_space(final_text, jinja::kBoth)) == std::string::npos) {
    return invalid(
        "continue_final_message is set but the final message does not appear in the prompt as the chat template writes "
        "it",
        "continue_final_message");
  }
  const bool kept_space = std::string_view(prompt).substr(at, kContinueTag.size()) == kContinueTag;
  prompt.resize(at);
  if (!kept_space) prompt.resize(jinja::strip_space(prompt, jinja::kRight).size());
  return prompt;
}

}  // namespace

Result<std::string> render_chat(const Template& chat_template, const ChatInput& input, const TemplateLimits& limits,
                                const TemplateClock& clock) {
  SERAPH_ASSIGN_OR_RETURN(Json messages, prepare_messages(input.messages));
  SERAPH_RETURN_IF_ERROR(check_objects(input.tools, "tools"));
  SERAPH_RETURN_IF_ERROR(check_objects(input.documents, "documents"));
  std::string final_text;
  if (input.continue_final_message) {
    SERAPH_ASSIGN_OR_RETURN(final_text, mark_final_message(messages));
  }
  Json context = Json(Json::Object{});
  if (input.special_tokens.is_object()) context = input.special_tokens;
  context.set("messages", std::move(messages));
  context.set("tools", input.tools);
  context.set("documents", input.documents);
  context.set("add_generation_prompt", input.add_generation_prompt);
  if (input.kwargs.is_object()) {
    for (const auto& [name, value] : input.kwargs.as_object()) context.set(name, value);
  }
  SERAPH_ASSIGN_OR_RETURN(std::string prompt, chat_template.render(context, limits, clock));
  if (!input.continue_final_message) return prompt;
  return cut_at_mark(std::move(prompt), final_text);
}

}  // namespace seraph
