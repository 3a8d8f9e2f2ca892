#include <utf8proc.h>

#include <array>

#include "engine/grammar/regex_syntax.h"

namespace seraph::grammar {
namespace {

struct CategoryName {
  std::string_view name, prefix;
};
constexpr CategoryName kCategoryNames[] = {
    {"Letter", "L"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"Nonspacing_Mark", "Mn"},
    {"Dash_Punctuation", "Pd"},
    {"Connector_Punctuation", "Pc"},
};
constexpr std::string_view kCategoryCodes[] = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe",
    "Pi", "Pf", "Po", "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "C",  "Cc", "Cf", "Cs", "Co", "Cn"};

/// Characters whose category begins with one of the prefixes.
CharSet categories(std::initializer_list<std::string_view> prefixes) {
  CharSet out;
  for (uint32_t c = 0; c <= kCharMax; ++c) {
    const char* category = utf8proc_category_string(static_cast<utf8proc_int32_t>(c));
    bool matches = false;
    for (const std::string_view prefix : prefixes)
      matches |= std::string_view(category).substr(0, prefix.size()) == prefix;
    if (!matches) continue;
    if (!out.empty() && out.back().hi + 1 == c) {
      out.back().hi = c;
    } else {
      out.push_back({c, c});
    }
  }
  return out;
}

// Both tables are constant; walking Unicode for each use of \d or \w would take milliseconds.
const CharSet& unicode_digits() {
  static const CharSet kDigits = categories({"Nd"});
  return kDigits;
}

const CharSet& unicode_word() {
  static const CharSet kWord = [] {
    CharSet set = categories({"L", "N"});
    set.push_back({'_', '_'});
    return normalized(std::move(set));
  }();
  return kWord;
}

CharSet python_space() {
  CharSet set = {{9, 13},          {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
                 {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
  return set;
}

CharSet ecma_space() {
  CharSet set = {{9, 13},          {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                 {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  return set;
}

}  // namespace

CharSet class_escape(char letter, RegexDialect dialect) {
  const bool python = dialect == RegexDialect::kPython;
  switch (letter) {
    case 'd':
      return python ? unicode_digits() : CharSet{{'0', '9'}};
    case 'w':
      return python ? unicode_word() : CharSet{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    case 's':
      return python ? python_space() : ecma_space();
    case 'D':
      return complement(class_escape('d', dialect));
    case 'W':
      return complement(class_escape('w', dialect));
    default:
      return complement(class_escape('s', dialect));
  }
}

CharSet unicode_category(std::string_view name) {
  if (name.substr(0, 3) == "gc=") name.remove_prefix(3);
  for (const CategoryName& entry : kCategoryNames) {
    if (entry.name == name) return categories({entry.prefix});
  }
  for (const std::string_view code : kCategoryCodes) {
    if (code == name) return categories({code});
  }
  fail_unsupported(fmt::format("the character property \\p{{{}}} is not supported", name));
}

}  // namespace seraph::grammar
