#include "daemon/commands/builtin_templates.h"

namespace seraph {

const BuiltinTemplate* find_builtin_template(std::string_view value) {
  // Command lines of vLLM name its example files by path: examples/tool_chat_template_llama3.1_json.jinja.
  if (const size_t slash = value.rfind('/'); slash != std::string_view::npos) value.remove_prefix(slash + 1);
  if (value.ends_with(".jinja")) value.remove_suffix(6);
  for (const BuiltinTemplate& builtin : builtin_templates()) {
    if (builtin.name == value) return &builtin;
  }
  return nullptr;
}

}  // namespace seraph
