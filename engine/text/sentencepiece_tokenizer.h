// tokenizer.model: sentencepiece's own library encodes; decoding is done here, because it must stream.
#pragma once

#include <memory>
#include <string>

#include "engine/text/sentencepiece_model.h"
#include "engine/text/tokenizer_parts.h"

namespace seraph::text {

/// Reads `bytes`, the contents of `path`. Classes that transformers converts to a pipeline (LlamaTokenizer,
/// GemmaTokenizer) are converted here too; the rest is the library's own view, cut at the config's tokens.
Result<std::unique_ptr<Tokenizer>> load_sentencepiece(std::string_view bytes, const std::string& path,
                                                      TokenizerConfig config);

}  // namespace seraph::text
