#include "daemon/api/anthropic_input.h"

#include <string>
#include <utility>

#include "daemon/api/fields.h"

namespace seraph {
namespace {

using Errors = std::vector<SchemaError>;

constexpr const char* kBlockTypes = "'text', 'image', 'tool_use', 'tool_result', 'thinking' or 'redacted_thinking'";

SchemaError missing(const std::string& place, const char* name, const Json& value) {
  return {"missing", place + '.' + name, "Field required", describe(value)};
}

SchemaError literal(const std::string& place, const std::string& expected, const Json& value) {
  return {"literal_error", place, "Input should be " + expected, describe(value),
          "'expected': " + python_string(expected)};
}

/// A member that must be a text; null after an error.
const std::string* need_string(const Json& object, const char* name, const std::string& place, Errors& errors) {
  const std::string* text = find_string(object, name);
  if (text == nullptr) errors.push_back(missing(place, name, object));
  return text;
}

Json text_part(const std::string& text) { return Json(Json::Object{{"type", "text"}, {"text", text}}); }

/// An image as chat has it: a data URL or a link.
Json image_part(const Json& block) {
  const Json* source = block.find("source");
  std::string url;
  if (source != nullptr && source->is_object()) {
    if (const std::string* link = find_string(*source, "url")) url = *link;
    const std::string* type = find_string(*source, "media_type");
    const std::string* data = find_string(*source, "data");
    if (type != nullptr && data != nullptr) url = "data:" + *type + ";base64," + *data;
  }
  return Json(Json::Object{{"type", "image_url"}, {"image_url", Json(Json::Object{{"url", std::move(url)}})}});
}

/// One message of Anthropic's becomes the results of calls (each a message of chat), then what else it says.
class MessageReader {
 public:
  MessageReader(Json::Array& messages, Errors& errors) : messages_(messages), errors_(errors) {}

  void read(const Json& message, const std::string& place) {
    if (!message.is_object()) {
      errors_.push_back({"model_attributes_type", place,
                         "Input should be a valid dictionary or object to extract fields from", describe(message)});
      return;
    }
    const std::string* role = need_string(message, "role", place, errors_);
    if (role == nullptr) return;
    if (*role != "user" && *role != "assistant" && *role != "system") {
      errors_.push_back(literal(place + ".role", "'user', 'assistant' or 'system'", Json(*role)));
    }
    const Json* content = message.find("content");
    if (content == nullptr) {
      errors_.push_back(missing(place, "content", message));
    } else if (content->is_string()) {
      messages_.push_back(Json(Json::Object{{"role", *role}, {"content", *content}}));
    } else if (content->is_array()) {
      read_blocks(*role, *content, place + ".content");
    } else {
      errors_.push_back({"string_type", place + ".content", "Input should be a valid string", describe(*content)});
      errors_.push_back({"list_type", place + ".content", "Input should be a valid list", describe(*content)});
    }
  }

 private:
  void read_blocks(const std::string& role, const Json& blocks, const std::string& place) {
    parts_.clear();
    calls_.clear();
    thinking_.clear();
    bool has_results = false;
    for (size_t i = 0; i < blocks.as_array().size() && errors_.size() < kSchemaErrorsMax; ++i) {
      const Json& block = blocks.as_array()[i];
      const std::string* type = find_string(block, "type");
      has_results = has_results || (type != nullptr && *type == "tool_result");
      if (type != nullptr && read_block(*type, block, place + '.' + std::to_string(i))) continue;
      errors_.push_back({"string_type", place, "Input should be a valid string", describe(blocks)});
      errors_.push_back(
          literal(place + '.' + std::to_string(i) + ".type", kBlockTypes, type == nullptr ? block : Json(*type)));
    }
    if (has_results && parts_.empty() && calls_.empty()) return;
    Json message(Json::Object{{"role", role}, {"content", parts_.empty() ? Json("") : Json(std::move(parts_))}});
    if (!thinking_.empty()) message.set("reasoning", Json(thinking_));
    if (!calls_.empty()) message.set("tool_calls", Json(std::move(calls_)));
    messages_.push_back(std::move(message));
  }

  /// False: no block of this type is known.
  bool read_block(const std::string& type, const Json& block, const std::string& place) {
    if (type == "text") {
      if (const std::string* text = need_string(block, "text", place, errors_)) parts_.push_back(text_part(*text));
    } else if (type == "image") {
      parts_.push_back(image_part(block));
    } else if (type == "thinking") {
      if (const std::string* text = need_string(block, "thinking", place, errors_)) thinking_ += *text;
    } else if (type == "tool_use") {
      read_call(block, place);
    } else if (type == "tool_result") {
      read_result(block, place);
    } else {
      return type == "redacted_thinking";  // nobody but its maker can read it
    }
    return true;
  }

  void read_call(const Json& block, const std::string& place) {
    const std::string* id = need_string(block, "id", place, errors_);
    const std::string* name = need_string(block, "name", place, errors_);
    const Json* input = find_given(block, "input");
    if (id == nullptr || name == nullptr) return;
    const std::string arguments = input == nullptr ? "{}" : input->dump();
    calls_.push_back(Json(Json::Object{{"id", *id},
                                       {"type", "function"},
                                       {"function", Json(Json::Object{{"name", *name}, {"arguments", arguments}})}}));
  }

  void read_result(const Json& block, const std::string& place) {
    const std::string* id = need_string(block, "tool_use_id", place, errors_);
    if (id == nullptr) return;
    Json content("");
    const Json* given = find_given(block, "content");
    if (given != nullptr && given->is_string()) content = *given;
    if (given != nullptr && given->is_array()) {
      Json::Array parts;
      for (const Json& part : given->as_array()) {
        const std::string* type = find_string(part, "type");
        const std::string* text = find_string(part, "text");
        if (type != nullptr && *type == "text" && text != nullptr) {
          parts.push_back(text_part(*text));
        } else if (type != nullptr && *type == "image") {
          parts.push_back(image_part(part));
        } else {
          errors_.push_back(literal(place + ".content", "a list of 'text' and 'image' blocks", part));
        }
      }
      if (!parts.empty()) content = Json(std::move(parts));
    }
    messages_.push_back(Json(Json::Object{{"role", "tool"}, {"tool_call_id", *id}, {"content", std::move(content)}}));
  }

  Json::Array& messages_;
  Errors& errors_;
  // Of the message in hand.
  Json::Array parts_, calls_;
  std::string thinking_;
};

void read_system(const Json& system, Json::Array& messages, Errors& errors) {
  if (system.is_string()) {
    messages.push_back(Json(Json::Object{{"role", "system"}, {"content", system}}));
    return;
  }
  Json::Array parts;
  for (size_t i = 0; i < system.as_array().size(); ++i) {
    const std::string place = "body.system." + std::to_string(i);
    if (const std::string* text = need_string(system.as_array()[i], "text", place, errors)) {
      parts.push_back(text_part(*text));
    }
  }
  if (!parts.empty()) messages.push_back(Json(Json::Object{{"role", "system"}, {"content", Json(std::move(parts))}}));
}

void read_choice(const Json& choice, Json& chat, Errors& errors) {
  const std::string* type = find_string(choice, "type");
  if (type != nullptr && (*type == "auto" || *type == "none")) {
    chat.set("tool_choice", Json(*type));
  } else if (type != nullptr && *type == "any") {
    chat.set("tool_choice", Json("required"));
  } else if (type != nullptr && *type == "tool") {
    const std::string* name = need_string(choice, "name", "body.tool_choice", errors);
    if (name == nullptr) return;
    chat.set("tool_choice",
             Json(Json::Object{{"type", "function"}, {"function", Json(Json::Object{{"name", *name}})}}));
  } else {
    errors.push_back(
        literal("body.tool_choice.type", "'auto', 'any', 'tool' or 'none'", type == nullptr ? Json() : Json(*type)));
    return;
  }
  if (get_bool(choice, "disable_parallel_tool_use", false)) chat.set("parallel_tool_calls", Json(false));
}

}  // namespace

void read_anthropic_messages(const Json& body, Json::Array& messages, Errors& errors) {
  if (const Json* system = find_given(body, "system")) read_system(*system, messages, errors);
  const Json& given = *body.find("messages");
  if (!given.is_array()) {
    errors.push_back({"list_type", "body.messages", "Input should be a valid list", describe(given)});
    return;
  }
  MessageReader reader(messages, errors);
  for (size_t i = 0; i < given.as_array().size() && errors.size() < kSchemaErrorsMax; ++i) {
    reader.read(given.as_array()[i], "body.messages." + std::to_string(i));
  }
}

void read_anthropic_tools(const Json& body, Json& chat, Errors& errors) {
  const Json* given = find_given(body, "tools");
  Json::Array tools;
  for (size_t i = 0; given != nullptr && i < given->as_array().size() && errors.size() < kSchemaErrorsMax; ++i) {
    const Json& tool = given->as_array()[i];
    const std::string place = "body.tools." + std::to_string(i);
    const std::string* name = need_string(tool, "name", place, errors);
    const Json* schema = find_given(tool, "input_schema");
    if (schema == nullptr || !schema->is_object()) errors.push_back(missing(place, "input_schema", tool));
    if (name == nullptr || schema == nullptr) continue;
    Json::Object function{{"name", *name}};
    if (const Json* description = find_given(tool, "description")) function.emplace_back("description", *description);
    function.emplace_back("parameters", *schema);
    tools.push_back(Json(Json::Object{{"type", "function"}, {"function", Json(std::move(function))}}));
  }
  if (tools.empty()) return;
  chat.set("tools", Json(std::move(tools)));
  if (const Json* choice = find_given(body, "tool_choice")) read_choice(*choice, chat, errors);
}

}  // namespace seraph
