#include "daemon/api/tools.h"

#include <spdlog/spdlog.h>

#include "daemon/api/fields.h"
#include "daemon/api/tool_grammar.h"

namespace seraph {
namespace {

using Errors = std::vector<SchemaError>;

ApiError choice_error(std::string message, const char* param = "tool_choice") {
  return bad_request(message + " (parameter=" + param + ")", param);
}

void check_function(const Json& tool, const std::string& place, Errors& errors) {
  const Json* function = tool.find("function");
  if (function == nullptr) {
    errors.push_back({"missing", place, "Field required", describe(tool)});
    return;
  }
  if (!function->is_object()) {
    errors.push_back({"model_type", place, "Input should be a valid dictionary", describe(*function)});
    return;
  }
  const Json* name = function->find("name");
  if (name == nullptr) {
    errors.push_back({"missing", place + ".name", "Field required", describe(*function)});
  } else if (!name->is_string()) {
    errors.push_back({"string_type", place + ".name", "Input should be a valid string", describe(*name)});
  }
  const Json* parameters = function->find("parameters");
  if (parameters != nullptr && !parameters->is_null() && !parameters->is_object()) {
    errors.push_back({"dict_type", place + ".parameters", "Input should be a valid dictionary", describe(*parameters)});
  }
}

bool has_tool(const Json& tools, const std::string& name) {
  for (const Json& tool : tools.as_array()) {
    if (tool.find("function")->find("name")->as_string() == name) return true;
  }
  return false;
}

/// A tool_choice object: exactly one function must be meant, and it must be offered.
std::optional<ApiError> check_named_choice(const Json& choice, const Json& tools, std::string& name) {
  const Json* function = choice.find("function");
  const Json* given = function == nullptr ? nullptr : function->find("name");
  if (given == nullptr || !given->is_string()) {
    return choice_error("Invalid value for `function`: `" + (function == nullptr ? "None" : describe(*function)) +
                            "` in `tool_choice`! Correct usage: `{\"type\": \"function\", \"function\": {\"name\": "
                            "\"my_function\"}}`",
                        "tool_choice.function");
  }
  const Json* type = choice.find("type");
  if (type != nullptr && !(type->is_string() && type->as_string() == "function")) {
    return schema_error(
        {{"literal_error", "body.tool_choice", "Input should be 'none'", describe(choice), "'expected': \"'none'\""}});
  }
  name = given->as_string();
  if (has_tool(tools, name)) return std::nullopt;
  return choice_error("The tool specified in `tool_choice` does not match any of the specified `tools`");
}

/// What tool_choice asks for.
struct ToolChoice {
  enum class Kind { kNone, kAuto, kRequired, kNamed };
  Kind kind = Kind::kNone;
  std::string name;  // kNamed
};

/// Choices that force a call.
std::optional<ApiError> check_forced(const Json& body, const std::string& what, const ApiOptions& options) {
  if (find_given(body, "structured_outputs") != nullptr) {
    return bad_request("You can only either use constraints for structured outputs or tools, not both.");
  }
  if (!options.tool_parser.empty()) return std::nullopt;
  return bad_request("tool_choice=" + what + " requires --tool-call-parser to be set");
}

std::optional<ApiError> read_choice(const Json& body, const ApiOptions& options, ToolChoice& out) {
  const Json* tools = find_given(body, "tools");
  const Json* choice = body.find("tool_choice");
  const bool is_word = choice != nullptr && choice->is_string();
  if (tools != nullptr && tools->as_array().empty()) {
    return choice_error(
        "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.", "tools");
  }
  if (choice != nullptr && (choice->is_null() || (is_word && choice->as_string() == "none"))) return std::nullopt;
  if (tools == nullptr) {
    if (choice == nullptr) return std::nullopt;
    return choice_error("When using `tool_choice`, `tools` must be set.");
  }
  if (choice != nullptr && choice->is_object()) {
    if (auto error = check_named_choice(*choice, *tools, out.name)) return error;
    out.kind = ToolChoice::Kind::kNamed;
    return check_forced(body, "function \"" + out.name + "\"", options);
  }
  if (is_word && choice->as_string() == "required") {
    out.kind = ToolChoice::Kind::kRequired;
    return check_forced(body, "\"required\"", options);
  }
  if (choice != nullptr && !(is_word && choice->as_string() == "auto")) {
    return choice_error("Invalid value for `tool_choice`: " + describe(*choice) +
                        "! Only named tools, \"none\", \"auto\" or \"required\" are supported.");
  }
  if (!options.enable_auto_tool_choice || options.tool_parser.empty()) {
    return bad_request("\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set");
  }
  out.kind = ToolChoice::Kind::kAuto;
  return std::nullopt;
}

/// The grammar of an answer that must be calls, and the parser that reads it back.
void plan_forced_calls(const Json& tools, const ToolChoice& choice, const Tokenizer& tokenizer, OutputPlan& out) {
  const ForcedCalls calls{.format = out.format.tool_parser,
                          .tools = &tools,
                          .name = choice.name,
                          .one_call = !out.parallel_tool_calls,
                          .new_mistral = tokenizer.find_piece("[ARGS]") >= 0};
  out.forced = forced_calls_source(calls);
  out.forced_name = choice.kind == ToolChoice::Kind::kNamed;
  if (!calls.is_list()) return;
  out.needs_special_tokens = false;
  // A list of {"name", "parameters"} is what Llama's parser reads; a named call is its arguments alone.
  out.format.tool_parser = "llama3_json";
  if (out.forced_name) out.format.named_call = choice.name;
}

void append_spaced(std::string& out, const Json& value) {
  const bool is_list = value.is_array();
  if (!is_list && !value.is_object()) {
    out += value.dump();
    return;
  }
  out += is_list ? '[' : '{';
  const size_t begin = out.size();
  if (is_list) {
    for (const Json& item : value.as_array()) {
      if (out.size() > begin) out += ", ";
      append_spaced(out, item);
    }
  } else {
    for (const auto& [name, member] : value.as_object()) {
      if (out.size() > begin) out += ", ";
      append_json_string(out, name);
      out += ": ";
      append_spaced(out, member);
    }
  }
  out += is_list ? ']' : '}';
}

}  // namespace

void check_tools(const Json& value, const std::string& loc, Errors& errors) {
  if (!value.is_array()) {
    errors.push_back({"list_type", loc, "Input should be a valid list", describe(value)});
    return;
  }
  size_t index = 0;
  for (const Json& tool : value.as_array()) {
    if (errors.size() >= kSchemaErrorsMax) return;
    const std::string place = loc + '.' + std::to_string(index++);
    if (!tool.is_object()) {
      errors.push_back({"model_type", place, "Input should be a valid dictionary", describe(tool)});
      continue;
    }
    const Json* type = tool.find("type");
    if (type != nullptr && !(type->is_string() && type->as_string() == "function")) {
      errors.push_back({"literal_error", place + ".type", "Input should be 'function'", describe(*type),
                        "'expected': \"'function'\""});
    }
    check_function(tool, place + ".function", errors);
  }
}

std::optional<ApiError> read_output_plan(const Json& body, const ApiOptions& options, const Tokenizer& tokenizer,
                                         OutputPlan& out) {
  ToolChoice choice;
  if (auto error = read_choice(body, options, choice)) return error;
  out.format.reasoning_parser = options.reasoning_parser;
  out.parallel_tool_calls = get_bool(body, "parallel_tool_calls", true);
  out.include_reasoning = get_bool(body, "include_reasoning", true);
  if (choice.kind == ToolChoice::Kind::kNone) return std::nullopt;
  const ToolFormat* format = find_tool_format(options.tool_parser);
  out.format.tool_parser = options.tool_parser;
  out.short_call_ids = format->short_call_ids;
  out.needs_special_tokens = format->needs_special_tokens;
  out.tools = *find_given(body, "tools");
  if (choice.kind != ToolChoice::Kind::kAuto) plan_forced_calls(out.tools, choice, tokenizer, out);
  return std::nullopt;
}

std::string spaced_json(const std::string& text) {
  const auto parsed = Json::parse(text);
  if (!parsed.ok()) return text;
  std::string out;
  append_spaced(out, *parsed);
  return out;
}

std::string guess_tool_parser(std::string_view chat_template) {
  const auto mentions = [&](std::string_view text) { return chat_template.find(text) != std::string_view::npos; };
  // The more particular marks first: Qwen3-Coder's template has <tool_call> as well.
  if (mentions("<function=") && mentions("<parameter=")) return "qwen3_coder";
  if (mentions("<tool_call>")) return "hermes";
  if (mentions("[TOOL_CALLS]")) return "mistral";
  if (mentions("<｜tool▁calls▁begin｜>")) return "deepseek_v3";
  if (mentions("<|plugin|>")) return "internlm";
  if (mentions("<|python_start|>")) return "pythonic";
  if (mentions("ipython") || mentions("<|python_tag|>")) return "llama3_json";
  return "";
}

Status choose_parsers(const Tokenizer& tokenizer, ApiOptions& options) {
  if (options.tool_parser == "auto") {
    options.tool_parser =
        guess_tool_parser(options.chat_template.empty() ? tokenizer.chat_template(true) : options.chat_template);
    if (!options.tool_parser.empty()) spdlog::info("tool calls are read as {} (by the template)", options.tool_parser);
  }
  const OutputFormat format{.tool_parser = options.tool_parser, .reasoning_parser = options.reasoning_parser};
  auto parser = OutputParser::make(format, Json());
  if (!parser.ok()) return parser.error();
  return {};
}

}  // namespace seraph
