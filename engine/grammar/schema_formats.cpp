// The formats of JSON Schema as regular languages. Where a format's own rules are not regular (idn-hostname, regex) or
// come with long tables, the language here is a part of the format: never more than it allows.
#include <string>

#include "engine/grammar/regex_syntax.h"
#include "engine/grammar/schema_expander.h"

namespace seraph::grammar {
namespace {

std::string alternatives(std::initializer_list<std::string> parts) {
  std::string out = "(";
  for (const std::string& part : parts) out += (out.size() > 1 ? "|" : "") + part;
  return out + ")";
}

// RFC 3339. Leap seconds exist at the end of a UTC day; only the spelling in UTC is taken.
const std::string kLeapYear = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[048]|[2468][048]|[13579][26])00)";
const std::string kDate =
    alternatives({"[0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])", "[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]|30)",
                  "[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])", kLeapYear + "-02-29"});
const std::string kHour = "([01][0-9]|2[0-3])", kSixty = "[0-5][0-9]";
const std::string kTime =
    alternatives({kHour + ":" + kSixty + ":" + kSixty + "(\\.[0-9]+)?([Zz]|[+-]" + kHour + ":" + kSixty + ")",
                  "23:59:60(\\.[0-9]+)?([Zz]|[+-]00:00)"});
const std::string kClock = alternatives({"[0-9]+H([0-9]+M([0-9]+S)?)?", "[0-9]+M([0-9]+S)?", "[0-9]+S"});
const std::string kDays = alternatives({"[0-9]+D", "[0-9]+M([0-9]+D)?", "[0-9]+Y([0-9]+M([0-9]+D)?)?"});
const std::string kDuration = "P" + alternatives({"[0-9]+W", kDays + "(T" + kClock + ")?", "T" + kClock});

const std::string kOctet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const std::string kIpv4 = kOctet + "(\\." + kOctet + "){3}";
const std::string kGroup = "[0-9A-Fa-f]{1,4}";
const std::string kLast32 = "(" + kGroup + ":" + kGroup + "|" + kIpv4 + ")";
const std::string kIpv6 =
    alternatives({"(" + kGroup + ":){6}" + kLast32, "::(" + kGroup + ":){5}" + kLast32,
                  "(" + kGroup + ")?::(" + kGroup + ":){4}" + kLast32,
                  "((" + kGroup + ":){0,1}" + kGroup + ")?::(" + kGroup + ":){3}" + kLast32,
                  "((" + kGroup + ":){0,2}" + kGroup + ")?::(" + kGroup + ":){2}" + kLast32,
                  "((" + kGroup + ":){0,3}" + kGroup + ")?::" + kGroup + ":" + kLast32,
                  "((" + kGroup + ":){0,4}" + kGroup + ")?::" + kLast32,
                  "((" + kGroup + ":){0,5}" + kGroup + ")?::" + kGroup, "((" + kGroup + ":){0,6}" + kGroup + ")?::"});

// Labels with hyphens in the third and fourth place are reserved (xn-- needs a punycode decoder).
const std::string kLabelEnd = "([A-Za-z0-9-]{0,59}[A-Za-z0-9])?";
const std::string kLabel =
    alternatives({"[A-Za-z0-9]([A-Za-z0-9-]?[A-Za-z0-9])?", "[A-Za-z0-9][A-Za-z0-9-][A-Za-z0-9]" + kLabelEnd,
                  "[A-Za-z0-9][A-Za-z0-9-]-[A-Za-z0-9]" + kLabelEnd});
// At most 253 characters altogether: three labels of any length, or ten of at most 24.
const std::string kShortLabel = alternatives({"[A-Za-z0-9]([A-Za-z0-9-]?[A-Za-z0-9])?",
                                              "[A-Za-z0-9][A-Za-z0-9-][A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?",
                                              "[A-Za-z0-9][A-Za-z0-9-]-[A-Za-z0-9]([A-Za-z0-9-]{0,19}[A-Za-z0-9])?"});
const std::string kHostname =
    alternatives({kLabel + "(\\." + kLabel + "){0,2}", kShortLabel + "(\\." + kShortLabel + "){0,9}"});
// In mail addresses one form, which is cheaper to compile: five labels of at most 48.
const std::string kMailLabel = alternatives({"[A-Za-z0-9]([A-Za-z0-9-]?[A-Za-z0-9])?",
                                             "[A-Za-z0-9][A-Za-z0-9-][A-Za-z0-9]([A-Za-z0-9-]{0,44}[A-Za-z0-9])?",
                                             "[A-Za-z0-9][A-Za-z0-9-]-[A-Za-z0-9]([A-Za-z0-9-]{0,43}[A-Za-z0-9])?"});
const std::string kMailHost = kMailLabel + "(\\." + kMailLabel + "){0,4}";
const std::string kIdnChar = "\\u00E0-\\u00F6\\u00F8-\\u00FF\\u0430-\\u044F\\u4E00-\\u9FA5\\uAC00-\\uD7A3";
const std::string kIdnLabel = alternatives({kLabel, "[" + kIdnChar + "]{1,10}"});
const std::string kIdnHostname = kIdnLabel + "(\\." + kIdnLabel + "){0,2}";

const std::string kAtom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]";
const std::string kQuoted = "\"([ !#-\\[\\]-~]|\\\\[ -~])*\"";
const std::string kEmail = alternatives({kAtom + "+(\\." + kAtom + "+)*", kQuoted}) + "@" +
                           alternatives({kMailHost, "\\[" + kIpv4 + "\\]", "\\[IPv6:" + kIpv6 + "\\]"});
const std::string kIdnAtom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u00A1-\\uD7FF-]";
const std::string kIdnEmail =
    kIdnAtom + "+(\\." + kIdnAtom + "+)*@" + alternatives({kIdnHostname, "\\[" + kIpv4 + "\\]"});

/// RFC 3986, and RFC 3987 with `more` the characters beyond ASCII.
std::string uri_pattern(const std::string& more, const std::string& more_in_query, bool relative) {
  const std::string escaped = "%[0-9A-Fa-f]{2}", plain = "A-Za-z0-9._~!$&'()*+,;=" + more;
  const std::string pchar = "([" + plain + ":@-]|" + escaped + ")", no_colon = "([" + plain + "@-]|" + escaped + ")";
  const std::string host = alternatives(
      {"\\[(" + kIpv6 + "|v[0-9A-Fa-f]+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]", "([" + plain + "-]|" + escaped + ")*"});
  const std::string authority = "(([" + plain + ":-]|" + escaped + ")*@)?" + host + "(:[0-9]*)?";
  const std::string segments = "(/" + pchar + "*)*", absolute = "/(" + pchar + "+" + segments + ")?";
  const std::string query =
      "(\\?([" + plain + more_in_query + ":@/?-]|" + escaped + ")*)?(#([" + plain + ":@/?-]|" + escaped + ")*)?";
  const std::string full = "[A-Za-z][A-Za-z0-9+.-]*:(//" + authority + segments + "|" + absolute + "|" + pchar + "+" +
                           segments + "|)" + query;
  if (!relative) return full;
  return "(" + full + "|(//" + authority + segments + "|" + absolute + "|" + no_colon + "+" + segments + "|)" + query +
         ")";
}
const std::string kIriChar = "\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF\\u{10000}-\\u{1FFFD}\\u{20000}-\\u{2FFFD}";

const std::string kPointer = "(/([^~/]|~[01])*)*";
const std::string kVariable =
    "([A-Za-z0-9_]|%[0-9A-Fa-f]{2})(\\.?([A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*(:[1-9][0-9]{0,3}|\\*)?";
const std::string kTemplate = "([^\\u0000-\\u0020\"%<>\\\\^`{|}\\u007F-\\u009F]|%[0-9A-Fa-f]{2}|\\{[+#./;?&]?" +
                              kVariable + "(," + kVariable + ")*\\})*";

/// ECMA regular expressions with groups nested three deep, without ranges of letters that may be out of order.
std::string regex_pattern() {
  const std::string escape = "\\\\([dDwWsSnrtfv0]|c[A-Za-z]|x[0-9A-Fa-f]{2}|[\\^$\\\\.*+?()\\[\\]{}|/])";
  const std::string item = "([^\\\\\\]\\[^-]|" + escape + "|a-z|A-Z|0-9|a-f|A-F)";
  const std::string quantifier = "([*+?]|\\{[0-9]{1,3},?\\})\\??";
  std::string atom = "([^\\^$\\\\.*+?()\\[\\]{}|]|\\.|" + escape + "|\\[\\^?" + item + "*\\])";
  std::string body;
  for (int depth = 0; depth < 4; ++depth) {
    const std::string term = "(" + atom + "(" + quantifier + ")?|\\^|\\$|\\\\[bB])";
    body = "(" + term + "|\\|)*";
    atom = "(([^\\^$\\\\.*+?()\\[\\]{}|]|\\.|" + escape + "|\\[\\^?" + item + "*\\])|\\((\\?:)?" + body + "\\))";
  }
  return body;
}

/// JSON texts whose arrays and objects are nested at most three deep.
std::string json_pattern() {
  const std::string space = "[ \\n\\r\\t]*";
  const std::string text = "\"([^\"\\\\\\u0000-\\u001F]|\\\\([\"\\\\/bfnrt]|u[0-9A-Fa-f]{4}))*\"";
  const std::string scalar = "(true|false|null|-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?|" + text + ")";
  std::string value = scalar;
  for (int depth = 0; depth < 3; ++depth) {
    const std::string item = space + value + space, member = space + text + space + ":" + item;
    value = "(" + scalar + "|\\[(" + item + "(," + item + ")*|" + space + ")\\]|\\{(" + member + "(," + member + ")*|" +
            space + ")\\})";
  }
  return space + value + space;
}

struct FormatEntry {
  std::string_view name;
  std::string pattern;
};

}  // namespace

bool find_format(std::string_view name, LanguagePool& languages, Budget& budget, LangId& language) {
  const FormatEntry entries[] = {
      {"date", kDate},
      {"time", kTime},
      {"date-time", kDate + "[Tt]" + kTime},
      {"duration", kDuration},
      {"ipv4", kIpv4},
      {"ipv6", kIpv6},
      {"hostname", kHostname},
      {"idn-hostname", kIdnHostname},
      {"email", kEmail},
      {"idn-email", kIdnEmail},
      {"uri", uri_pattern("", "", false)},
      {"uri-reference", uri_pattern("", "", true)},
      {"iri", uri_pattern(kIriChar, "\\uE000-\\uF8FF", false)},
      {"iri-reference", uri_pattern(kIriChar, "\\uE000-\\uF8FF", true)},
      {"uuid", "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"},
      {"json-pointer", kPointer},
      {"relative-json-pointer", "(0|[1-9][0-9]*)(#|" + kPointer + ")"},
      {"uri-template", kTemplate},
      {"regex", regex_pattern()},
      {kBase64Content, "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"},
      {kJsonContent, json_pattern()},
  };
  for (const FormatEntry& entry : entries) {
    if (entry.name != name) continue;
    language = languages.add(compile_whole_match(entry.pattern, budget));
    return true;
  }
  return false;
}

}  // namespace seraph::grammar
