#include "daemon/api/responses_input.h"

#include <utility>
#include <vector>

#include "daemon/api/fields.h"

namespace seraph {
namespace {

/// An item is one of many shapes; vLLM's schema first says that a text was possible as well.
ApiError item_error(const Json& input, SchemaError error) {
  return schema_error(
      {{"string_type", "body.input", "Input should be a valid string", describe(input)}, std::move(error)});
}

ApiError missing(const Json& input, const std::string& place, const char* name, const Json& item) {
  return item_error(input, {"missing", place + '.' + name, "Field required", describe(item)});
}

/// One content part in chat's shape. False: a type that is no content.
bool read_part(const Json& part, Json& out) {
  const std::string* type = find_string(part, "type");
  if (type == nullptr) return false;
  const auto text_part = [&](const char* name) {
    const std::string* text = find_string(part, name);
    if (text == nullptr) return false;
    out = Json(Json::Object{{"type", "text"}, {"text", *text}});
    return true;
  };
  if (*type == "input_text" || *type == "output_text" || *type == "text" || *type == "summary_text" ||
      *type == "reasoning_text") {
    return text_part("text");
  }
  if (*type == "refusal") return text_part("refusal");
  if (*type == "input_image") {
    const std::string* url = find_string(part, "image_url");
    out = Json(Json::Object{{"type", "image_url"},
                            {"image_url", Json(Json::Object{{"url", url == nullptr ? std::string() : *url}})}});
    return true;
  }
  if (*type == "input_file" || *type == "input_audio") {
    const std::string name = *type == "input_file" ? "file" : *type;
    out = Json(Json::Object{{"type", name}, {name, Json(Json::Object{})}});
    return true;
  }
  return false;
}

/// Content as chat has it: a text, or a list of its parts.
std::optional<ApiError> read_content(const Json& input, const Json& content, const std::string& place, Json& out) {
  if (content.is_string()) {
    out = content;
    return std::nullopt;
  }
  if (!content.is_array()) {
    return item_error(input, {"list_type", place, "Input should be a valid list", describe(content)});
  }
  Json::Array parts;
  for (size_t i = 0; i < content.as_array().size(); ++i) {
    Json part;
    const Json& given = content.as_array()[i];
    if (!read_part(given, part)) {
      return item_error(input, {"literal_error", place + '.' + std::to_string(i) + ".type",
                                "Input should be 'input_text', 'output_text', 'refusal', 'input_image', 'input_file' "
                                "or 'input_audio'",
                                describe(given)});
    }
    parts.push_back(std::move(part));
  }
  out = Json(std::move(parts));
  return std::nullopt;
}

/// The text of a list of parts, joined.
std::string joined_text(const Json* parts) {
  std::string out;
  if (parts == nullptr || !parts->is_array()) return out;
  for (const Json& part : parts->as_array()) {
    if (const std::string* text = find_string(part, "text")) out += *text;
  }
  return out;
}

/// Reads items one after another: what the model said in several items (thinking, text, calls) is one message of chat.
class InputReader {
 public:
  InputReader(const Json& input, Json::Array& messages) : input_(input), messages_(messages) {}

  std::optional<ApiError> read(const Json& item, const std::string& place) {
    if (!item.is_object()) {
      return item_error(input_, {"dict_type", place, "Input should be a valid dictionary", describe(item)});
    }
    const std::string* type = find_string(item, "type");
    if (type == nullptr || *type == "message") return read_message(item, place);
    if (*type == "reasoning") {
      reasoning_ = joined_text(item.find("content"));
      if (reasoning_.empty()) reasoning_ = joined_text(item.find("summary"));
      return std::nullopt;
    }
    if (*type == "function_call") return read_call(item, place);
    if (*type == "function_call_output") return read_call_output(item, place);
    return item_error(input_, {"literal_error", place + ".type",
                               "Input should be 'message', 'reasoning', 'function_call' or 'function_call_output'",
                               describe(Json(*type))});
  }

 private:
  std::optional<ApiError> read_message(const Json& item, const std::string& place) {
    const std::string* role = find_string(item, "role");
    if (role == nullptr) return missing(input_, place, "role", item);
    if (*role != "user" && *role != "assistant" && *role != "system" && *role != "developer") {
      return item_error(
          input_, {"literal_error", place + ".role", "Input should be 'user', 'assistant', 'system' or 'developer'",
                   describe(Json(*role))});
    }
    const Json* content = find_given(item, "content");
    if (content == nullptr) return missing(input_, place, "content", item);
    Json read;
    if (auto error = read_content(input_, *content, place + ".content", read)) return error;
    open_ = *role == "assistant";
    messages_.push_back(Json(Json::Object{{"role", *role}, {"content", std::move(read)}}));
    if (open_) take_reasoning();
    return std::nullopt;
  }

  std::optional<ApiError> read_call(const Json& item, const std::string& place) {
    for (const char* name : {"call_id", "name", "arguments"}) {
      if (find_string(item, name) == nullptr) return missing(input_, place, name, item);
    }
    if (!open_) {
      messages_.push_back(Json(Json::Object{{"role", "assistant"}, {"content", Json()}}));
      open_ = true;
      take_reasoning();
    }
    Json& message = messages_.back();
    if (message.find("tool_calls") == nullptr) message.set("tool_calls", Json(Json::Array{}));
    message.find("tool_calls")
        ->as_array()
        .push_back(
            Json(Json::Object{{"id", *find_string(item, "call_id")},
                              {"type", "function"},
                              {"function", Json(Json::Object{{"name", *find_string(item, "name")},
                                                             {"arguments", *find_string(item, "arguments")}})}}));
    return std::nullopt;
  }

  std::optional<ApiError> read_call_output(const Json& item, const std::string& place) {
    const std::string* call_id = find_string(item, "call_id");
    if (call_id == nullptr) return missing(input_, place, "call_id", item);
    const Json* output = find_given(item, "output");
    if (output == nullptr) return missing(input_, place, "output", item);
    Json read;
    if (auto error = read_content(input_, *output, place + ".output", read)) return error;
    open_ = false;
    messages_.push_back(Json(Json::Object{{"role", "tool"}, {"tool_call_id", *call_id}, {"content", std::move(read)}}));
    return std::nullopt;
  }

  void take_reasoning() {
    if (!reasoning_.empty()) messages_.back().set("reasoning", Json(std::move(reasoning_)));
    reasoning_.clear();
  }

  const Json& input_;
  Json::Array& messages_;
  bool open_ = false;      // the last message is the model's and takes calls
  std::string reasoning_;  // of the message to come
};

bool names_tool(const Json::Array& tools, const std::string& name) {
  for (const Json& tool : tools) {
    if (*find_string(*tool.find("function"), "name") == name) return true;
  }
  return false;
}

ApiError choice_error(const std::string& message) {
  return bad_request(message + " (parameter=tool_choice)", "tool_choice");
}

/// {"type":"allowed_tools","mode","tools"}: only these tools, with that choice among them.
std::optional<ApiError> narrow_tools(const Json& choice, Json::Array& tools, Json& out) {
  const std::string* mode = find_string(choice, "mode");
  const Json* allowed = find_given(choice, "tools");
  if (mode == nullptr || (*mode != "auto" && *mode != "required") || allowed == nullptr || !allowed->is_array()) {
    return choice_error("`tool_choice` of type allowed_tools needs `mode` (\"auto\" or \"required\") and `tools`");
  }
  Json::Array kept;
  for (const Json& one : allowed->as_array()) {
    const std::string* name = find_string(one, "name");
    if (name == nullptr || !names_tool(tools, *name)) {
      return choice_error("`tool_choice` allows a tool that `tools` does not have");
    }
    for (const Json& tool : tools) {
      if (*find_string(*tool.find("function"), "name") == *name) kept.push_back(tool);
    }
  }
  tools = std::move(kept);
  out = Json(*mode);
  return std::nullopt;
}

}  // namespace

std::optional<ApiError> append_input_messages(const Json& input, Json::Array& messages) {
  if (input.is_string()) {
    messages.push_back(Json(Json::Object{{"role", "user"}, {"content", input.as_string()}}));
    return std::nullopt;
  }
  InputReader reader(input, messages);
  size_t index = 0;
  for (const Json& item : input.as_array()) {
    if (auto error = reader.read(item, "body.input." + std::to_string(index++))) return error;
  }
  return std::nullopt;
}

std::optional<ApiError> read_response_tools(const Json& tools, Json::Array& out, std::string& left_out) {
  size_t index = 0;
  for (const Json& tool : tools.as_array()) {
    const std::string place = "body.tools." + std::to_string(index++);
    const std::string* type = find_string(tool, "type");
    if (type == nullptr) return schema_error({{"missing", place + ".type", "Field required", describe(tool)}});
    if (*type != "function") {
      left_out += (left_out.empty() ? "" : ", ") + *type;
      continue;
    }
    if (find_string(tool, "name") == nullptr) {
      return schema_error({{"missing", place + ".name", "Field required", describe(tool)}});
    }
    const Json* parameters = find_given(tool, "parameters");
    if (parameters != nullptr && !parameters->is_object()) {
      return schema_error(
          {{"dict_type", place + ".parameters", "Input should be a valid dictionary", describe(*parameters)}});
    }
    Json::Object function;
    for (const char* name : {"name", "description", "parameters", "strict"}) {
      if (const Json* value = find_given(tool, name)) function.emplace_back(name, *value);
    }
    out.push_back(Json(Json::Object{{"type", "function"}, {"function", Json(std::move(function))}}));
  }
  return std::nullopt;
}

std::optional<ApiError> read_response_tool_choice(const Json& choice, Json::Array& tools, Json& out) {
  if (choice.is_string()) {
    const std::string& word = choice.as_string();
    if (word == "none" || word == "auto" || word == "required") {
      out = choice;
      return std::nullopt;
    }
    return schema_error({{"literal_error", "body.tool_choice", "Input should be 'none', 'auto' or 'required'",
                          describe(choice), "'expected': \"'none', 'auto' or 'required'\""}});
  }
  const std::string* type = find_string(choice, "type");
  if (type == nullptr) return choice_error("`tool_choice` must be a word or an object with a `type`");
  if (*type == "allowed_tools") return narrow_tools(choice, tools, out);
  const std::string* name = find_string(choice, "name");
  if (*type != "function" || name == nullptr) {
    return choice_error("`tool_choice` of type " + *type + " asks for a tool that this server does not run");
  }
  if (!names_tool(tools, *name)) return choice_error("Tool choice '" + *name + "' not found in 'tools' parameter.");
  out = Json(Json::Object{{"type", "function"}, {"function", Json(Json::Object{{"name", *name}})}});
  return std::nullopt;
}

std::optional<ApiError> read_text_format(const Json& text, Json& out) {
  const Json* format = find_given(text, "format");
  if (format == nullptr) return std::nullopt;
  const std::string* type = find_string(*format, "type");
  if (type != nullptr && *type == "text") return std::nullopt;
  if (type != nullptr && *type == "json_object") {
    out = Json(Json::Object{{"type", "json_object"}});
    return std::nullopt;
  }
  if (type == nullptr || *type != "json_schema") {
    return schema_error({{"literal_error", "body.text.format.type",
                          "Input should be 'text', 'json_schema' or 'json_object'", describe(*format)}});
  }
  Json::Object schema;
  for (const char* name : {"name", "description", "schema", "strict"}) {
    if (const Json* value = find_given(*format, name)) schema.emplace_back(name, *value);
  }
  out = Json(Json::Object{{"type", "json_schema"}, {"json_schema", Json(std::move(schema))}});
  return std::nullopt;
}

}  // namespace seraph
