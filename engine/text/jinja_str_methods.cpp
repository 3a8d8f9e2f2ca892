// The methods of str. Results of a Markup's methods stay Markup, and its arguments are escaped, as markupsafe does.
#include <algorithm>
#include <limits>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

using Mapping = std::string (*)(std::string_view);
using Predicate = bool (*)(char32_t);

std::string_view str_arg(const Value& value, const char* what) {
  if (!value.is_str()) fail(std::string("TypeError: ") + what + " must be str, not " + type_name(value));
  return str_of(value);
}

template <Mapping kMap>
Value mapped(Interpreter& in, const Value& self, Args& args) {
  const Params params("str method", args, {});
  return in.str(kMap(str_of(self)), is_markup(self));
}

template <Predicate kTest>
Value all_of(Interpreter&, const Value& self, Args& args) {
  const Params params("str method", args, {});
  const std::string_view text = str_of(self);
  if (text.empty()) return false;
  for (size_t at = 0; at < text.size();) {
    if (!kTest(next_code_point(text, at))) return false;
  }
  return true;
}

Value is_ascii_text(Interpreter&, const Value& self, Args&) { return is_ascii(self); }

/// Some cased character, and none of the other case.
template <Predicate kWanted, Predicate kOther>
Value cased_as(Interpreter&, const Value& self, Args&) {
  const std::string_view text = str_of(self);
  bool found = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (kOther(c) || is_title(c)) return false;
    found = found || kWanted(c);
  }
  return found;
}

Value is_title_text(Interpreter&, const Value& self, Args&) {
  const std::string_view text = str_of(self);
  bool found = false;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_upper(c) || is_title(c)) {
      if (in_word) return false;
      found = in_word = true;
    } else if (is_lower(c)) {
      if (!in_word) return false;
    } else {
      in_word = false;
    }
  }
  return found;
}

Value is_identifier_text(Interpreter&, const Value& self, Args&) { return is_identifier(str_of(self)); }
Value is_printable_text(Interpreter&, const Value& self, Args&) {
  const std::string_view text = str_of(self);
  for (size_t at = 0; at < text.size();) {
    if (!is_printable(next_code_point(text, at))) return false;
  }
  return true;
}

template <Sides kSides>
Value strip(Interpreter& in, const Value& self, Args& args) {
  const Params params("strip", args, {"chars"});
  const std::string_view text = str_of(self);
  const bool spaces = !params.has(0) || params[0].is_none();
  const std::string_view out =
      spaces ? strip_space(text, kSides) : strip_chars(text, str_arg(params[0], "strip arg"), kSides);
  return in.str(std::string(out), is_markup(self));
}

Value make_parts(Interpreter& in, const Value& self, const std::vector<std::string_view>& parts) {
  std::vector<Value> out;
  out.reserve(parts.size());
  for (const std::string_view part : parts) out.push_back(in.str(std::string(part), is_markup(self)));
  return in.list(std::move(out));
}

std::vector<std::string_view> split_spaces(std::string_view text, int64_t limit, bool from_right) {
  std::vector<std::string_view> out;
  text = strip_space(text, kBoth);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(out.size()) == limit) {
      out.push_back(text);
      break;
    }
    if (from_right) {
      size_t begin = text.size();
      while (begin > 0) {
        const size_t start = previous_start(text, begin);
        size_t reread = start;
        if (is_space(next_code_point(text, reread))) break;
        begin = start;
      }
      out.push_back(text.substr(begin));
      text = strip_space(text.substr(0, begin), kRight);
    } else {
      size_t end = 0;
      while (end < text.size()) {
        size_t next = end;
        if (is_space(next_code_point(text, next))) break;
        end = next;
      }
      out.push_back(text.substr(0, end));
      text = strip_space(text.substr(end), kLeft);
    }
  }
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

template <bool kFromRight>
Value split(Interpreter& in, const Value& self, Args& args) {
  const Params params("split", args, {"sep", "maxsplit"});
  const std::string_view text = str_of(self);
  const int64_t limit = params.integer(1, -1);
  if (!params.has(0) || params[0].is_none()) {
    // Python strips the outer side too when a limit stops it; the rest keeps its other side.
    if (limit >= 0) {
      const std::string_view inner = strip_space(text, kFromRight ? kRight : kLeft);
      auto parts = split_spaces(inner, limit, kFromRight);
      if (static_cast<int64_t>(parts.size()) == limit + 1) {
        std::string_view& rest = kFromRight ? parts.front() : parts.back();
        const char* begin = kFromRight ? inner.data() : rest.data();
        const char* end = kFromRight ? rest.data() + rest.size() : inner.data() + inner.size();
        rest = std::string_view(begin, static_cast<size_t>(end - begin));
      }
      return make_parts(in, self, parts);
    }
    return make_parts(in, self, split_spaces(text, limit, kFromRight));
  }
  const std::string_view separator = str_arg(params[0], "separator");
  if (separator.empty()) fail("ValueError: empty separator");
  std::vector<std::string_view> out;
  std::string_view rest = text;
  for (int64_t left = limit < 0 ? std::numeric_limits<int64_t>::max() : limit; left > 0; --left) {
    const size_t at = kFromRight ? rest.rfind(separator) : rest.find(separator);
    if (at == std::string_view::npos) break;
    out.push_back(kFromRight ? rest.substr(at + separator.size()) : rest.substr(0, at));
    rest = kFromRight ? rest.substr(0, at) : rest.substr(at + separator.size());
  }
  out.push_back(rest);
  if (kFromRight) std::reverse(out.begin(), out.end());
  return make_parts(in, self, out);
}

Value splitlines(Interpreter& in, const Value& self, Args& args) {
  const Params params("splitlines", args, {"keepends"});
  return make_parts(in, self, split_lines(str_of(self), params.flag(0)));
}

template <bool kFromRight>
Value partition(Interpreter& in, const Value& self, Args& args) {
  const Params params("partition", args, {"sep"}, 1);
  const std::string_view text = str_of(self);
  const std::string_view separator = str_arg(params[0], "separator");
  if (separator.empty()) fail("ValueError: empty separator");
  const size_t at = kFromRight ? text.rfind(separator) : text.find(separator);
  std::string_view parts[3] = {kFromRight ? "" : text, "", kFromRight ? text : ""};
  if (at != std::string_view::npos) {
    parts[0] = text.substr(0, at);
    parts[1] = separator;
    parts[2] = text.substr(at + separator.size());
  }
  std::vector<Value> out;
  for (const std::string_view part : parts) out.push_back(in.str(std::string(part), is_markup(self)));
  return make_tuple(in.heap(), std::move(out));
}

/// text[start:end] as find, count, startswith take it. False when start lies beyond the end of the text.
bool window(const Value& self, const Value& start, const Value& end, std::string_view& out, int64_t& first) {
  const int64_t size = str_length(self);
  const auto bound = [&](const Value& value, int64_t fallback) {
    if (value.is_missing() || value.is_none()) return fallback;
    const int64_t index = to_index(value);
    return index < 0 ? std::max<int64_t>(index + size, 0) : index;
  };
  first = bound(start, 0);
  const int64_t last = std::min(bound(end, size), size);
  if (first > size || first > last) return false;
  const std::string_view text = str_of(self);
  const size_t begin = byte_offset(text, first);
  out = text.substr(begin, byte_offset(text.substr(begin), last - first));
  return true;
}

template <bool kEnd>
Value has_affix(Interpreter&, const Value& self, Args& args) {
  const char* const name = kEnd ? "endswith" : "startswith";
  const Params params(name, args, {"prefix", "start", "end"}, 1);
  std::string_view text;
  int64_t first = 0;
  const bool inside = window(self, params[1], params[2], text, first);
  const auto matches = [&](const Value& affix) {
    const std::string_view part = str_arg(affix, kEnd ? "endswith first arg" : "startswith first arg");
    return inside && (kEnd ? text.ends_with(part) : text.starts_with(part));
  };
  if (!params[0].is(Type::kTuple)) return matches(params[0]);
  const auto& items = params[0].as<ListObject>().items();
  return std::any_of(items.begin(), items.end(), matches);
}

template <bool kFromRight, bool kMustExist>
Value find(Interpreter&, const Value& self, Args& args) {
  const Params params("find", args, {"sub", "start", "end"}, 1);
  const std::string_view part = str_arg(params[0], "the first argument");
  std::string_view text;
  int64_t first = 0;
  size_t at = std::string_view::npos;
  if (window(self, params[1], params[2], text, first)) at = kFromRight ? text.rfind(part) : text.find(part);
  if (at == std::string_view::npos) {
    if (kMustExist) fail("ValueError: substring not found");
    return int64_t{-1};
  }
  return first + count_code_points(text.substr(0, at));
}

Value count(Interpreter&, const Value& self, Args& args) {
  const Params params("count", args, {"sub", "start", "end"}, 1);
  const std::string_view part = str_arg(params[0], "the first argument");
  std::string_view text;
  int64_t first = 0;
  if (!window(self, params[1], params[2], text, first)) return int64_t{0};
  if (part.empty()) return count_code_points(text) + 1;
  int64_t found = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

Value replace(Interpreter& in, const Value& self, Args& args) {
  const Params params("replace", args, {"old", "new", "count"}, 2);
  std::string from(str_arg(params[0], "replace() argument 1"));
  std::string to(str_arg(params[1], "replace() argument 2"));
  if (is_markup(self) && !is_markup(params[1])) to = escape_html(to);
  return in.str(replace_text(in, str_of(self), from, to, params.integer(2, -1)), is_markup(self));
}

Value join(Interpreter& in, const Value& self, Args& args) {
  const Params params("join", args, {"iterable"}, 1);
  if (!is_iterable(params[0])) fail("TypeError: can only join an iterable");
  std::string out;
  Iterator iterator(in.heap(), params[0]);
  int64_t index = 0;
  for (Value item; iterator.next(item); ++index) {
    in.step();
    if (!item.is_str()) {
      fail("TypeError: sequence item " + std::to_string(index) + ": expected str instance, " + type_name(item) +
           " found");
    }
    if (index != 0) out += str_of(self);
    out += is_markup(self) && !is_markup(item) ? escape_html(str_of(item)) : std::string(str_of(item));
    in.check_text(static_cast<int64_t>(out.size()));
  }
  return in.str(std::move(out), is_markup(self));
}

template <char kSide>
Value justify(Interpreter& in, const Value& self, Args& args) {
  const Params params("justify", args, {"width", "fillchar"}, 1);
  const std::string fill(params.has(1) ? str_arg(params[1], "the fill character") : " ");
  if (count_code_points(fill) != 1) fail("TypeError: The fill character must be exactly one character long");
  const int64_t width = params.integer(0, 0);
  const int64_t missing = width - str_length(self);
  if (missing <= 0) return self;
  in.check_text(missing * static_cast<int64_t>(fill.size()));
  // Python's center puts the odd space on the left only when the width is odd.
  const int64_t left = kSide == 'l' ? 0 : kSide == 'r' ? missing : missing / 2 + (missing & width & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += str_of(self);
  for (int64_t i = left; i < missing; ++i) out += fill;
  return in.str(std::move(out), is_markup(self));
}

Value zfill(Interpreter& in, const Value& self, Args& args) {
  const Params params("zfill", args, {"width"}, 1);
  const int64_t missing = params.integer(0, 0) - str_length(self);
  if (missing <= 0) return self;
  in.check_text(missing);
  const std::string_view text = str_of(self);
  const bool sign = text.starts_with('-') || text.starts_with('+');
  return in.str(std::string(text.substr(0, sign ? 1 : 0)) + std::string(static_cast<size_t>(missing), '0') +
                std::string(text.substr(sign ? 1 : 0)));
}

template <bool kEnd>
Value remove_affix(Interpreter& in, const Value& self, Args& args) {
  const Params params("removeprefix", args, {"affix"}, 1);
  const std::string_view part = str_arg(params[0], "the argument");
  std::string_view text = str_of(self);
  if (kEnd && text.ends_with(part)) text.remove_suffix(part.size());
  if (!kEnd && text.starts_with(part)) text.remove_prefix(part.size());
  return in.str(std::string(text), is_markup(self));
}

Value expand_tabs(Interpreter& in, const Value& self, Args& args) {
  const Params params("expandtabs", args, {"tabsize"});
  const int64_t size = params.integer(0, 8);
  std::string out;
  int64_t column = 0;
  const std::string_view text = str_of(self);
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_code_point(text, at);
    if (c == '\t') {
      const int64_t spaces = size > 0 ? size - column % size : 0;
      in.check_text(static_cast<int64_t>(out.size()) + spaces);
      out.append(static_cast<size_t>(spaces), ' ');
      column += spaces;
    } else {
      out += text.substr(start, at - start);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
  }
  return in.str(std::move(out), is_markup(self));
}

Value encode(Interpreter& in, const Value& self, Args& args) {
  const Params params("encode", args, {"encoding", "errors"});
  std::string name = to_lower(params.text(0, "utf-8"));
  if (name != "utf-8" && name != "utf8") fail("LookupError: only the encoding utf-8 is offered");
  return Value(Type::kBytes, make_object<BytesObject>(&in.heap(), std::string(str_of(self))));
}

Value translate(Interpreter& in, const Value& self, Args& args) {
  const Params params("translate", args, {"table"}, 1);
  if (!params[0].is(Type::kDict)) fail("TypeError: translate() takes a dict here");
  auto& table = params[0].as<DictObject>();
  std::string out;
  const std::string_view text = str_of(self);
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_code_point(text, at);
    const Value* to = table.find(Value(static_cast<int64_t>(c)));
    if (to == nullptr) {
      out += text.substr(start, at - start);
    } else if (to->is(Type::kInt)) {
      if (to->as_int() < 0 || to->as_int() > 0x10FFFF) fail("ValueError: character mapping must be in range(0x110000)");
      append_code_point(out, static_cast<char32_t>(to->as_int()));
    } else if (!to->is_none()) {
      out += str_arg(*to, "a character mapping");
    }
  }
  return in.str(std::move(out));
}

Value format_map(Interpreter& in, const Value& self, Args& args) {
  const Params params("format_map", args, {"mapping"}, 1);
  if (!params[0].is(Type::kDict)) fail("TypeError: format_map() takes a dict here");
  Args inner;
  for (const auto& [key, value] : params[0].as<DictObject>().entries()) inner.keyword.emplace_back(to_str(key), value);
  return str_format(in, self, inner);
}

Value make_trans(Interpreter&, const Value&, Args&) { fail("maketrans() is not offered; write the table as a dict"); }

constexpr BuiltinEntry kStrMethods[] = {
    {"capitalize", mapped<capitalize>},
    {"casefold", mapped<case_fold>},
    {"center", justify<'c'>},
    {"count", count},
    {"encode", encode},
    {"endswith", has_affix<true>},
    {"expandtabs", expand_tabs},
    {"find", find<false, false>},
    {"format", str_format},
    {"format_map", format_map},
    {"index", find<false, true>},
    {"isalnum", all_of<is_alnum>},
    {"isalpha", all_of<is_alpha>},
    {"isascii", is_ascii_text},
    {"isdecimal", all_of<is_decimal>},
    {"isdigit", all_of<is_digit>},
    {"isidentifier", is_identifier_text},
    {"islower", cased_as<is_lower, is_upper>},
    {"isnumeric", all_of<is_numeric>},
    {"isprintable", is_printable_text},
    {"isspace", all_of<is_space>},
    {"istitle", is_title_text},
    {"isupper", cased_as<is_upper, is_lower>},
    {"join", join},
    {"ljust", justify<'l'>},
    {"lower", mapped<to_lower>},
    {"lstrip", strip<kLeft>},
    {"maketrans", make_trans},
    {"partition", partition<false>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"replace", replace},
    {"rfind", find<true, false>},
    {"rindex", find<true, true>},
    {"rjust", justify<'r'>},
    {"rpartition", partition<true>},
    {"rsplit", split<true>},
    {"rstrip", strip<kRight>},
    {"split", split<false>},
    {"splitlines", splitlines},
    {"startswith", has_affix<false>},
    {"strip", strip<kBoth>},
    {"swapcase", mapped<swap_case>},
    {"title", mapped<to_title>},
    {"translate", translate},
    {"upper", mapped<to_upper>},
    {"zfill", zfill},
};

}  // namespace

const BuiltinEntry* find_str_method(std::string_view name) {
  const auto* it =
      std::lower_bound(std::begin(kStrMethods), std::end(kStrMethods), name,
                       [](const BuiltinEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return it != std::end(kStrMethods) && it->name == name ? it : nullptr;
}

}  // namespace seraph::jinja
