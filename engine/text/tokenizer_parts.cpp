#include "engine/text/tokenizer_parts.h"

#include <algorithm>

namespace seraph::text {
namespace {

bool same_flags(const AddedToken& a, const AddedToken& b) {
  return a.special == b.special && a.lstrip == b.lstrip && a.rstrip == b.rstrip && a.single_word == b.single_word &&
         a.normalized == b.normalized;
}

bool is_named(const Json& special_tokens, const std::string& content) {
  const auto& names = special_tokens.as_object();
  return std::any_of(names.begin(), names.end(), [&](const Json::Member& member) {
    return member.second.is_string() && member.second.as_string() == content;
  });
}

// Classes that transformers builds anew from the vocabulary: their named tokens become special whatever the file says.
bool rebuilds_tokens(const std::string& tokenizer_class) {
  return tokenizer_class == "LlamaTokenizer" || tokenizer_class == "GemmaTokenizer" ||
         tokenizer_class == "Qwen2Tokenizer";
}

}  // namespace

TokenizerBase::TokenizerBase(TokenizerConfig config, std::unique_ptr<Vocabulary> vocabulary)
    : config_(std::move(config)), vocabulary_(std::move(vocabulary)) {}

std::string TokenizerBase::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string out;
  const auto stream = start_decoding(skip_special_tokens);
  for (const int32_t id : ids) stream->push(id, out);
  stream->finish(out);
  return out;
}

std::string_view TokenizerBase::piece(int32_t id) const {
  const AddedToken* added = added_.find_id(id);
  return added != nullptr ? std::string_view(added->shown) : vocabulary_->piece(id);
}

int32_t TokenizerBase::find_any(std::string_view content) const {
  const AddedToken* added = added_.find(content);
  return added != nullptr ? added->id : vocabulary_->find(content);
}

int32_t TokenizerBase::find_piece(std::string_view piece) const { return find_any(piece); }

bool TokenizerBase::is_special(int32_t id) const {
  const AddedToken* added = added_.find_id(id);
  return added != nullptr && added->special;
}

bool TokenizerBase::is_added(int32_t id) const { return added_.find_id(id) != nullptr; }

int32_t TokenizerBase::next_free_id() const {
  int32_t next = vocabulary_->size();
  for (const AddedToken& token : added_.all()) next = std::max(next, token.id + 1);
  return next;
}

void TokenizerBase::add_from_decoder(const AddedToken& wanted) {
  AddedToken token = wanted;
  const AddedToken* present = added_.find(wanted.content);
  if (present != nullptr && same_flags(*present, wanted)) return;
  token.id = find_any(wanted.content);
  if (token.id < 0 && vocabulary_->has(wanted.id) && added_.find_id(wanted.id) == nullptr) {
    vocabulary_->rename(wanted.id, wanted.content);
    token.id = wanted.id;
  }
  if (token.id < 0) token.id = next_free_id();
  if (is_named(config_.special_tokens, token.content)) token.special = true;
  added_.add(std::move(token));
}

void TokenizerBase::add_named(const AddedToken& wanted) {
  const AddedToken* present = added_.find(wanted.content);
  AddedToken token = present != nullptr ? *present : wanted;
  if (present != nullptr) {
    const bool named = config_.tokenizer_class == "Qwen2Tokenizer" || is_named(config_.special_tokens, wanted.content);
    if (!rebuilds_tokens(config_.tokenizer_class) || !named) return;
  } else {
    token.id = find_any(wanted.content);
    if (token.id < 0) token.id = next_free_id();
  }
  token.special = true;
  added_.add(std::move(token));
}

void TokenizerBase::add_markers() {
  std::vector<int32_t> ids = config_.marker_ids;
  if (config_.tokenizer_class == "BaichuanTokenizer") {  // its user and assistant markers are only known by their ids
    for (const std::string_view name : {"<reserved_106>", "<reserved_107>"}) ids.push_back(vocabulary_->find(name));
  }
  for (const int32_t id : ids) {
    if (!vocabulary_->has(id) || added_.find_id(id) != nullptr) continue;
    added_.add({.content = std::string(vocabulary_->piece(id)), .id = id, .special = true});
  }
}

void TokenizerBase::add_config_tokens(const std::function<void(std::string&)>& normalize) {
  for (const AddedToken& token : config_.decoder) add_from_decoder(token);
  for (const AddedToken& token : config_.named) add_named(token);
  add_markers();
  vocab_size_ = next_free_id();
  added_.freeze(normalize);
}

}  // namespace seraph::text
