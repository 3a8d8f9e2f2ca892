#include "engine/text/pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "engine/text/component_spec.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

using Piece = PieceList::Piece;

enum class Behavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Cuts one piece where a pattern matches; `parts` calls its argument with (begin, end, is_match) from left to right.
class Cutter {
 public:
  Cutter(Behavior behavior, bool invert, std::vector<Piece>& out) : behavior_(behavior), invert_(invert), out_(out) {}

  void begin_piece(const Piece& piece) {
    piece_ = piece;
    first_ = out_.size();
    after_match_ = false;
    any_ = false;
  }
  void part(size_t begin, size_t end, bool is_match) {
    is_match = is_match != invert_;
    begin += piece_.begin;
    end += piece_.begin;
    switch (behavior_) {
      case Behavior::kIsolated:
        push(begin, end);
        break;
      case Behavior::kRemoved:
        if (!is_match) push(begin, end);
        break;
      case Behavior::kMergedWithPrevious:
        if (is_match && !after_match_ && out_.size() > first_) {
          out_.back().end = end;
        } else {
          push(begin, end);
        }
        break;
      case Behavior::kMergedWithNext:
        // A match opens a piece that the following gap joins; a match after a match opens another one.
        if (!is_match && after_match_) {
          out_.back().end = end;
        } else {
          push(begin, end);
        }
        break;
      case Behavior::kContiguous:
        if (any_ && is_match == after_match_) {
          out_.back().end = end;
        } else {
          push(begin, end);
        }
        break;
    }
    any_ = true;
    after_match_ = is_match;
  }
  void end_piece() {
    const auto empty = [](const Piece& piece) { return piece.begin == piece.end; };
    out_.erase(std::remove_if(out_.begin() + static_cast<ptrdiff_t>(first_), out_.end(), empty), out_.end());
  }

 private:
  void push(size_t begin, size_t end) { out_.push_back({begin, end, piece_.at_start && begin == piece_.begin}); }

  const Behavior behavior_;
  const bool invert_;
  std::vector<Piece>& out_;
  Piece piece_ = {};
  size_t first_ = 0;
  bool after_match_ = false, any_ = false;
};

void cut_all(PieceList& list, Behavior behavior, bool invert, const auto& for_each_part) {
  list.scratch.clear();
  Cutter cutter(behavior, invert, list.scratch);
  for (const Piece& piece : list.pieces) {
    cutter.begin_piece(piece);
    for_each_part(list.text.substr(piece.begin, piece.end - piece.begin),
                  [&](size_t begin, size_t end, bool is_match) { cutter.part(begin, end, is_match); });
    cutter.end_piece();
  }
  list.pieces.swap(list.scratch);
}

// Rewrites every piece: `rewrite` appends the new text of a piece.
void rewrite_all(PieceList& list, const auto& rewrite) {
  std::string text;
  text.reserve(list.text.size() + list.text.size() / 4 + 8);
  for (Piece& piece : list.pieces) {
    const size_t begin = text.size();
    rewrite(list.text.substr(piece.begin, piece.end - piece.begin), piece.at_start, text);
    piece.begin = begin;
    piece.end = text.size();
  }
  list.storage = std::move(text);
  list.text = list.storage;
}

class Split final : public PreTokenizerStep {
 public:
  Split(TextPattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void apply(PieceList& list) const override {
    cut_all(list, behavior_, invert_,
            [&](std::string_view text, const auto& visit) { pattern_.for_each_part(text, visit); });
  }

 private:
  const TextPattern pattern_;
  const Behavior behavior_;
  const bool invert_;
};

// A pattern that is a question about single characters.
class SplitChars final : public PreTokenizerStep {
 public:
  using Predicate = bool (*)(char32_t);
  SplitChars(Predicate predicate, Behavior behavior) : predicate_(predicate), behavior_(behavior) {}
  void apply(PieceList& list) const override {
    cut_all(list, behavior_, false, [&](std::string_view text, const auto& visit) {
      size_t done = 0;
      for (size_t pos = 0, length = 0; pos < text.size(); pos += length) {
        if (!predicate_(decode_utf8(text, pos, length))) continue;
        if (pos > done) visit(done, pos, false);
        visit(pos, pos + length, true);
        done = pos + length;
      }
      if (done < text.size()) visit(done, text.size(), false);
    });
  }

 private:
  const Predicate predicate_;
  const Behavior behavior_;
};

// \w+|[^\w\s]+ : runs of word characters, runs of the rest, without the spaces.
class Whitespace final : public PreTokenizerStep {
 public:
  void apply(PieceList& list) const override {
    cut_all(list, Behavior::kRemoved, true, [](std::string_view text, const auto& visit) {
      const auto kind = [](char32_t c) { return is_word_char(c) ? 1 : is_space(c) ? 0 : 2; };
      for (size_t pos = 0, length = 0; pos < text.size();) {
        const int run = kind(decode_utf8(text, pos, length));
        size_t end = pos + length;
        while (end < text.size() && kind(decode_utf8(text, end, length)) == run) end += length;
        visit(pos, end, run != 0);
        pos = end;
      }
    });
  }
};

class Metaspace final : public PreTokenizerStep {
 public:
  enum class Scheme { kAlways, kFirst, kNever };
  Metaspace(std::string replacement, Scheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}
  void apply(PieceList& list) const override {
    rewrite_all(list, [&](std::string_view text, bool at_start, std::string& out) {
      const bool prefixed = text.starts_with(' ') || text.starts_with(replacement_);
      if (!prefixed && (scheme_ == Scheme::kAlways || (scheme_ == Scheme::kFirst && at_start))) out += replacement_;
      for (const char c : text) {
        if (c == ' ') {
          out += replacement_;
        } else {
          out += c;
        }
      }
    });
    if (!split_) return;
    const TextPattern pattern = TextPattern::literal(replacement_);
    cut_all(list, Behavior::kMergedWithNext, false,
            [&](std::string_view text, const auto& visit) { pattern.for_each_part(text, visit); });
  }

 private:
  const std::string replacement_;
  const Scheme scheme_;
  const bool split_;
};

class ByteLevel final : public PreTokenizerStep {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex, bool keep_bytes)
      : add_prefix_space_(add_prefix_space), use_regex_(use_regex), keep_bytes_(keep_bytes) {}
  void apply(PieceList& list) const override {
    if (add_prefix_space_) {
      rewrite_all(list, [](std::string_view text, bool, std::string& out) {
        if (!text.starts_with(' ')) out += ' ';
        out += text;
      });
    }
    if (use_regex_) {
      const TextPattern pattern = TextPattern::known(SplitPattern::kGpt2);
      cut_all(list, Behavior::kIsolated, false,
              [&](std::string_view text, const auto& visit) { pattern.for_each_part(text, visit); });
    }
    if (keep_bytes_) return;
    rewrite_all(list, [](std::string_view text, bool, std::string& out) { out += bytes_to_chars(text); });
  }

 private:
  const bool add_prefix_space_, use_regex_, keep_bytes_;
};

using Steps = std::vector<std::unique_ptr<PreTokenizerStep>>;

bool is_number(char32_t c) { return (char_class(c) & kNumber) != 0; }

bool is_punctuation(char32_t c) {
  return (char_class(c) & kPunctuation) != 0 || (c < 0x80 && (char_class(c) & kSymbol) != 0);
}

Result<Behavior> parse_behavior(const Json& spec, const std::string& key) {
  static constexpr std::pair<std::string_view, Behavior> kNames[] = {
      {"Isolated", Behavior::kIsolated},
      {"Removed", Behavior::kRemoved},
      {"MergedWithPrevious", Behavior::kMergedWithPrevious},
      {"MergedWithNext", Behavior::kMergedWithNext},
      {"Contiguous", Behavior::kContiguous}};
  SERAPH_ASSIGN_OR_RETURN(const std::string name, get_string(spec, "behavior", key));
  for (const auto& [known, behavior] : kNames) {
    if (name == known) return behavior;
  }
  return Error{ErrorCode::kCorrupt, key + ".behavior is \"" + name + "\", which no splitter knows"};
}

Result<std::unique_ptr<PreTokenizerStep>> parse_metaspace(const Json& spec, const std::string& key) {
  SERAPH_ASSIGN_OR_RETURN(std::string replacement, get_string(spec, "replacement", key));
  const Json* scheme = spec.find("prepend_scheme");
  const std::string name = scheme != nullptr && scheme->is_string()   ? scheme->as_string()
                           : get_bool(spec, "add_prefix_space", true) ? "always"
                                                                      : "never";
  if (name != "always" && name != "first" && name != "never") {
    return Error{ErrorCode::kCorrupt, key + ".prepend_scheme is \"" + name + "\", not always, first or never"};
  }
  const auto value = name == "always"  ? Metaspace::Scheme::kAlways
                     : name == "first" ? Metaspace::Scheme::kFirst
                                       : Metaspace::Scheme::kNever;
  std::unique_ptr<PreTokenizerStep> step =
      std::make_unique<Metaspace>(std::move(replacement), value, get_bool(spec, "split", true));
  return step;
}

Status parse_step(const Json& spec, const std::string& key, int depth, bool keep_bytes, Steps& steps, bool& bytes);

Status parse_sequence(const Json& spec, const std::string& key, int depth, bool keep_bytes, Steps& steps, bool& bytes) {
  SERAPH_ASSIGN_OR_RETURN(const Json::Array* list, get_array(spec, "pretokenizers", key));
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string name = key + ".pretokenizers[" + std::to_string(i) + "]";
    SERAPH_RETURN_IF_ERROR(parse_step((*list)[i], name, depth + 1, keep_bytes && i + 1 == list->size(), steps, bytes));
  }
  return {};
}

// `keep_bytes` says that this is the last step and the model takes bytes; `bytes` is set when a step made use of it.
Status parse_step(const Json& spec, const std::string& key, int depth, bool keep_bytes, Steps& steps, bool& bytes) {
  SERAPH_ASSIGN_OR_RETURN(const std::string type, get_type(spec, key, depth));
  if (type == "Sequence") return parse_sequence(spec, key, depth, keep_bytes, steps, bytes);
  if (type == "ByteLevel") {
    bytes = keep_bytes;
    steps.push_back(std::make_unique<ByteLevel>(get_bool(spec, "add_prefix_space", true),
                                                get_bool(spec, "use_regex", true), keep_bytes));
  } else if (type == "Split") {
    SERAPH_ASSIGN_OR_RETURN(TextPattern pattern, parse_pattern(spec, key));
    SERAPH_ASSIGN_OR_RETURN(const Behavior behavior, parse_behavior(spec, key));
    steps.push_back(std::make_unique<Split>(std::move(pattern), behavior, get_bool(spec, "invert", false)));
  } else if (type == "Metaspace") {
    SERAPH_ASSIGN_OR_RETURN(auto step, parse_metaspace(spec, key));
    steps.push_back(std::move(step));
  } else if (type == "Digits") {
    const bool each = get_bool(spec, "individual_digits", false);
    steps.push_back(std::make_unique<SplitChars>(is_number, each ? Behavior::kIsolated : Behavior::kContiguous));
  } else if (type == "Punctuation") {
    Behavior behavior = Behavior::kIsolated;
    if (spec.find("behavior") != nullptr) {
      SERAPH_ASSIGN_OR_RETURN(behavior, parse_behavior(spec, key));
    }
    steps.push_back(std::make_unique<SplitChars>(is_punctuation, behavior));
  } else if (type == "Whitespace") {
    steps.push_back(std::make_unique<Whitespace>());
  } else if (type == "WhitespaceSplit") {
    steps.push_back(std::make_unique<SplitChars>(is_space, Behavior::kRemoved));
  } else if (type == "BertPreTokenizer") {
    steps.push_back(std::make_unique<SplitChars>(is_space, Behavior::kRemoved));
    steps.push_back(std::make_unique<SplitChars>(is_punctuation, Behavior::kIsolated));
  } else if (type == "CharDelimiterSplit") {
    SERAPH_ASSIGN_OR_RETURN(std::string delimiter, get_string(spec, "delimiter", key));
    steps.push_back(std::make_unique<Split>(TextPattern::literal(std::move(delimiter)), Behavior::kRemoved, false));
  } else {
    return unknown_type(type, key);
  }
  return {};
}

}  // namespace

Result<PreTokenizer> PreTokenizer::parse(const Json& spec, bool allow_bytes) {
  PreTokenizer out;
  if (spec.is_null()) return out;
  SERAPH_RETURN_IF_ERROR(parse_step(spec, "pre_tokenizer", 0, allow_bytes, out.steps_, out.byte_level_));
  return out;
}

PreTokenizer PreTokenizer::metaspace(const std::string& scheme) {
  PreTokenizer out;
  const auto value = scheme == "always"  ? Metaspace::Scheme::kAlways
                     : scheme == "first" ? Metaspace::Scheme::kFirst
                                         : Metaspace::Scheme::kNever;
  out.steps_.push_back(std::make_unique<Metaspace>("\xE2\x96\x81", value, false));
  return out;
}

void PreTokenizer::apply(std::string_view text, bool at_start, PieceList& list) const {
  list.text = text;
  list.pieces.clear();
  list.pieces.push_back({0, text.size(), at_start});
  for (const auto& step : steps_) step->apply(list);
}

}  // namespace seraph::text
