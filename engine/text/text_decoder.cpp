#include "engine/text/text_decoder.h"

#include <functional>
#include <optional>
#include <utility>

#include "engine/text/component_spec.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581

// No decoder at all: tokens with spaces between.
class JoinStep final : public DecodeStep {
 public:
  void push(std::string_view token, Next& next) override {
    if (any_) next.emit(" ");
    any_ = true;
    next.emit(token);
  }

 private:
  bool any_ = false;
};

class ByteLevelStep final : public DecodeStep {
 public:
  // A token with a character outside the alphabet (an added token) stands for its own UTF-8 bytes.
  void push(std::string_view token, Next& next) override {
    bytes_.clear();
    if (!append_chars_as_bytes(token, bytes_)) bytes_ = token;
    text_.clear();
    append_lossy(pending_, bytes_, text_);
    if (!text_.empty()) next.emit(text_);
  }
  void finish(Next& next) override {
    text_.clear();
    finish_lossy(pending_, text_);
    if (!text_.empty()) next.emit(text_);
  }
  void drop_held() override { pending_.clear(); }

 private:
  std::string pending_, bytes_, text_;
};

std::optional<char> parse_byte_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  const int high = digit(token[3]), low = digit(token[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

// Runs of <0xHH>: the run as text if it is UTF-8, else one U+FFFD for each of its bytes. The fate of the whole run
// hangs on its last byte, so it is held until it ends or its characters are wanted as they come.
class ByteFallbackStep final : public DecodeStep {
 public:
  void push(std::string_view token, Next& next) override {
    if (const auto byte = parse_byte_token(token)) {
      run_ += *byte;
      return;
    }
    finish(next);
    next.emit(token);
  }
  void release(Next& next) override {
    std::string text, incomplete;
    append_lossy(incomplete, run_, text);
    if (text.empty()) return;
    next.emit(text);
    run_ = std::move(incomplete);
  }
  void finish(Next& next) override {
    if (run_.empty()) return;
    if (is_valid_utf8(run_)) {
      next.emit(run_);
    } else {
      for (size_t i = 0; i < run_.size(); ++i) next.emit(kReplacement);
    }
    run_.clear();
  }
  void drop_held() override { run_.clear(); }

 private:
  std::string run_;
};

class ReplaceStep final : public DecodeStep {
 public:
  ReplaceStep(const TextPattern& pattern, const std::string& content) : pattern_(pattern), content_(content) {}
  void push(std::string_view token, Next& next) override {
    std::string text(token);
    try {
      text = pattern_.replace_all(token, content_);
    } catch (const PatternLimit&) {
      // A token that the pattern gives up on stays as it is: an answer that runs has nobody to complain to.
    }
    next.emit(text);
  }

 private:
  const TextPattern& pattern_;
  const std::string& content_;
};

// Takes up to `start` characters `content` off the front and up to `stop` off the back: of the whole text when a Fuse
// came before, else of every token.
class StripStep final : public DecodeStep {
 public:
  StripStep(const std::string& content, int64_t start, int64_t stop, bool fused)
      : content_(content), start_(start), stop_(stop), fused_(fused) {}
  void push(std::string_view token, Next& next) override {
    if (!fused_) {
      left_ = start_;
      trim_front(token);
      for (int64_t i = 0; i < stop_ && token.ends_with(content_); ++i) token.remove_suffix(content_.size());
      next.emit(token);
      return;
    }
    trim_front(token);
    if (token.empty()) return;
    left_ = 0;
    // What may be the end of the text is held: at most `stop` characters.
    size_t tail = 0;
    int64_t count = 0;
    while (token.substr(0, token.size() - tail).ends_with(content_)) {
      tail += content_.size();
      ++count;
    }
    if (tail < token.size()) {
      let_go(held_, next);
      next.emit(token.substr(0, token.size() - tail));
    }
    held_ += count;
    if (held_ > stop_) let_go(held_ - stop_, next);
  }
  void finish(Next& next) override {
    if (held_ > stop_) let_go(held_ - stop_, next);
    held_ = 0;
  }
  void drop_held() override { held_ = 0; }

 private:
  void trim_front(std::string_view& token) {
    while (left_ > 0 && token.starts_with(content_)) {
      token.remove_prefix(content_.size());
      --left_;
    }
  }
  void let_go(int64_t count, Next& next) {
    for (int64_t i = 0; i < count; ++i) next.emit(content_);
    held_ -= count;
  }

  const std::string& content_;
  const int64_t start_, stop_;
  const bool fused_;
  int64_t left_ = start_;  // may still be taken off the front
  int64_t held_ = 0;       // characters `content` at the end of the text so far
};

class MetaspaceStep final : public DecodeStep {
 public:
  MetaspaceStep(const std::string& replacement, bool strips_first, bool fused)
      : replacement_(replacement), strips_first_(strips_first), fused_(fused) {}
  void push(std::string_view token, Next& next) override {
    const bool strip = strips_first_ && (first_ || fused_);
    first_ = false;
    next.emit(TextPattern::literal(replacement_).replace_all(token, strip ? "" : " "));
  }

 private:
  const std::string& replacement_;
  const bool strips_first_, fused_;
  bool first_ = true;
};

class WordPieceStep final : public DecodeStep {
 public:
  WordPieceStep(const std::string& prefix, bool cleanup) : prefix_(prefix), cleanup_(cleanup) {}
  void push(std::string_view token, Next& next) override {
    std::string text(token);
    if (!first_) {
      if (!prefix_.empty() && token.starts_with(prefix_)) {
        text = token.substr(prefix_.size());
      } else {
        text.insert(0, " ");
      }
    }
    first_ = false;
    if (cleanup_) tidy(text);
    next.emit(text);
  }

 private:
  static void tidy(std::string& text) {
    static constexpr std::pair<const char*, const char*> kRules[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : kRules) text = TextPattern::literal(from).replace_all(text, to);
  }

  const std::string& prefix_;
  const bool cleanup_;
  bool first_ = true;
};

// A word's last token carries the suffix, which becomes a space, but not at the end of the text: one token is held.
class BpeSuffixStep final : public DecodeStep {
 public:
  explicit BpeSuffixStep(const std::string& suffix) : suffix_(suffix) {}
  void push(std::string_view token, Next& next) override {
    if (held_) next.emit(TextPattern::literal(suffix_).replace_all(*held_, " "));
    held_ = token;
  }
  void finish(Next& next) override {
    if (held_) next.emit(TextPattern::literal(suffix_).replace_all(*held_, ""));
    held_.reset();
  }
  void drop_held() override { held_.reset(); }

 private:
  const std::string& suffix_;
  std::optional<std::string> held_;
};

template <typename Make>
class MakeFactory final : public TextDecoder::Factory {
 public:
  explicit MakeFactory(Make make) : make_(std::move(make)) {}
  std::unique_ptr<DecodeStep> make() const override { return make_(); }

 private:
  const Make make_;
};

using Factories = std::vector<std::unique_ptr<TextDecoder::Factory>>;

template <typename Make>
void add(Factories& factories, Make make) {
  factories.push_back(std::make_unique<MakeFactory<Make>>(std::move(make)));
}

Status parse_replace(const Json& spec, const std::string& key, bool fused, Factories& factories) {
  SERAPH_ASSIGN_OR_RETURN(TextPattern pattern, parse_pattern(spec, key));
  SERAPH_ASSIGN_OR_RETURN(std::string content, get_string(spec, "content", key));
  // Behind a Fuse the pattern could span tokens; a single character cannot.
  const std::string& literal = pattern.literal_text();
  if (fused && (literal.empty() || utf8_length(static_cast<unsigned char>(literal[0])) < literal.size())) {
    return Error{ErrorCode::kUnsupported, key + " is a Replace of more than one character behind a Fuse"};
  }
  const auto shared =
      std::make_shared<const std::pair<TextPattern, std::string>>(std::move(pattern), std::move(content));
  add(factories, [shared] { return std::make_unique<ReplaceStep>(shared->first, shared->second); });
  return {};
}

Status parse_strip(const Json& spec, const std::string& key, bool fused, Factories& factories) {
  SERAPH_ASSIGN_OR_RETURN(std::string content, get_string(spec, "content", key));
  const int64_t start = get_int(spec, "start", 0), stop = get_int(spec, "stop", 0);
  if (content.empty() || start < 0 || stop < 0) {
    return Error{ErrorCode::kCorrupt, key + " needs a content, and start and stop that are not negative"};
  }
  const auto shared = std::make_shared<const std::string>(std::move(content));
  add(factories, [=] { return std::make_unique<StripStep>(*shared, start, stop, fused); });
  return {};
}

// `fused` says that a Fuse came before: the steps behind it see one token, which arrives in parts.
Status parse_step(const Json& spec, const std::string& key, int depth, bool& fused, Factories& factories) {
  SERAPH_ASSIGN_OR_RETURN(const std::string type, get_type(spec, key, depth));
  const bool whole = fused;
  if (type == "Sequence") {
    SERAPH_ASSIGN_OR_RETURN(const Json::Array* list, get_array(spec, "decoders", key));
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string name = key + ".decoders[" + std::to_string(i) + "]";
      SERAPH_RETURN_IF_ERROR(parse_step((*list)[i], name, depth + 1, fused, factories));
    }
    return {};
  }
  if (type == "Fuse") {
    fused = true;
    return {};
  }
  if (type == "Replace") return parse_replace(spec, key, fused, factories);
  if (type == "Strip") return parse_strip(spec, key, fused, factories);
  if (type == "Metaspace") {
    const Json* scheme = spec.find("prepend_scheme");
    const bool strips = scheme != nullptr && scheme->is_string() ? scheme->as_string() != "never"
                                                                 : get_bool(spec, "add_prefix_space", true);
    const Json* text = spec.find("replacement");
    const auto replacement =
        std::make_shared<const std::string>(text != nullptr && text->is_string() ? text->as_string() : kMetaspace);
    add(factories, [=] { return std::make_unique<MetaspaceStep>(*replacement, strips, whole); });
    return {};
  }
  if (fused) return Error{ErrorCode::kUnsupported, key + " has type \"" + type + "\" behind a Fuse"};
  if (type == "ByteLevel") {
    add(factories, [] { return std::make_unique<ByteLevelStep>(); });
  } else if (type == "ByteFallback") {
    add(factories, [] { return std::make_unique<ByteFallbackStep>(); });
  } else if (type == "WordPiece") {
    SERAPH_ASSIGN_OR_RETURN(std::string prefix, get_string(spec, "prefix", key));
    const auto shared = std::make_shared<const std::string>(std::move(prefix));
    const bool cleanup = get_bool(spec, "cleanup", true);
    add(factories, [=] { return std::make_unique<WordPieceStep>(*shared, cleanup); });
  } else if (type == "BPEDecoder") {
    SERAPH_ASSIGN_OR_RETURN(std::string suffix, get_string(spec, "suffix", key));
    const auto shared = std::make_shared<const std::string>(std::move(suffix));
    add(factories, [=] { return std::make_unique<BpeSuffixStep>(*shared); });
  } else {
    return unknown_type(type, key);
  }
  return {};
}

}  // namespace

void DecodeStep::Next::emit(std::string_view token) { chain_.feed(index_, token, out_); }

void DecodeChain::feed(size_t index, std::string_view token, std::string& out) {
  if (index == steps_.size()) {
    out += token;
    return;
  }
  DecodeStep::Next next(*this, index + 1, out);
  steps_[index]->push(token, next);
}

void DecodeChain::release(std::string& out) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    DecodeStep::Next next(*this, i + 1, out);
    steps_[i]->release(next);
  }
}

void DecodeChain::finish(std::string& out) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    DecodeStep::Next next(*this, i + 1, out);
    steps_[i]->finish(next);
  }
}

void DecodeChain::drop_held() {
  for (const auto& step : steps_) step->drop_held();
}

Result<TextDecoder> TextDecoder::parse(const Json& spec) {
  TextDecoder out;
  if (spec.is_null()) {
    add(out.factories_, [] { return std::make_unique<JoinStep>(); });
    return out;
  }
  bool fused = false;
  SERAPH_RETURN_IF_ERROR(parse_step(spec, "decoder", 0, fused, out.factories_));
  return out;
}

std::unique_ptr<DecodeChain> TextDecoder::start() const {
  std::vector<std::unique_ptr<DecodeStep>> steps;
  for (const auto& factory : factories_) steps.push_back(factory->make());
  return std::make_unique<DecodeChain>(std::move(steps));
}

}  // namespace seraph::text
