#include "engine/text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "engine/text/component_spec.h"
#include "engine/text/precompiled_charsmap.h"
#include "engine/text/regex.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

// The library's normalisation tables are Unicode 9's: what was given a decomposition later keeps its form.
bool is_newer_decomposition(char32_t c) {
  return c == 0x32FF || (c >= 0xA7F2 && c <= 0xA7F4) || c == 0xAB69 || (c >= 0x10781 && c <= 0x107BA) || c == 0x11938 ||
         (c >= 0x1E030 && c <= 0x1E06D) || (c >= 0x1CCD6 && c <= 0x1CCF9) || c == 0x1F16C ||
         (c >= 0x1FBF0 && c <= 0x1FBF9);
}

// Unicode normalisation of a stretch. utf8proc would sort combining marks by swapping neighbours, which a crafted text
// makes quadratic; here each run of marks is sorted once, and only the linear composing step is utf8proc's.
void normalize_stretch(std::string_view text, bool compose, bool compat, std::string& out) {
  std::vector<utf8proc_int32_t> chars;
  chars.reserve(text.size());
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (compat ? UTF8PROC_COMPAT : 0));
  for (size_t pos = 0, length = 0; pos < text.size(); pos += length) {
    const auto c = static_cast<utf8proc_int32_t>(decode_utf8(text, pos, length));
    utf8proc_int32_t parts[32];
    int boundary = UTF8PROC_BOUNDCLASS_START;
    const utf8proc_ssize_t count = utf8proc_decompose_char(c, parts, 32, options, &boundary);
    if (count < 1 || count > 32 || is_newer_decomposition(static_cast<char32_t>(c))) {
      chars.push_back(c);
    } else {
      chars.insert(chars.end(), parts, parts + count);
    }
  }
  const auto combining = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (auto it = chars.begin(); it != chars.end();) {
    if (combining(*it) == 0) {
      ++it;
      continue;
    }
    const auto run = std::find_if(it, chars.end(), [&](utf8proc_int32_t c) { return combining(c) == 0; });
    std::stable_sort(it, run, [&](utf8proc_int32_t a, utf8proc_int32_t b) { return combining(a) < combining(b); });
    it = run;
  }
  if (compose) {
    const utf8proc_ssize_t count =
        utf8proc_normalize_utf32(chars.data(), static_cast<utf8proc_ssize_t>(chars.size()),
                                 static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
    if (count >= 0) chars.resize(static_cast<size_t>(count));
  }
  for (const utf8proc_int32_t c : chars) append_utf8(out, static_cast<char32_t>(c));
}

class UnicodeForm final : public Normalizer {
 public:
  UnicodeForm(bool compose, bool compat) : compose_(compose), compat_(compat) {}
  // ASCII never changes and never joins what is before it, so only the stretches between are looked at, each with the
  // ASCII character before it, to which a mark may attach.
  void apply(std::string& text, bool&) const override {
    if (is_ascii(text)) return;
    const auto ascii = [&](size_t i) { return static_cast<unsigned char>(text[i]) < 0x80; };
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    for (size_t pos = 0; pos < text.size();) {
      size_t end = pos;
      while (end < text.size() && ascii(end)) ++end;
      const size_t plain = end < text.size() && end > pos ? end - 1 : end;
      out.append(text, pos, plain - pos);
      while (end < text.size() && !ascii(end)) ++end;
      if (end > plain) normalize_stretch(std::string_view(text).substr(plain, end - plain), compose_, compat_, out);
      pos = end;
    }
    text = std::move(out);
  }

 private:
  const bool compose_, compat_;
};

// A rule per character: what it becomes is appended.
class CharMap final : public Normalizer {
 public:
  explicit CharMap(std::function<void(char32_t, std::string&)> rule) : rule_(std::move(rule)) {}
  void apply(std::string& text, bool& at_start) const override {
    std::string out;
    out.reserve(text.size());
    for (size_t pos = 0, length = 0; pos < text.size(); pos += length) {
      rule_(decode_utf8(text, pos, length), out);
      if (out.empty()) at_start = false;
    }
    text = std::move(out);
  }

 private:
  const std::function<void(char32_t, std::string&)> rule_;
};

void lowercase(char32_t c, std::string& out) {
  if (c == 0x130) {  // The one character whose lower case is two: i with a dot above.
    out += "i\xCC\x87";
    return;
  }
  append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

void strip_accent(char32_t c, std::string& out) {
  if ((char_class(c) & kMark) == 0) append_utf8(out, c);
}

// Sentencepiece's nmt rules: control characters go, odd spaces become spaces.
void nmt(char32_t c, std::string& out) {
  if ((c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F) return;
  const bool space = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                     c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  append_utf8(out, space ? U' ' : c);
}

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(std::string& text, bool& at_start) const override {
    size_t begin = 0, end = text.size(), length = 0;
    while (left_ && begin < end && is_space(decode_utf8(text, begin, length))) begin += length;
    while (right_ && end > begin && is_space(decode_utf8(text, previous_char(text, end), length))) end -= length;
    if (begin > 0) at_start = false;
    text = text.substr(begin, end - begin);
  }

 private:
  const bool left_, right_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void apply(std::string& text, bool&) const override {
    if (!text.empty()) text.insert(0, prefix_);
  }

 private:
  const std::string prefix_;
};

class Replace final : public Normalizer {
 public:
  Replace(TextPattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(std::string& text, bool&) const override { text = pattern_.replace_all(text, content_); }

 private:
  const TextPattern pattern_;
  const std::string content_;
};

class ByteChars final : public Normalizer {
 public:
  void apply(std::string& text, bool&) const override { text = bytes_to_chars(text); }
};

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(PrecompiledCharsmap map) : map_(std::move(map)) {}
  void apply(std::string& text, bool&) const override { text = map_.apply(text); }

 private:
  const PrecompiledCharsmap map_;
};

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> steps) : steps_(std::move(steps)) {}
  void apply(std::string& text, bool& at_start) const override {
    for (const auto& step : steps_) step->apply(text, at_start);
  }

 private:
  const std::vector<std::unique_ptr<Normalizer>> steps_;
};

using Parsed = Result<std::unique_ptr<Normalizer>>;

Parsed parse(const Json& spec, const std::string& key, int depth);

Parsed parse_sequence(const Json& spec, const std::string& key, int depth) {
  std::vector<std::unique_ptr<Normalizer>> steps;
  SERAPH_ASSIGN_OR_RETURN(const Json::Array* list, get_array(spec, "normalizers", key));
  for (size_t i = 0; i < list->size(); ++i) {
    SERAPH_ASSIGN_OR_RETURN(auto step, parse((*list)[i], key + ".normalizers[" + std::to_string(i) + "]", depth + 1));
    if (step != nullptr) steps.push_back(std::move(step));
  }
  if (steps.empty()) return Parsed(nullptr);
  return Parsed(std::make_unique<Sequence>(std::move(steps)));
}

Parsed parse(const Json& spec, const std::string& key, int depth) {
  if (spec.is_null()) return Parsed(nullptr);
  SERAPH_ASSIGN_OR_RETURN(const std::string type, get_type(spec, key, depth));
  if (type == "Sequence") return parse_sequence(spec, key, depth);
  if (type == "NFC") return Parsed(std::make_unique<UnicodeForm>(true, false));
  if (type == "NFKC") return Parsed(std::make_unique<UnicodeForm>(true, true));
  if (type == "NFD") return Parsed(std::make_unique<UnicodeForm>(false, false));
  if (type == "NFKD") return Parsed(std::make_unique<UnicodeForm>(false, true));
  if (type == "Lowercase") return Parsed(std::make_unique<CharMap>(lowercase));
  if (type == "StripAccents") return Parsed(std::make_unique<CharMap>(strip_accent));
  if (type == "Nmt") return Parsed(std::make_unique<CharMap>(nmt));
  if (type == "ByteLevel") return Parsed(std::make_unique<ByteChars>());
  if (type == "Strip") {
    return Parsed(std::make_unique<Strip>(get_bool(spec, "strip_left", true), get_bool(spec, "strip_right", true)));
  }
  if (type == "Prepend") {
    SERAPH_ASSIGN_OR_RETURN(std::string prefix, get_string(spec, "prepend", key));
    return Parsed(std::make_unique<Prepend>(std::move(prefix)));
  }
  if (type == "Replace") {
    SERAPH_ASSIGN_OR_RETURN(TextPattern pattern, parse_pattern(spec, key));
    SERAPH_ASSIGN_OR_RETURN(std::string content, get_string(spec, "content", key));
    return Parsed(std::make_unique<Replace>(std::move(pattern), std::move(content)));
  }
  if (type == "Precompiled") {
    SERAPH_ASSIGN_OR_RETURN(const std::string map, get_string(spec, "precompiled_charsmap", key));
    SERAPH_ASSIGN_OR_RETURN(PrecompiledCharsmap parsed, PrecompiledCharsmap::parse_base64(map));
    return Parsed(std::make_unique<Precompiled>(std::move(parsed)));
  }
  return unknown_type(type, key);
}

}  // namespace

Result<std::unique_ptr<Normalizer>> parse_normalizer(const Json& spec) { return parse(spec, "normalizer", 0); }

}  // namespace seraph::text
