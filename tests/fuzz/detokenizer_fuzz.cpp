// Any ids through every kind of decoder: the stream's text is UTF-8 and adds up to decode() of the whole.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/text/pipeline_tokenizer.h"
#include "engine/text/unicode_text.h"

namespace {

// A vocabulary of <0xHH>, printable byte stand-ins and a few words, under the decoder at hand.
std::string tokenizer_json(const std::string& decoder) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string vocab;
  int id = 0;
  const auto add = [&](const std::string& piece) {
    vocab += (id == 0 ? "" : ",") + seraph::Json(piece).dump() + ":" + std::to_string(id);
    ++id;
  };
  for (int byte = 0; byte < 256; ++byte) add(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
  for (int byte = 0; byte < 256; ++byte) add(seraph::text::bytes_to_chars(std::string(1, static_cast<char>(byte))));
  for (const char* word : {"\xE2\x96\x81", "\xE2\x96\x81\xE2\x96\x81the", "in</w>", "##ing", " ", "\xE4\xBD\xA0"})
    add(word);
  return R"({"added_tokens":[{"id":600,"content":"<s>","special":true},{"id":601,"content":"你好","special":false}],)"
         R"("model":{"type":"BPE","merges":[],"vocab":{)" +
         vocab + "}},\"decoder\":" + decoder + "}";
}

std::vector<std::unique_ptr<seraph::Tokenizer>> make_tokenizers() {
  std::vector<std::unique_ptr<seraph::Tokenizer>> out;
  for (const char* decoder :
       {"null", R"({"type":"ByteLevel"})", R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"always"})",
        R"({"type":"BPEDecoder","suffix":"</w>"})", R"({"type":"WordPiece","prefix":"##","cleanup":true})",
        R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},)"
        R"({"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]})"}) {
    auto loaded = seraph::text::parse_tokenizer_json(tokenizer_json(decoder), "fuzz", {});
    if (!loaded.ok()) __builtin_trap();
    out.push_back(std::move(*loaded));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto tokenizers = make_tokenizers();
  if (size == 0) return 0;
  std::vector<int32_t> ids;
  for (size_t i = 1; i + 1 < size; i += 2) ids.push_back((data[i] | (data[i + 1] << 8)) % 640 - 8);
  const bool skip = (data[0] & 1) != 0;
  for (const auto& tokenizer : tokenizers) {
    const std::string whole = tokenizer->decode(ids, skip);
    seraph::Detokenizer detokenizer(*tokenizer, skip);
    std::string streamed;
    for (const int32_t id : ids) {
      detokenizer.push(id, streamed);
      if (!seraph::text::is_valid_utf8(streamed)) __builtin_trap();
    }
    detokenizer.finish(streamed);
    // A run of byte tokens that is not UTF-8 as a whole shows its characters only in a stream.
    if (whole.find("\xEF\xBF\xBD") == std::string::npos && streamed != whole) __builtin_trap();
  }
  return 0;
}
