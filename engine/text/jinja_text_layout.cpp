// The filters that lay text out by width: wordwrap (Python's textwrap) and pprint.
#include <algorithm>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

constexpr size_t kLineWidth = 80;  // of pprint
constexpr int kNestingMax = 200;

bool is_wrap_space(char c) { return c == ' ' || (c >= 9 && c <= 13); }

bool is_letter(char32_t c) { return is_word(c) && !is_digit(c) && c != '_'; }

bool is_word_punctuation(char32_t c) {
  return is_word(c) || c == '!' || c == '"' || c == '\'' || c == '&' || c == '.' || c == ',' || c == '?';
}

std::u32string decode(std::string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) out += next_code_point(text, at);
  return out;
}

std::string encode(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) append_code_point(out, c);
  return out;
}

/// textwrap's chunks: runs of spaces, words, pieces of hyphenated words (with their hyphen), dashes.
class Chunker {
 public:
  Chunker(std::u32string_view text, bool hyphens) : text_(text), hyphens_(hyphens) {}

  std::vector<std::u32string> run() {
    std::vector<std::u32string> out;
    for (size_t at = 0; at < text_.size();) {
      const size_t end = chunk_end(at);
      out.emplace_back(text_.substr(at, end - at));
      at = end;
    }
    return out;
  }

 private:
  bool space(size_t at) const {
    return at < text_.size() && text_[at] < 128 && is_wrap_space(static_cast<char>(text_[at]));
  }
  bool letter(size_t at) const { return at < text_.size() && is_letter(text_[at]); }

  size_t chunk_end(size_t at) const {
    size_t end = at;
    if (space(at)) {
      while (space(end)) ++end;
      return end;
    }
    if (!hyphens_) {
      while (end < text_.size() && !space(end)) ++end;
      return end;
    }
    if (at > 0 && is_word_punctuation(text_[at - 1]) && dash_end(at) != 0) return dash_end(at);
    for (end = at + 1; end <= text_.size(); ++end) {
      if (end == text_.size() || space(end)) return end;
      if (text_[end] == '-' && breaks_after_hyphen(end)) return end + 1;
      if (is_word_punctuation(text_[end - 1]) && dash_end(end) != 0) return end;
    }
    return text_.size();
  }

  /// Two or more hyphens before a word character.
  size_t dash_end(size_t at) const {
    size_t end = at;
    while (end < text_.size() && text_[end] == '-') ++end;
    return end - at >= 2 && end < text_.size() && is_word(text_[end]) ? end : 0;
  }

  /// letters before ("ab-" or "a-b-" or "a.-"), letters after.
  bool breaks_after_hyphen(size_t hyphen) const {
    const bool two_letters = hyphen >= 2 && letter(hyphen - 1) && letter(hyphen - 2);
    const bool letter_hyphen =
        hyphen >= 3 && letter(hyphen - 3) && text_[hyphen - 2] == '-' && is_word_punctuation(text_[hyphen - 1]);
    if (!two_letters && !letter_hyphen) return false;
    const size_t next = hyphen + 1;
    if (!letter(next)) return false;
    return letter(next + 1) || (next + 2 < text_.size() && text_[next + 1] == '-' && letter(next + 2));
  }

  const std::u32string_view text_;
  const bool hyphens_;
};

bool is_blank(const std::u32string& chunk) {
  return std::all_of(chunk.begin(), chunk.end(), [](char32_t c) { return is_space(c); });
}

/// pprint: as repr on one line when it fits, else one member a line; dicts sorted by key.
class PrettyPrinter {
 public:
  std::string print(const Value& value) {
    format(value, 0, 0, 0);
    return std::move(out_);
  }

 private:
  static std::string flat(const Value& value, int depth) {
    if (depth > kNestingMax) fail("RecursionError: this value is nested too deep for pprint");
    std::string out;
    if (value.is_sequence_object()) {
      const bool tuple = value.is(Type::kTuple);
      const auto& items = value.as<ListObject>().items();
      out += tuple ? '(' : '[';
      for (size_t i = 0; i < items.size(); ++i) out += (i == 0 ? "" : ", ") + flat(items[i], depth + 1);
      return out + (tuple ? (items.size() == 1 ? ",)" : ")") : "]");
    }
    if (!value.is(Type::kDict)) return repr(value);
    out += '{';
    bool first = true;
    for (const auto* entry : sorted(value.as<DictObject>())) {
      out += (first ? "" : ", ") + flat(entry->first, depth + 1) + ": " + flat(entry->second, depth + 1);
      first = false;
    }
    return out + "}";
  }

  static std::vector<const DictObject::Entry*> sorted(DictObject& dict) {
    std::vector<const DictObject::Entry*> out;
    for (const auto& entry : dict.entries()) out.push_back(&entry);
    const auto same_kind = [&](const auto* entry) { return entry->first.type() == out.front()->first.type(); };
    if (!std::all_of(out.begin(), out.end(), same_kind)) return out;
    if (!out.empty() && !out.front()->first.is_str() && !out.front()->first.is(Type::kInt)) return out;
    std::stable_sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return less(a->first, b->first); });
    return out;
  }

  void format(const Value& value, size_t indent, size_t allowance, int depth) {
    if (depth > kNestingMax) fail("RecursionError: this value is nested too deep for pprint");
    const std::string line = flat(value, depth);
    const bool container = value.is_sequence_object() || value.is(Type::kDict);
    const bool fits = static_cast<size_t>(count_code_points(line)) + indent + allowance <= kLineWidth;
    if (fits || (!container && !value.is_str())) {
      out_ += line;
    } else if (value.is_str()) {
      format_text(value, indent, allowance, depth);
    } else if (value.is(Type::kDict)) {
      format_dict(value, indent, allowance, depth);
    } else {
      const bool tuple = value.is(Type::kTuple);
      const auto& items = value.as<ListObject>().items();
      const std::string end = tuple ? (items.size() == 1 ? ",)" : ")") : "]";
      out_ += tuple ? '(' : '[';
      for (size_t i = 0; i < items.size(); ++i) {
        if (i != 0) out_ += ",\n" + std::string(indent + 1, ' ');
        format(items[i], indent + 1, i + 1 == items.size() ? allowance + end.size() : 1, depth + 1);
      }
      out_ += end;
    }
  }

  void format_dict(const Value& value, size_t indent, size_t allowance, int depth) {
    out_ += '{';
    const auto entries = sorted(value.as<DictObject>());
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i != 0) out_ += ",\n" + std::string(indent + 1, ' ');
      const std::string key = flat(entries[i]->first, depth + 1);
      out_ += key + ": ";
      const size_t inner = indent + static_cast<size_t>(count_code_points(key)) + 3;
      format(entries[i]->second, inner, i + 1 == entries.size() ? allowance + 1 : 1, depth + 1);
    }
    out_ += '}';
  }

  /// A long text becomes several literals, split after its spaces; outside all brackets they get parentheses.
  void format_text(const Value& value, size_t indent, size_t allowance, int depth) {
    const auto lines = split_lines(str_of(value), true);
    const bool outermost = depth == 0;
    if (outermost) {
      ++indent;
      ++allowance;
    }
    std::vector<std::string> chunks;
    size_t max_width = kLineWidth - std::min(indent, kLineWidth);
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string whole = repr_str(lines[i]);
      const size_t width = i + 1 == lines.size() ? max_width - std::min(allowance, max_width) : max_width;
      if (static_cast<size_t>(count_code_points(whole)) <= width) {
        chunks.push_back(whole);
        continue;
      }
      std::string current;
      const auto parts = words_with_spaces(lines[i]);
      for (size_t j = 0; j < parts.size(); ++j) {
        const std::string candidate = current + std::string(parts[j]);
        const bool last = j + 1 == parts.size() && i + 1 == lines.size();
        const size_t limit = last ? max_width - std::min(allowance, max_width) : max_width;
        if (static_cast<size_t>(count_code_points(repr_str(candidate))) > limit) {
          if (!current.empty()) chunks.push_back(repr_str(current));
          current = parts[j];
        } else {
          current = candidate;
        }
      }
      if (!current.empty()) chunks.push_back(repr_str(current));
    }
    if (chunks.size() == 1) {
      out_ += chunks.front();
      return;
    }
    if (outermost) out_ += '(';
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (i != 0) out_ += "\n" + std::string(indent, ' ');
      out_ += chunks[i];
    }
    if (outermost) out_ += ')';
  }

  /// \S*\s* pieces.
  static std::vector<std::string_view> words_with_spaces(std::string_view text) {
    std::vector<std::string_view> out;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      bool in_space = false;
      while (at < text.size()) {
        size_t next = at;
        const bool blank = is_space(next_code_point(text, next));
        if (in_space && !blank) break;
        in_space = blank;
        at = next;
      }
      out.push_back(text.substr(begin, at - begin));
    }
    return out;
  }

  std::string out_;
};

}  // namespace

std::string word_wrap(std::string_view line, int64_t width, std::string_view joint, bool break_long, bool on_hyphens) {
  std::vector<std::u32string> chunks = Chunker(decode(line), on_hyphens).run();
  std::reverse(chunks.begin(), chunks.end());
  std::string out;
  bool first = true;
  const auto limit = static_cast<size_t>(width);
  while (!chunks.empty()) {
    std::u32string current;
    size_t last_begin = 0;  // of the last chunk in the line
    if (is_blank(chunks.back()) && !first) chunks.pop_back();
    while (!chunks.empty() && current.size() + chunks.back().size() <= limit) {
      last_begin = current.size();
      current += chunks.back();
      chunks.pop_back();
    }
    if (!chunks.empty() && chunks.back().size() > limit) {
      if (break_long) {
        size_t room = limit - current.size();
        if (on_hyphens && chunks.back().size() > room && room > 0) {
          // Behind the last hyphen within the room, unless there are only hyphens before it.
          const size_t hyphen = chunks.back().rfind(U'-', room - 1);
          if (hyphen != std::u32string::npos && hyphen > 0 && chunks.back().find_first_not_of(U'-') < hyphen)
            room = hyphen + 1;
        }
        last_begin = current.size();
        current += chunks.back().substr(0, room);
        chunks.back().erase(0, room);
      } else if (current.empty()) {
        last_begin = 0;
        current = chunks.back();
        chunks.pop_back();
      }
    }
    if (!current.empty() && is_blank(current.substr(last_begin))) current.resize(last_begin);
    if (current.empty()) continue;
    if (!first) out += joint;
    first = false;
    out += encode(current);
  }
  return out;
}

std::string pretty_print(const Value& value) { return PrettyPrinter().print(value); }

}  // namespace seraph::jinja
