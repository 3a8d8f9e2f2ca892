#include "daemon/api/fill_in_middle.h"

#include <array>

namespace seraph {
namespace {

struct KnownForm {
  std::array<std::string_view, 3> pieces;  // spellings in the vocabulary
  MiddleForm form;
};

constexpr KnownForm kForms[] = {
    // Qwen2.5-Coder, CodeGemma
    {{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}, {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}},
    // StarCoder, Granite code
    {{"<fim_prefix>", "<fim_suffix>", "<fim_middle>"}, {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"}},
    // StarCoder's relatives with hyphens (SantaCoder)
    {{"<fim-prefix>", "<fim-suffix>", "<fim-middle>"}, {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"}},
    // DeepSeek-Coder: the hole is between the texts, the answer follows the end
    {{"<\uFF5Cfim\u2581begin\uFF5C>", "<\uFF5Cfim\u2581hole\uFF5C>", "<\uFF5Cfim\u2581end\uFF5C>"},
     {"<\uFF5Cfim\u2581begin\uFF5C>", "<\uFF5Cfim\u2581hole\uFF5C>", "<\uFF5Cfim\u2581end\uFF5C>"}},
    // CodeLlama: the space in front of each mark is part of it
    {{"\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"}, {" <PRE> ", " <SUF>", " <MID>"}},
    // Codestral
    {{"[SUFFIX]", "[PREFIX]", "[SUFFIX]"}, {"[SUFFIX]", "[PREFIX]", "", true}},
};

}  // namespace

std::optional<MiddleForm> find_middle_form(const Tokenizer& tokenizer) {
  for (const KnownForm& known : kForms) {
    bool has_all = true;
    for (const std::string_view piece : known.pieces) has_all = has_all && tokenizer.find_piece(piece) >= 0;
    if (has_all) return known.form;
  }
  return std::nullopt;
}

std::string middle_prompt(const MiddleForm& form, std::string_view prefix, std::string_view suffix) {
  const std::string_view before = form.suffix_first ? suffix : prefix;
  const std::string_view behind = form.suffix_first ? prefix : suffix;
  std::string out(form.first);
  out += before;
  out += form.second;
  out += behind;
  return out += form.third;
}

}  // namespace seraph
