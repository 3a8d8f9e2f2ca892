// What lies beside the tokenizer in a model's folder: tokenizer_config.json, special_tokens_map.json,
// added_tokens.json, generation_config.json and the chat template, read the way transformers 5 does.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/text/added_tokens.h"

namespace seraph::text {

struct TokenizerConfig {
  bool exists = false;                   // there is a tokenizer_config.json
  std::string tokenizer_class;           // without a trailing "Fast"; "" when not given
  std::string model_type;                // config.json's
  Json root;                             // tokenizer_config.json, null when absent
  Json special_tokens = Json::Object{};  // by name, as strings: what templates see
  std::vector<AddedToken> decoder;       // added_tokens_decoder by id, with the ids that the file wants
  std::vector<AddedToken> named;         // bos_token ... and additional specials, ids unset
  std::vector<std::pair<std::string, int32_t>> slow_added;  // added_tokens.json
  std::vector<int32_t> marker_ids;                          // ids that generation_config.json names as chat markers
  std::string template_default, template_tools;

  /// Reads the folder. Absent files are fine; broken ones are errors that name file and key.
  static Result<TokenizerConfig> read(const std::string& dir);

  bool get_flag(std::string_view name, bool fallback) const;
  bool has(std::string_view name) const { return root.find(name) != nullptr; }
  /// A named special token ("bos_token"), "" when there is none.
  std::string token_named(std::string_view name) const;
  /// Sets a special token that the class defines and the file does not mention (null in the file stays null).
  void set_default_token(std::string_view name, std::string_view content);
};

}  // namespace seraph::text
