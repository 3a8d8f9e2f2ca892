// Any bytes as tokenizer.json: loading ends with a tokenizer or an error, and what loads encodes and decodes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/pipeline_tokenizer.h"
#include "engine/text/regex.h"
#include "engine/text/sentencepiece_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > (1 << 16)) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const bool sentencepiece = !bytes.empty() && bytes[0] == '\n';  // the first field of every ModelProto
  seraph::text::TokenizerConfig config;
  if (sentencepiece) config.tokenizer_class = "LlamaTokenizer";
  auto loaded = sentencepiece ? seraph::text::load_sentencepiece(bytes, "fuzz", std::move(config))
                              : seraph::text::parse_tokenizer_json(bytes, "fuzz", std::move(config));
  if (!loaded.ok()) return 0;
  const seraph::Tokenizer& tokenizer = **loaded;
  const std::string_view text = bytes.substr(0, 256);
  std::vector<int32_t> ids;
  try {
    ids = tokenizer.encode(text, true);
  } catch (const seraph::text::PatternLimit&) {
    return 0;
  }
  const std::string whole = tokenizer.decode(ids, false);
  seraph::Detokenizer detokenizer(tokenizer, false);
  std::string streamed;
  for (const int32_t id : ids) detokenizer.push(id, streamed);
  detokenizer.finish(streamed);
  // A run of byte tokens that is not UTF-8 as a whole shows its characters only in a stream.
  if (whole.find("\xEF\xBF\xBD") == std::string::npos && streamed != whole) __builtin_trap();
  return 0;
}
