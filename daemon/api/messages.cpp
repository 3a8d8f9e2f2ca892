#include "daemon/api/messages.h"

#include <array>
#include <utility>

namespace seraph {
namespace {

using Errors = std::vector<SchemaError>;

void require_string(const Json& object, const char* name, const std::string& loc, Errors& errors) {
  const Json* value = object.find(name);
  const std::string place = loc + '.' + name;
  if (value == nullptr) {
    errors.push_back({"missing", place, "Field required", describe(object)});
  } else if (!value->is_string()) {
    errors.push_back({"string_type", place, "Input should be a valid string", describe(*value)});
  }
}

void check_tool_calls(const Json& calls, const std::string& loc, Errors& errors) {
  if (calls.is_null()) return;
  if (!calls.is_array()) {
    errors.push_back({"list_type", loc, "Input should be a valid list", describe(calls)});
    return;
  }
  size_t index = 0;
  for (const Json& call : calls.as_array()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    const std::string place = loc + '.' + std::to_string(index++);
    if (!call.is_object()) {
      errors.push_back({"dict_type", place, "Input should be a valid dictionary", describe(call)});
      continue;
    }
    require_string(call, "type", place, errors);
    const Json* function = call.find("function");
    if (function == nullptr || !function->is_object()) {
      errors.push_back({"dict_type", place + ".function", "Input should be a valid dictionary",
                        function == nullptr ? "None" : describe(*function)});
      continue;
    }
    require_string(*function, "name", place + ".function", errors);
    require_string(*function, "arguments", place + ".function", errors);
  }
}

bool is_role(const Json& message, std::string_view role) {
  const Json* value = message.find("role");
  return value != nullptr && value->is_string() && value->as_string() == role;
}

ApiError part_error(const Json& part, const std::string& why) {
  return bad_request("content parts must be texts or objects with a known type: " + why + " in " + describe(part),
                     "messages");
}

/// The text of one content part, or why it has none.
std::optional<ApiError> part_text(const Json& part, std::string_view model, std::string& out) {
  if (part.is_string()) {
    out = part.as_string();
    return std::nullopt;
  }
  if (!part.is_object()) return part_error(part, "neither text nor object");
  const Json* type = part.find("type");
  if (type == nullptr || !type->is_string()) return part_error(part, "`type` is missing");
  const std::string& name = type->as_string();
  if (name == "text" || name == "refusal") {
    const Json* text = part.find(name);
    if (text == nullptr || !text->is_string()) return part_error(part, '`' + name + "` must be a string");
    out = text->as_string();
    return std::nullopt;
  }
  constexpr std::array kMedia = {"image_url", "input_audio", "audio_url", "video_url", "image_embeds", "file"};
  for (const char* media : kMedia) {
    if (name != media) continue;
    const Json* value = part.find(name);
    if (value == nullptr || !value->is_object()) return part_error(part, '`' + name + "` must be an object");
    return bad_request(std::string(model) + " is not a multimodal model");
  }
  return part_error(part, "Unknown part type: " + name);
}

std::optional<ApiError> normalise_content(const Json* content, bool as_parts, std::string_view model, Json& out,
                                          std::string& text) {
  std::vector<std::string> texts;
  if (content != nullptr && content->is_string()) {
    texts.push_back(content->as_string());
  } else if (content != nullptr && content->is_array()) {
    for (const Json& part : content->as_array()) {
      std::string piece;
      if (auto error = part_text(part, model, piece)) return error;
      texts.push_back(std::move(piece));
    }
  } else if (content != nullptr && content->is_object()) {
    return part_error(*content, "content is an object");
  }
  text.clear();
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) text += '\n';
    text += texts[i];
  }
  if (!as_parts) {
    out = Json(text);
    return std::nullopt;
  }
  Json::Array parts;
  for (std::string& piece : texts) {
    parts.push_back(Json(Json::Object{{"type", "text"}, {"text", std::move(piece)}}));
  }
  out = Json(std::move(parts));
  return std::nullopt;
}

/// Arguments are JSON text in the API and an object in templates; what is no object becomes {}.
Json normalise_calls(const Json& calls) {
  Json::Array out;
  for (const Json& call : calls.as_array()) {
    Json copy = call;
    Json* function = copy.find("function");
    Json arguments = Json(Json::Object{});
    if (auto parsed = Json::parse(function->find("arguments")->as_string()); parsed.ok() && parsed->is_object()) {
      arguments = std::move(parsed).value();
    }
    function->set("arguments", std::move(arguments));
    out.push_back(std::move(copy));
  }
  return Json(std::move(out));
}

}  // namespace

void check_messages(const Json& messages, const std::string& loc, Errors& errors) {
  if (!messages.is_array()) {
    errors.push_back({"list_type", loc, "Input should be a valid list", describe(messages)});
    return;
  }
  size_t index = 0;
  for (const Json& message : messages.as_array()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    const std::string place = loc + '.' + std::to_string(index++);
    if (!message.is_object()) {
      errors.push_back({"dict_type", place, "Input should be a valid dictionary", describe(message)});
      continue;
    }
    const Json* content = message.find("content");
    const bool may_be_null = is_role(message, "assistant") || is_role(message, "function");
    if (content == nullptr && message.find("role") == nullptr) {
      errors.push_back({"missing", place + ".content", "Field required", describe(message)});
    } else if (content != nullptr && !content->is_string() && !content->is_array() && !content->is_object() &&
               !(content->is_null() && may_be_null)) {
      errors.push_back({"string_type", place + ".content", "Input should be a valid string", describe(*content)});
    }
    require_string(message, "role", place, errors);
    if (const Json* calls = message.find("tool_calls"); calls != nullptr && is_role(message, "assistant")) {
      check_tool_calls(*calls, place + ".tool_calls", errors);
    }
  }
}

std::optional<ApiError> normalise_messages(const Json& messages, bool as_parts, std::string_view model,
                                           NormalMessages& out) {
  Json::Array normal;
  for (const Json& message : messages.as_array()) {
    std::string role = message.find("role")->as_string();
    const bool assistant = role == "assistant";
    if (role == "developer") role = "system";
    Json content;
    if (auto error = normalise_content(message.find("content"), as_parts, model, content, out.last_text)) return error;
    Json::Object copy{{"role", Json(role)}, {"content", std::move(content)}};
    const auto keep_string = [&](const char* name) {
      const Json* value = message.find(name);
      if (value != nullptr && value->is_string()) copy.emplace_back(name, *value);
    };
    if (assistant) {
      const Json* calls = message.find("tool_calls");
      if (calls != nullptr && calls->is_array() && !calls->as_array().empty()) {
        copy.emplace_back("tool_calls", normalise_calls(*calls));
      }
      const Json* reasoning = message.find("reasoning");
      if (reasoning == nullptr || !reasoning->is_string()) reasoning = message.find("reasoning_content");
      if (reasoning != nullptr && reasoning->is_string()) {
        copy.emplace_back("reasoning", *reasoning);
        copy.emplace_back("reasoning_content", *reasoning);
      }
    }
    keep_string("tool_call_id");
    keep_string("name");
    normal.push_back(Json(std::move(copy)));
    out.last_role = std::move(role);
  }
  out.messages = Json(std::move(normal));
  return std::nullopt;
}

Json normalise_tools(const Json& tools) {
  if (!tools.is_array()) return Json();
  Json::Array out;
  for (const Json& tool : tools.as_array()) {
    Json::Object function;
    const Json* given = tool.find("function");
    for (const char* name : {"name", "description", "parameters"}) {
      const Json* value = given == nullptr ? nullptr : given->find(name);
      function.emplace_back(name, value == nullptr ? Json() : *value);
    }
    const Json* strict = given == nullptr ? nullptr : given->find("strict");
    if (strict != nullptr) function.emplace_back("strict", *strict);
    const Json* type = tool.find("type");
    Json::Object copy{{"type", type == nullptr ? Json("function") : *type}, {"function", Json(std::move(function))}};
    for (const auto& [name, value] : tool.as_object()) {
      if (name != "type" && name != "function") copy.emplace_back(name, value);
    }
    out.push_back(Json(std::move(copy)));
  }
  return Json(std::move(out));
}

}  // namespace seraph
