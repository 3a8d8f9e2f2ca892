// The chat templates of config/templates/, compiled into the binary so that presets find them wherever it is installed.
#pragma once

#include <span>
#include <string_view>

namespace seraph {

struct BuiltinTemplate {
  std::string_view name;  // the file's name without ".jinja"
  std::string_view text;
};

/// Sorted by name. Defined in the file that embed_templates.cmake writes.
std::span<const BuiltinTemplate> builtin_templates();

/// By name, or by a path that ends in the name, with or without ".jinja"; null when there is none.
const BuiltinTemplate* find_builtin_template(std::string_view value);

}  // namespace seraph
