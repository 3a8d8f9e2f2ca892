# Writes OUTPUT, a .cpp with the *.jinja files of SOURCE as constants (builtin_templates.h declares their list).
set(rows "")
set(arrays "")
set(index 0)
file(GLOB files RELATIVE ${SOURCE} ${SOURCE}/*.jinja)
list(SORT files)
foreach(file ${files})
  file(READ ${SOURCE}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(REGEX REPLACE "\\.jinja$" "" name "${file}")
  string(APPEND arrays "constexpr char kText${index}[] = {${bytes}};\n")
  string(APPEND rows "    {\"${name}\", std::string_view(kText${index}, sizeof kText${index})},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Written by embed_templates.cmake.
#include \"daemon/commands/builtin_templates.h\"

namespace seraph {
namespace {
${arrays}
constexpr BuiltinTemplate kTemplates[] = {
${rows}};
}  // namespace

std::span<const BuiltinTemplate> builtin_templates() { return kTemplates; }

}  // namespace seraph
")
