#include "engine/text/pipeline_tokenizer.h"

#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr size_t kIdleScratchMax = 16;            // more encode calls at once than that start with a cold cache
constexpr size_t kKeptScratchBytesMax = 8 << 20;  // buffers of a huge text are not kept

}  // namespace

struct PipelineTokenizer::Scratch {
  ModelScratch model;
  PieceList pieces;
  std::vector<TextSegment> raw, normalized;
  std::string sanitized, text;
};

class PipelineTokenizer::Stream final : public DecodeStream {
 public:
  Stream(const PipelineTokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens), chain_(tokenizer.decoder_.start()) {}
  void push(int32_t id, std::string& out) override {
    const AddedToken* added = tokenizer_.added_.find_id(id);
    if (added != nullptr && added->special && skip_special_tokens_) return;
    if (added == nullptr && !tokenizer_.vocabulary_->has(id)) return;
    chain_->push(added != nullptr ? std::string_view(added->shown) : tokenizer_.vocabulary_->piece(id), out);
  }
  void release(std::string& out) override { chain_->release(out); }
  void finish(std::string& out) override { chain_->finish(out); }
  void drop_held() override { chain_->drop_held(); }

 private:
  const PipelineTokenizer& tokenizer_;
  const bool skip_special_tokens_;
  const std::unique_ptr<DecodeChain> chain_;
};

PipelineTokenizer::PipelineTokenizer(PipelineParts parts, TokenizerConfig config, bool bos_eos_from_config)
    : TokenizerBase(std::move(config), std::move(parts.vocabulary)),
      model_(std::move(parts.model)),
      normalizer_(std::move(parts.normalizer)),
      pre_tokenizer_(std::move(parts.pre_tokenizer)),
      post_processor_(std::move(parts.post_processor)),
      decoder_(std::move(parts.decoder)),
      splits_special_tokens_(config_.get_flag("split_special_tokens", false)) {
  for (AddedToken& token : parts.added) added_.add(std::move(token));
  add_config_tokens([&](std::string& content) {
    bool at_start = true;
    if (normalizer_ != nullptr) normalizer_->apply(content, at_start);
  });
  if (!bos_eos_from_config) return;
  const int32_t bos = find_any(config_.token_named("bos_token")), eos = find_any(config_.token_named("eos_token"));
  post_processor_ = {};
  if (config_.get_flag("add_bos_token", false) && bos >= 0) post_processor_.before.push_back(bos);
  if (config_.get_flag("add_eos_token", false) && eos >= 0) post_processor_.after.push_back(eos);
}

PipelineTokenizer::~PipelineTokenizer() = default;

std::unique_ptr<PipelineTokenizer::Scratch> PipelineTokenizer::take_scratch() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto scratch = std::move(idle_.back());
      idle_.pop_back();
      return scratch;
    }
  }
  return std::make_unique<Scratch>();
}

void PipelineTokenizer::give_back(std::unique_ptr<Scratch> scratch) const {
  // All that grows with the text; the word cache has limits of its own.
  const auto bytes_of = [](const auto&... buffers) { return ((buffers.capacity() * sizeof(buffers[0])) + ...); };
  const PieceList& list = scratch->pieces;
  const ModelScratch& model = scratch->model;
  const size_t bytes = bytes_of(scratch->sanitized, scratch->text, scratch->raw, scratch->normalized, list.storage,
                                list.pieces, list.scratch, model.symbols, model.next, model.previous, model.ranks,
                                model.heap, model.path_scores, model.path_starts, model.path_ids);
  if (bytes > kKeptScratchBytesMax) return;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleScratchMax) idle_.push_back(std::move(scratch));
}

std::vector<int32_t> PipelineTokenizer::encode(std::string_view text, bool add_special_tokens,
                                               bool parse_special) const {
  std::vector<int32_t> out;
  if (add_special_tokens) out = post_processor_.before;
  auto scratch = take_scratch();
  text = make_valid_utf8(text, scratch->sanitized);
  parse_special = parse_special && !splits_special_tokens_;
  added_.split_raw(text, parse_special, scratch->raw);
  for (const TextSegment& segment : scratch->raw) {
    if (segment.id >= 0) {
      out.push_back(segment.id);
    } else {
      encode_segment(text.substr(segment.begin, segment.end - segment.begin), segment.begin == 0, parse_special,
                     *scratch, out);
    }
  }
  give_back(std::move(scratch));
  if (add_special_tokens) out.insert(out.end(), post_processor_.after.begin(), post_processor_.after.end());
  return out;
}

void PipelineTokenizer::encode_segment(std::string_view text, bool at_start, bool parse_special, Scratch& scratch,
                                       std::vector<int32_t>& out) const {
  if (normalizer_ != nullptr) {
    scratch.text = text;
    normalizer_->apply(scratch.text, at_start);
    text = scratch.text;
  }
  if (!added_.has_normalized()) return encode_text(text, at_start, scratch, out);
  added_.split_normalized(text, parse_special, scratch.normalized);
  for (const TextSegment& segment : scratch.normalized) {
    if (segment.id >= 0) {
      out.push_back(segment.id);
    } else {
      encode_text(text.substr(segment.begin, segment.end - segment.begin), at_start && segment.begin == 0, scratch,
                  out);
    }
  }
}

void PipelineTokenizer::encode_text(std::string_view text, bool at_start, Scratch& scratch,
                                    std::vector<int32_t>& out) const {
  if (text.empty()) return;
  PieceList& list = scratch.pieces;
  pre_tokenizer_.apply(text, at_start, list);
  for (const PieceList::Piece& piece : list.pieces) {
    model_->encode(list.text.substr(piece.begin, piece.end - piece.begin), scratch.model, out);
  }
}

std::unique_ptr<DecodeStream> PipelineTokenizer::start_decoding(bool skip_special_tokens) const {
  return std::make_unique<Stream>(*this, skip_special_tokens);
}

}  // namespace seraph::text
