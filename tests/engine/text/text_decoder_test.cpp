#include "engine/text/text_decoder.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

std::string decode(const std::string& spec, const std::vector<std::string>& tokens) {
  auto decoder = TextDecoder::parse(*Json::parse(spec));
  if (!decoder.ok()) return "error: " + decoder.error().message;
  std::string out;
  const auto chain = decoder->start();
  for (const auto& token : tokens) chain->push(token, out);
  chain->finish(out);
  return out;
}

const std::string kLlama =
    R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"_"},"content":" "},)"
    R"({"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})";

TEST(TextDecoder, ByteRunsAreTextOrAReplacementPerByte) {
  EXPECT_EQ(decode(kLlama, {"_a", "<0xC3>", "<0xA9>", "_b"}), "a\xC3\xA9 b");
  EXPECT_EQ(decode(kLlama, {"<0xC3>", "<0xA9>", "<0xFF>", "b"}),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "b");
}

TEST(TextDecoder, StripTakesOneSpaceOffTheWholeText) {
  EXPECT_EQ(decode(kLlama, {"_", "_a"}), " a");
  const std::string both =
      R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"x","start":1,"stop":2}]})";
  EXPECT_EQ(decode(both, {"x", "xa", "x", "xx"}), "xax");
}

TEST(TextDecoder, SuffixesAndPrefixesMakeSpaces) {
  EXPECT_EQ(decode(R"({"type":"BPEDecoder","suffix":"</w>"})", {"hi</w>", "yo", "u</w>"}), "hi you");
  EXPECT_EQ(decode(R"({"type":"WordPiece","prefix":"##","cleanup":true})", {"go", "##ing", "."}), "going.");
  EXPECT_EQ(decode(R"({"type":"Metaspace","replacement":"_","prepend_scheme":"first"})", {"_a", "_b"}), "a b");
  EXPECT_EQ(decode("null", {"a", "b"}), "a b");
}

TEST(TextDecoder, ByteLevelTakesForeignTokensAsTheyAre) {
  EXPECT_EQ(decode(R"({"type":"ByteLevel"})", {"\xC4\xA0"
                                               "a",
                                               "\xE4\xBD\xA0", "\xC3\x83"}),
            " a\xE4\xBD\xA0\xEF\xBF\xBD");
}

TEST(TextDecoder, DecodersBehindAFuseThatNeedTokensAreRefused) {
  const std::string spec = R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"ByteLevel"}]})";
  EXPECT_NE(decode(spec, {}).find("decoder.decoders[1]"), std::string::npos);
}

}  // namespace
}  // namespace seraph::text
