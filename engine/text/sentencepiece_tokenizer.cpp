#include "engine/text/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "engine/text/component_spec.h"
#include "engine/text/pipeline_tokenizer.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

using PieceType = SentencePieceModel::PieceType;

constexpr std::string_view kMetaspace = "\xE2\x96\x81";
constexpr size_t kMergeScanMax = 512;  // bytes of a piece whose splits are looked at for merges

class SentencePieceTokenizer final : public TokenizerBase {
 public:
  SentencePieceTokenizer(SentencePieceModel model, std::unique_ptr<sentencepiece::SentencePieceProcessor> processor,
                         std::unique_ptr<Vocabulary> vocabulary, TokenizerConfig config)
      : TokenizerBase(std::move(config), std::move(vocabulary)),
        model_(std::move(model)),
        processor_(std::move(processor)),
        splits_special_tokens_(config_.get_flag("split_special_tokens", false)) {
    add_config_tokens([](std::string&) {});
    const int32_t bos = find_any(config_.token_named("bos_token")), eos = find_any(config_.token_named("eos_token"));
    if (config_.get_flag("add_bos_token", false) && bos >= 0) before_.push_back(bos);
    if (config_.get_flag("add_eos_token", false) && eos >= 0) after_.push_back(eos);
  }

  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens, bool parse_special) const override {
    std::vector<int32_t> out;
    if (add_special_tokens) out = before_;
    std::string sanitized;
    text = make_valid_utf8(text, sanitized);
    std::vector<TextSegment> segments;
    added_.split_raw(text, parse_special && !splits_special_tokens_, segments);
    std::vector<int> ids;
    for (const TextSegment& segment : segments) {
      if (segment.id >= 0) {
        out.push_back(segment.id);
        continue;
      }
      ids.clear();
      // The library fails only for lack of a model, which loading has ruled out.
      if (!processor_->Encode({text.data() + segment.begin, segment.end - segment.begin}, &ids).ok()) continue;
      out.insert(out.end(), ids.begin(), ids.end());
    }
    if (add_special_tokens) out.insert(out.end(), after_.begin(), after_.end());
    return out;
  }

  std::unique_ptr<DecodeStream> start_decoding(bool skip_special_tokens) const override {
    return std::make_unique<Stream>(*this, skip_special_tokens);
  }

 private:
  // Control pieces are nothing, an unknown piece is " ⁇ ", byte runs are UTF-8 with a U+FFFD per bad byte, "▁" is a
  // space, and the text's first one (all first ones, when the model drops extra spaces) is not said.
  class Stream final : public DecodeStream {
   public:
    Stream(const SentencePieceTokenizer& tokenizer, bool skip_special_tokens)
        : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

    void push(int32_t id, std::string& out) override {
      if (const AddedToken* added = tokenizer_.added_.find_id(id)) {
        if (added->special && skip_special_tokens_) return;
        flush_bytes(out);
        append(added->shown, out);
        return;
      }
      if (id < 0 || static_cast<size_t>(id) >= tokenizer_.model_.pieces.size()) return;
      const SentencePieceModel::Piece& piece = tokenizer_.model_.pieces[static_cast<size_t>(id)];
      if (piece.type == PieceType::kByte) {
        push_byte(piece.text, out);
        return;
      }
      flush_bytes(out);
      if (piece.type == PieceType::kControl) return;
      if (piece.type == PieceType::kUnknown) return append(tokenizer_.model_.unk_surface, out);
      append_piece(piece.text, out);
    }
    void finish(std::string& out) override { flush_bytes(out); }
    void drop_held() override { bytes_.clear(); }

   private:
    void append(std::string_view text, std::string& out) {
      if (!text.empty()) at_start_ = false;
      out += text;
    }
    void append_piece(std::string_view text, std::string& out) {
      const SentencePieceModel& model = tokenizer_.model_;
      if (at_start_ && (model.add_dummy_prefix || model.remove_extra_whitespaces) && text.starts_with(kMetaspace)) {
        text.remove_prefix(kMetaspace.size());
        if (!model.remove_extra_whitespaces) at_start_ = false;
      }
      append(TextPattern::literal(std::string(kMetaspace)).replace_all(text, " "), out);
    }
    // A sequence that the next byte may complete is held; a byte that cannot be part of one is a U+FFFD by itself.
    void push_byte(std::string_view name, std::string& out) {
      bytes_ += static_cast<char>(
          std::strtol(std::string(name.substr(std::min<size_t>(3, name.size()))).c_str(), nullptr, 16));
      while (!bytes_.empty()) {
        std::string rest, text;
        append_lossy(rest, bytes_, text);
        if (rest == bytes_) return;  // sound so far
        const size_t length = utf8_length(static_cast<unsigned char>(bytes_[0]));
        if (length <= bytes_.size() && is_valid_utf8(std::string_view(bytes_).substr(0, length))) {
          append(std::string_view(bytes_).substr(0, length), out);
          bytes_.erase(0, length);
        } else {
          append(kReplacement, out);
          bytes_.erase(0, 1);
        }
      }
    }
    void flush_bytes(std::string& out) {
      for (size_t i = 0; i < bytes_.size(); ++i) append(kReplacement, out);
      bytes_.clear();
    }

    const SentencePieceTokenizer& tokenizer_;
    const bool skip_special_tokens_;
    std::string bytes_;     // an incomplete sequence, at most 3 bytes
    bool at_start_ = true;  // no text yet
  };

  const SentencePieceModel model_;
  const std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  const bool splits_special_tokens_;
  std::vector<int32_t> before_, after_;
};

// The merges that a list of pieces implies: every way to split a piece into two others, in the order of the joins' ids.
void add_merges(const Vocabulary& vocabulary, BpeModel& bpe) {
  struct Merge {
    int32_t joined, left, right;
    uint32_t left_chars, right_chars;
  };
  std::vector<Merge> merges;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view piece = vocabulary.piece(id);
    if (piece.size() > kMergeScanMax || !is_valid_utf8(piece)) continue;
    std::vector<size_t> starts;
    for (size_t at = 0; at < piece.size(); at += utf8_length(static_cast<unsigned char>(piece[at])))
      starts.push_back(at);
    for (size_t i = 1; i < starts.size(); ++i) {
      const int32_t left = vocabulary.find(piece.substr(0, starts[i])),
                    right = vocabulary.find(piece.substr(starts[i]));
      if (left < 0 || right < 0) continue;
      merges.push_back({id, left, right, static_cast<uint32_t>(i), static_cast<uint32_t>(starts.size() - i)});
    }
  }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tie(a.joined, a.left_chars, a.right_chars, a.left, a.right) <
           std::tie(b.joined, b.left_chars, b.right_chars, b.left, b.right);
  });
  bpe.reserve_merges(merges.size());
  for (const Merge& merge : merges) bpe.add_merge(vocabulary.piece(merge.left), vocabulary.piece(merge.right));
}

Result<std::unique_ptr<Tokenizer>> convert(const SentencePieceModel& model, std::unique_ptr<Vocabulary> vocabulary,
                                           TokenizerConfig config) {
  const bool gemma = config.tokenizer_class == "GemmaTokenizer";
  PipelineParts parts;
  parts.vocabulary = std::move(vocabulary);
  BpeOptions options{.byte_fallback = true, .fuse_unk = true};
  set_class_tokens(config, *parts.vocabulary, true);
  if (gemma) {
    options.unk_token = config.token_named("unk_token");
    SERAPH_ASSIGN_OR_RETURN(parts, make_gemma_pipeline(std::move(parts)));
  } else {
    SERAPH_ASSIGN_OR_RETURN(parts, make_llama_pipeline(config, std::move(parts)));
  }
  auto bpe = std::make_unique<BpeModel>(*parts.vocabulary, options);
  add_merges(*parts.vocabulary, *bpe);
  parts.model = std::move(bpe);
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    if (piece.type != PieceType::kControl && piece.type != PieceType::kUserDefined) continue;
    parts.added.push_back(
        {.content = piece.text, .id = static_cast<int32_t>(id), .special = piece.type == PieceType::kControl});
  }
  return std::unique_ptr<Tokenizer>(std::make_unique<PipelineTokenizer>(std::move(parts), std::move(config), true));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_sentencepiece(std::string_view bytes, const std::string& path,
                                                      TokenizerConfig config) {
  auto parsed = SentencePieceModel::parse(bytes);
  if (!parsed.ok()) {
    return Error{ErrorCode::kCorrupt, path + ": " + parsed.error().message, "copy the model's tokenizer.model again"};
  }
  SentencePieceModel& model = *parsed;
  auto vocabulary = std::make_unique<Vocabulary>();
  for (size_t id = 0; id < model.pieces.size(); ++id)
    vocabulary->insert(model.pieces[id].text, static_cast<int32_t>(id));
  const bool converted = config.tokenizer_class == "LlamaTokenizer" || config.tokenizer_class == "GemmaTokenizer";
  if (converted) return convert(model, std::move(vocabulary), std::move(config));
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  const auto status = processor->LoadFromSerializedProto({bytes.data(), bytes.size()});
  if (!status.ok()) return Error{ErrorCode::kCorrupt, path + ": sentencepiece refuses it: " + status.ToString()};
  return std::unique_ptr<Tokenizer>(std::make_unique<SentencePieceTokenizer>(std::move(model), std::move(processor),
                                                                             std::move(vocabulary), std::move(config)));
}

}  // namespace seraph::text
