#include "daemon/api/tool_grammar.h"

#include <utility>

namespace seraph {
namespace {

struct MarkupRow {
  std::string_view parser;  // as --tool-call-parser names it
  std::string_view markup;
};
constexpr MarkupRow kMarkups[] = {
    {"hermes", "hermes"},   {"qwen3_json", "hermes"},      {"llama3_json", "llama"},    {"llama4_json", "llama"},
    {"mistral", "mistral"}, {"qwen3_coder", "qwen_coder"}, {"qwen3_xml", "qwen_coder"}, {"deepseek_v3", "deepseek"},
};

std::string_view markup_of(std::string_view parser) {
  for (const MarkupRow& row : kMarkups) {
    if (row.parser == parser) return row.markup;
  }
  return {};
}

Json object(Json::Object members) { return Json(std::move(members)); }
Json literal(std::string text) { return object({{"type", "const_string"}, {"value", std::move(text)}}); }
Json pattern(std::string text) { return object({{"type", "regex"}, {"pattern", std::move(text)}}); }
Json sequence(Json::Array parts) { return object({{"type", "sequence"}, {"elements", std::move(parts)}}); }

std::string json_text(const std::string& text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// The schema of a function's arguments. They are an object; a function that declares none takes none, and none takes
/// more than it names.
Json arguments_schema(const Json& function) {
  const Json* given = function.find("parameters");
  if (given == nullptr || given->is_null()) {
    return object({{"type", "object"}, {"properties", Json(Json::Object{})}, {"additionalProperties", false}});
  }
  Json schema = without_additional_properties(*given);
  Json* type = schema.find("type");
  if (type == nullptr) {
    schema.as_object().insert(schema.as_object().begin(), {"type", "object"});
  } else if (type->is_array()) {
    for (const Json& each : type->as_array()) {
      if (each.is_string() && each.as_string() == "object") {
        schema.set("type", "object");
        break;
      }
    }
  }
  return schema;
}

/// The functions that may be called, each once.
std::vector<const Json*> functions_of(const ForcedCalls& calls) {
  std::vector<const Json*> out;
  for (const Json& tool : calls.tools->as_array()) {
    const Json* function = tool.find("function");
    const std::string& name = function->find("name")->as_string();
    if (calls.name.empty() || calls.name == name) out.push_back(function);
  }
  return out;
}

/// {"begin", "content", "end"} of one call.
Json call_tag(const Json& function, const std::string& begin, const char* content, Json end) {
  return object({{"type", "tag"},
                 {"begin", begin},
                 {"content", object({{"type", content}, {"json_schema", arguments_schema(function)}})},
                 {"end", std::move(end)}});
}

Json ends(const char* end) { return Json::Array{Json(std::string(end)), Json(end + std::string("\n"))}; }

void add_call_tags(std::string_view markup, const Json& function, bool new_mistral, Json::Array& out) {
  const std::string& name = function.find("name")->as_string();
  if (markup == "hermes") {
    for (const std::string line : {"\n", ""}) {
      const std::string begin = "<tool_call>" + line + "{\"name\": " + json_text(name) + ", \"arguments\": ";
      out.push_back(call_tag(function, begin, "json_schema", ends(("}" + line + "</tool_call>").c_str())));
    }
  } else if (markup == "qwen_coder") {
    out.push_back(call_tag(function, "<tool_call>\n<function=" + name + ">", "qwen_xml_parameter",
                           ends("</function>\n</tool_call>")));
  } else if (markup == "deepseek") {
    out.push_back(call_tag(function, "<｜tool▁call▁begin｜>function<｜tool▁sep｜>" + name + "\n```json\n",
                           "json_schema", "\n```<｜tool▁call▁end｜>"));
  } else if (markup == "mistral" && new_mistral) {
    out.push_back(call_tag(function, "[TOOL_CALLS]" + name + "[ARGS]", "json_schema", ""));
  } else {
    const char* arguments = markup == "llama" ? "parameters" : "arguments";
    out.push_back(
        call_tag(function, "{\"name\": " + json_text(name) + ", \"" + arguments + "\": ", "json_schema", "}"));
  }
}

Json markup_tag(const ForcedCalls& calls) {
  const std::string_view markup = markup_of(calls.format);
  Json::Array tags;
  for (const Json* function : functions_of(calls)) add_call_tags(markup, *function, calls.new_mistral, tags);
  const char* separator = markup == "llama"                           ? "; "
                          : markup == "deepseek"                      ? "\n"
                          : markup == "mistral" && !calls.new_mistral ? ", "
                                                                      : "";
  Json list = object({{"type", "tags_with_separator"},
                      {"tags", std::move(tags)},
                      {"separator", separator},
                      {"at_least_one", true},
                      {"stop_after_first", calls.one_call || !calls.name.empty()}});
  if (markup == "deepseek") {
    list = sequence({literal("<｜tool▁calls▁begin｜>"), std::move(list), literal("<｜tool▁calls▁end｜>")});
  } else if (markup == "mistral" && !calls.new_mistral) {
    list = sequence({literal("[TOOL_CALLS]"), pattern(" ?\\["), std::move(list), literal("]")});
  }
  return object({{"type", "structural_tag"}, {"format", std::move(list)}});
}

/// Moves what a schema's references may name to the root, where they look for it.
void hoist_definitions(Json& schema, Json& root) {
  for (const char* name : {"$defs", "definitions"}) {
    const Json* found = schema.find(name);
    if (found == nullptr || !found->is_object()) continue;
    Json all = root.find(name) != nullptr ? *root.find(name) : Json(Json::Object{});
    for (const auto& [key, value] : found->as_object()) all.set(key, value);
    root.set(name, std::move(all));
    std::erase_if(schema.as_object(), [name](const Json::Member& member) { return member.first == name; });
  }
}

Json list_schema(const ForcedCalls& calls) {
  Json root{Json::Object{}};
  Json::Array items;
  for (const Json* function : functions_of(calls)) {
    Json arguments = arguments_schema(*function);
    hoist_definitions(arguments, root);
    Json name = object({{"type", "string"}, {"enum", Json::Array{*function->find("name")}}});
    items.push_back(object({{"type", "object"},
                            {"properties", object({{"name", std::move(name)}, {"parameters", std::move(arguments)}})},
                            {"required", Json::Array{Json("name"), Json("parameters")}},
                            {"additionalProperties", false}}));
  }
  root.set("type", "array");
  root.set("minItems", 1);
  if (calls.one_call) root.set("maxItems", 1);
  root.set("items", object({{"type", "object"}, {"anyOf", std::move(items)}}));
  return root;
}

}  // namespace

std::vector<std::string_view> tool_markers(std::string_view format) {
  const std::string_view markup = markup_of(format);
  if (markup == "hermes") return {"<tool_call>", "</tool_call>"};
  if (markup == "qwen_coder") return {"<tool_call>", "</tool_call>"};
  if (markup == "mistral") return {"[TOOL_CALLS]", "[ARGS]"};
  if (markup == "deepseek") {
    return {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>",
            "<｜tool▁sep｜>"};
  }
  return {};
}

bool ForcedCalls::is_list() const { return markup_of(format).empty(); }

ConstraintSource forced_calls_source(const ForcedCalls& calls) {
  ConstraintSource out;
  out.field = "tools";
  if (!calls.is_list()) {
    out.kind = ConstraintSource::Kind::kStructuralTag;
    out.markers = true;
    out.value = markup_tag(calls);
    return out;
  }
  out.kind = ConstraintSource::Kind::kJsonSchema;
  out.value = calls.name.empty() ? list_schema(calls) : arguments_schema(*functions_of(calls).front());
  return out;
}

}  // namespace seraph
