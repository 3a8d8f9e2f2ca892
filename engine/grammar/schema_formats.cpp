// The formats of JSON Schema as regular languages. Where a format's own rules are not regular (idn-hostname, regex) or
// come with long tables, the language here is a part of the format: never more than it allows.
#include <algorithm>
#include <map>
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

// RFC 3339.
const std::string kLeapYear = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[048]|[2468][048]|[13579][26])00)";
const std::string kDate =
    alternatives({"[0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])", "[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]|30)",
                  "[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])", kLeapYear + "-02-29"});
const std::string kHour = "([01][0-9]|2[0-3])", kSixty = "[0-5][0-9]";
const std::string kFraction = "(\\.[0-9]+)?";

/// Leap seconds exist at the end of a UTC day; in local time by offsets whose minutes some zone has had.
std::string leap_seconds() {
  std::string out = "23:59:60" + kFraction + "[Zz]";
  for (int minutes = -23 * 60 - 45; minutes < 24 * 60; minutes += 15) {
    const int local = (23 * 60 + 59 + minutes + 24 * 60) % (24 * 60), offset = std::abs(minutes);
    out += fmt::format("|{:02}:{:02}:60{}{}{:02}:{:02}", local / 60, local % 60, kFraction,
                       minutes == 0 ? "[+-]" : (minutes < 0 ? "-" : "\\+"), offset / 60, offset % 60);
  }
  return "(" + out + ")";
}

const std::string kTime = alternatives(
    {kHour + ":" + kSixty + ":" + kSixty + kFraction + "([Zz]|[+-]" + kHour + ":" + kSixty + ")", leap_seconds()});
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

// Letters of Unicode labels that IDNA2008 allows and that are written from left to right: Latin, Greek, Cyrillic,
// Armenian, Devanagari, Thai, Georgian, and what is in kEastAsian. None of them composes with another.
const std::string kEastAsian = "\\u3007\\u3041-\\u3096\\u30A1-\\u30FA\\u30FC\\u4E00-\\u9FA5";
const std::string kGreek = "\\u03AC-\\u03CE";
const std::string kWideLetters =
    "\\u00DF-\\u00F6\\u00F8-\\u00FF\\u0430-\\u045F\\u0561-\\u0586\\u0904-\\u0939"
    "\\u0E01-\\u0E30\\u0F0B\\u10D0-\\u10F0\\uAC00-\\uD7A3" +
    kGreek + kEastAsian;
const std::string kHebrew = "\\u05D0-\\u05EA", kArabic = "\\u0621-\\u063A\\u0641-\\u064A\\u06FD\\u06FE";
const std::string kArabicJoining = "[\\u0628\\u062A-\\u062E\\u0633-\\u063A\\u0641-\\u0647\\u064A]";

/// Names whose labels are ASCII or short Unicode labels, with the contexts that RFC 5892 wants of some characters. Ten
/// characters are at most 63 bytes of an A-label, and three labels never too long together.
std::string idn_hostname_pattern() {
  const std::string wide = "[a-z0-9\\u06F0-\\u06F9" + kWideLetters + "]";
  const std::string in_context =
      alternatives({wide, "l\\u00B7l", "\\u0375[" + kGreek + "]", "[\\u0904-\\u0939][\\u093E-\\u094C]",
                    "[\\u0904-\\u0939]\\u094D[\\u200C\\u200D]?[\\u0904-\\u0939]"});
  const std::string dotted = "[a-z0-9\\u30FB" + kEastAsian + "]{0,4}";
  const std::string label =
      alternatives({kLabel, in_context + "{1,3}", wide + "{1,10}", dotted + "[" + kEastAsian + "]" + dotted});
  // Beside a label that is written from right to left, labels must begin with a letter (RFC 5893).
  const std::string hebrew = "[" + kHebrew + "]([\\u05F3\\u05F4]?[" + kHebrew + "]){0,4}[0-9]{0,2}";
  const std::string arabic =
      "([" + kArabic + "]{0,4}" + kArabicJoining + "\\u200C" + kArabicJoining + ")?[" + kArabic + "]";
  const std::string from_right =
      alternatives({hebrew, arabic + "{1,4}[\\u0660-\\u0669]{0,2}[" + kArabic + "]{0,2}", arabic + "{1,4}[0-9]{0,2}"});
  const std::string from_left = alternatives({"[A-Za-z][A-Za-z0-9]{0,9}", "[a-z" + kWideLetters + "]{1,10}"});
  const std::string dot = "[.\\u3002\\uFF0E\\uFF61]";
  const std::string either = alternatives({from_right, from_left});
  return alternatives({label + "(" + dot + label + "){0,2}", either + "(" + dot + either + "){0,2}"});
}

const std::string kAtom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]";
const std::string kQuoted = "\"([ !#-\\[\\]-~]|\\\\[ -~])*\"";
const std::string kEmail = alternatives({kAtom + "+(\\." + kAtom + "+)*", kQuoted}) + "@" +
                           alternatives({kMailHost, "\\[" + kIpv4 + "\\]", "\\[IPv6:" + kIpv6 + "\\]"});
// Mail in Unicode (RFC 6531): anything beyond ASCII may be part of a name. Domains are letters and their accents.
const std::string kIdnAtom = "([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\\u0000-\\u007F])";
const std::string kIdnQuoted = "\"([ !#-\\[\\]-~]|\\\\[ -~]|[^\\u0000-\\u007F])*\"";
const std::string kIdnMailLabel =
    alternatives({kMailLabel, "[a-z0-9" + kWideLetters + "]([a-z0-9" + kWideLetters + "\\u0300-\\u036F]{0,8})"});
const std::string kIdnEmail = alternatives({kIdnAtom + "+(\\." + kIdnAtom + "+)*", kIdnQuoted}) + "@" +
                              alternatives({kIdnMailLabel + "(\\." + kIdnMailLabel + "){0,4}", "\\[" + kIpv4 + "\\]",
                                            "\\[IPv6:" + kIpv6 + "\\]"});

/// RFC 3986, and RFC 3987 with `more` the characters beyond ASCII.
std::string uri_pattern(const std::string& more, const std::string& more_in_query, bool relative) {
  const std::string escaped = "%[0-9A-Fa-f]{2}", plain = "A-Za-z0-9._~!$&'()*+,;=" + more;
  const std::string pchar = "([" + plain + ":@-]|" + escaped + ")", no_colon = "([" + plain + "@-]|" + escaped + ")";
  const std::string host = alternatives(
      {"\\[(" + kIpv6 + "|[vV][0-9A-Fa-f]+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]", "([" + plain + "-]|" + escaped + ")*"});
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
std::string iri_chars() {
  std::string out = "\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF";
  for (int plane = 1; plane <= 14; ++plane) {
    out +=
        fmt::format("\\u{{{:X}}}-\\u{{{:X}}}", plane * 0x10000 + (plane == 14 ? 0x1000 : 0), plane * 0x10000 + 0xFFFD);
  }
  return out;
}
const std::string kIriChar = iri_chars(), kPrivate = "\\uE000-\\uF8FF\\u{F0000}-\\u{FFFFD}\\u{100000}-\\u{10FFFD}";

const std::string kPointer = "(/([^~/]|~[01])*)*";
const std::string kVariable =
    "([A-Za-z0-9_]|%[0-9A-Fa-f]{2})(\\.?([A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*(:[1-9][0-9]{0,3}|\\*)?";
const std::string kTemplate = "([^\\u0000-\\u0020\"%<>\\\\^`{|}\\u007F-\\u009F]|%[0-9A-Fa-f]{2}|\\{[+#./;?&]?" +
                              kVariable + "(," + kVariable + ")*\\})*";

/// ECMA regular expressions with groups nested three deep, without ranges of letters that may be out of order; what
/// looks ahead or behind has no groups, and at most one group has a name.
std::string regex_pattern() {
  const std::string escape = "\\\\([dDwWsSnrtfv0]|c[A-Za-z]|x[0-9A-Fa-f]{2}|[\\^$\\\\.*+?()\\[\\]{}|/])";
  const std::string item = "([^\\\\\\]\\[^-]|" + escape + "|a-z|A-Z|0-9|a-f|A-F)";
  const std::string quantifier = "(([*+?]|\\{[0-9]{1,3},?\\})[?]?)?";
  const std::string simple =
      "([^\\^$\\\\.*+?()\\[\\]{}|]|\\.|" + escape + "|\\[\\^?" + item + "*\\])" + quantifier + "|\\^|\\$|\\\\[bB]|\\|";
  const std::string flat = "(" + simple + ")*";
  std::string body = flat;
  for (int depth = 0; depth < 3; ++depth) {
    body = "(" + simple + "|\\(\\?<?[=!]" + flat + "\\)|\\((\\?:)?" + body + "\\)" + quantifier + ")*";
  }
  return body + "(\\(\\?<[A-Za-z_$][A-Za-z0-9_$]*>" + flat + "\\)" + quantifier + body + ")?";
}

/// JSON texts whose arrays and objects are nested at most `depth_max` deep.
std::string json_pattern(int depth_max) {
  const std::string space = "[ \\n\\r\\t]*";
  const std::string text = "\"([^\"\\\\\\u0000-\\u001F]|\\\\([\"\\\\/bfnrt]|u[0-9A-Fa-f]{4}))*\"";
  const std::string scalar = "(true|false|null|-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?|" + text + ")";
  std::string value = scalar;
  for (int depth = 0; depth < depth_max; ++depth) {
    const std::string item = space + value + space, member = space + text + space + ":" + item;
    value = "(" + scalar + "|\\[(" + item + "(," + item + ")*|" + space + ")\\]|\\{(" + member + "(," + member + ")*|" +
            space + ")\\})";
  }
  return space + value + space;
}

/// Base64 of the ASCII texts of a language.
class Base64Texts {
 public:
  Base64Texts(const CharDfa& texts, Budget& budget) : texts_(texts), budget_(budget) {}

  CharDfa build() {
    if (texts_.empty()) return {};
    find_state({0, 0, 0});
    for (size_t i = 0; i < keys_.size(); ++i) add_edges(i);
    return minimized(out_, budget_);
  }

 private:
  struct Key {
    int32_t text_state;  // -1: behind the first '=', -2: behind the last
    int bits;            // read of a byte that is not complete
    uint32_t value;      // of these bits
    auto operator<=>(const Key&) const = default;
  };

  int32_t find_state(const Key& key) {
    const auto [at, added] = ids_.try_emplace(key, static_cast<int32_t>(keys_.size()));
    if (added) {
      keys_.push_back(key);
      const bool complete = key.text_state == -2 || (key.bits == 0 && key.text_state >= 0 && accepts(key.text_state));
      out_.states.push_back({{}, complete});
      budget_.check_states(keys_.size());
    }
    return at->second;
  }

  bool accepts(int32_t state) const { return texts_.states[static_cast<size_t>(state)].accepting; }

  void add_edges(size_t index) {
    const Key key = keys_[index];
    std::vector<CharDfa::Edge> edges;
    if (key.text_state == -1) edges.push_back({'=', '=', find_state({-2, 0, 0})});
    const bool may_pad = key.text_state >= 0 && key.value == 0 && (key.bits == 4 || key.bits == 2);
    if (may_pad && accepts(key.text_state)) edges.push_back({'=', '=', find_state({key.bits == 4 ? -1 : -2, 0, 0})});
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint32_t digit = 0; key.text_state >= 0 && digit < kDigits.size(); ++digit) {
      budget_.spend(4);
      Key next = {key.text_state, key.bits + 6, key.value << 6 | digit};
      if (next.bits >= 8) {
        next.bits -= 8;
        const uint32_t byte = next.value >> next.bits;
        if (byte >= 0x80) continue;
        next.text_state = texts_.next(key.text_state, byte);
        next.value &= (1u << next.bits) - 1;
        if (next.text_state < 0) continue;
      }
      const auto c = static_cast<uint32_t>(kDigits[digit]);
      edges.push_back({c, c, find_state(next)});
    }
    std::sort(edges.begin(), edges.end(), [](const auto& a, const auto& b) { return a.lo < b.lo; });
    out_.states[index].edges = std::move(edges);
  }

  const CharDfa texts_;
  Budget& budget_;
  CharDfa out_;
  std::vector<Key> keys_;  // by state of out_
  std::map<Key, int32_t> ids_;
};

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
      {"idn-hostname", idn_hostname_pattern()},
      {"email", kEmail},
      {"idn-email", kIdnEmail},
      {"uri", uri_pattern("", "", false)},
      {"uri-reference", uri_pattern("", "", true)},
      {"iri", uri_pattern(kIriChar, kPrivate, false)},
      {"iri-reference", uri_pattern(kIriChar, kPrivate, true)},
      {"uuid", "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"},
      {"json-pointer", kPointer},
      {"relative-json-pointer", "(0|[1-9][0-9]*)(#|" + kPointer + ")"},
      {"uri-template", kTemplate},
      {"regex", regex_pattern()},
      {kBase64Content, "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"},
      {kJsonContent, json_pattern(3)},
  };
  if (name == kBase64JsonContent) {
    language = languages.add(Base64Texts(compile_whole_match(json_pattern(1), budget), budget).build());
    return true;
  }
  for (const FormatEntry& entry : entries) {
    if (entry.name != name) continue;
    language = languages.add(compile_whole_match(entry.pattern, budget));
    return true;
  }
  return false;
}

}  // namespace seraph::grammar
