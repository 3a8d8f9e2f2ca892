#include "engine/text/tokenizer.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <random>

#include "tests/engine/text/tokenizer_folder.h"

namespace seraph {
namespace {

using test::read_text;
using test::TokenizerFolder;

const std::string kGolden = SERAPH_TEST_DATA "/golden/tokenizers/";

std::unique_ptr<Tokenizer> load(const std::string& dir) {
  auto loaded = Tokenizer::load(dir);
  if (!loaded.ok()) ADD_FAILURE() << loaded.error().text();
  return loaded.ok() ? std::move(*loaded) : nullptr;
}

// A tokenizer.json of the given model and components in a folder of its own.
struct Written {
  TokenizerFolder folder;
  Result<std::unique_ptr<Tokenizer>> loaded;
  explicit Written(const std::string& json, const std::string& config = "") : loaded(Error{}) {
    folder.write("tokenizer.json", json);
    if (!config.empty()) folder.write("tokenizer_config.json", config);
    loaded = Tokenizer::load(folder.path());
  }
};

// Vocabulary "a".."z", "▁", the merges a+b, ab+c; options are spliced into the model.
std::string small_bpe(const std::string& options, const std::string& components) {
  std::string vocab = R"("▁":26,"ab":27,"abc":28,"<unk>":29)";
  for (int i = 0; i < 26; ++i) vocab += ",\"" + std::string(1, static_cast<char>('a' + i)) + "\":" + std::to_string(i);
  return R"({"model":{"type":"BPE","vocab":{)" + vocab + R"(},"merges":["a b",["ab","c"]])" + options + "}" +
         components + "}";
}

TEST(Tokenizer, TheMemoryOfAHugeTextIsGivenBack) {
  Written written(small_bpe("", ""));
  ASSERT_TRUE(written.loaded.ok());
  const auto allocated = [] {
    const struct mallinfo2 info = mallinfo2();  // zeros under a sanitizer's allocator
    return static_cast<int64_t>(info.uordblks + info.hblkhd);
  };
  const std::string text(7 << 20, 'a');  // the text itself is below what is kept, its symbols are far above
  const int64_t before = allocated();
  EXPECT_EQ((*written.loaded)->encode(text, false).size(), text.size());
  EXPECT_LT(allocated() - before, 16 << 20);
}

TEST(Tokenizer, SmallGoldenFilesGiveTheRecordedIdsAndTexts) {
  for (const char* name : {"qwen2", "llama3", "llama2", "gemma", "unigram_bytes", "added_kinds", "tekken"}) {
    const auto tokenizer = load(kGolden + name);
    ASSERT_NE(tokenizer, nullptr);
    std::istringstream lines(read_text(kGolden + name + "/truth.jsonl"));
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const auto record = Json::parse(line);
      ASSERT_TRUE(record.ok());
      std::vector<int32_t> ids;
      for (const Json& id : record->find("ids")->as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
      EXPECT_EQ(tokenizer->encode(record->find("text")->as_string(), true), ids) << name << " " << line;
      EXPECT_EQ(tokenizer->decode(ids, false), record->find("decoded")->as_string()) << name << " " << line;
    }
    EXPECT_GT(count, 10) << name;
  }
}

TEST(Tokenizer, StreamsOfRandomIdsAddUpToDecode) {
  std::mt19937 random(7);
  int compared = 0;
  for (const char* name : {"qwen2", "llama2", "gemma", "unigram_bytes", "tekken"}) {
    const auto tokenizer = load(kGolden + name);
    ASSERT_NE(tokenizer, nullptr);
    std::uniform_int_distribution<int32_t> pick(-2, tokenizer->vocab_size() + 2);
    for (int round = 0; round < 300; ++round) {
      std::vector<int32_t> ids(static_cast<size_t>(random() % 40));
      for (int32_t& id : ids) id = pick(random);
      const bool skip = round % 2 == 0;
      Detokenizer detokenizer(*tokenizer, skip);
      std::string text;
      for (const int32_t id : ids) detokenizer.push(id, text);
      detokenizer.finish(text);
      const std::string whole = tokenizer->decode(ids, skip);
      // A run of byte tokens that is not UTF-8 as a whole shows its characters only in a stream.
      if (whole.find("\xEF\xBF\xBD") != std::string::npos) continue;
      ++compared;
      EXPECT_EQ(text, whole) << name;
    }
  }
  EXPECT_GT(compared, 100);
}

TEST(Tokenizer, CharactersOfByteTokensComeOutOfAStreamAtOnce) {
  const auto tokenizer = load(kGolden + "llama2");
  ASSERT_NE(tokenizer, nullptr);
  const auto byte = [&](const char* piece) { return tokenizer->find_piece(piece); };
  ASSERT_GE(byte("<0x0A>"), 0);
  Detokenizer detokenizer(*tokenizer, false);
  std::string text;
  detokenizer.push(byte("<0x0A>"), text);
  EXPECT_EQ(text, "\n");
  detokenizer.push(byte("<0xC3>"), text);
  EXPECT_EQ(text, "\n");
  detokenizer.push(byte("<0xA9>"), text);
  EXPECT_EQ(text, "\n\xC3\xA9");
  detokenizer.push(byte("<0xFF>"), text);
  detokenizer.push(byte("<0x41>"), text);
  EXPECT_EQ(text,
            "\n\xC3\xA9\xEF\xBF\xBD"
            "A");
}

TEST(Tokenizer, AWordAfterAPromptKeepsItsSpace) {
  const auto tokenizer = load(kGolden + "llama2");
  ASSERT_NE(tokenizer, nullptr);
  const auto ids = tokenizer->encode("the", false);
  Detokenizer fresh(*tokenizer, true), primed(*tokenizer, true);
  std::string first, second;
  for (const int32_t id : ids) fresh.push(id, first);
  primed.prime(tokenizer->encode("a prompt", true));
  for (const int32_t id : ids) primed.push(id, second);
  fresh.finish(first);
  primed.finish(second);
  EXPECT_EQ(first, "the");
  EXPECT_EQ(second, " the");
}

TEST(Tokenizer, IncompleteUtf8IsHeldUntilItIsCertain) {
  const auto tokenizer = load(kGolden + "qwen2");
  ASSERT_NE(tokenizer, nullptr);
  const auto ids = tokenizer->encode("\xF0\x9F\x9B\x9C", false);  // no merge makes this emoji
  ASSERT_GT(ids.size(), 1u);
  Detokenizer detokenizer(*tokenizer, false);
  std::string text;
  for (size_t i = 0; i + 1 < ids.size(); ++i) detokenizer.push(ids[i], text);
  EXPECT_EQ(text, "");
  Detokenizer cut(*tokenizer, false);
  std::string rest;
  cut.push(ids[0], rest);
  cut.finish(rest);
  EXPECT_EQ(rest, "\xEF\xBF\xBD");
  detokenizer.push(ids.back(), text);
  EXPECT_EQ(text, "\xF0\x9F\x9B\x9C");
}

TEST(Tokenizer, SpecialTokensInTextAreTextWhenTheCallerSaysSo) {
  const auto tokenizer = load(kGolden + "qwen2");
  ASSERT_NE(tokenizer, nullptr);
  const int32_t end = tokenizer->find_piece("<|im_end|>");
  ASSERT_GE(end, 0);
  EXPECT_TRUE(tokenizer->is_special(end));
  EXPECT_EQ(tokenizer->encode("<|im_end|>", false), std::vector<int32_t>{end});
  const auto plain = tokenizer->encode("<|im_end|>", false, false);
  EXPECT_GT(plain.size(), 1u);
  EXPECT_EQ(tokenizer->decode(plain, true), "<|im_end|>");
}

TEST(Tokenizer, InvalidUtf8IsReadAsReplacementCharacters) {
  const auto tokenizer = load(kGolden + "qwen2");
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\xFF\xE4\xBD", false), false), "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Tokenizer, IdsBeyondTheVocabularyAreSkipped) {
  const auto tokenizer = load(kGolden + "qwen2");
  ASSERT_NE(tokenizer, nullptr);
  auto ids = tokenizer->encode("hello", false);
  ids.insert(ids.begin(), {-1, 1'000'000});
  ids.push_back(tokenizer->vocab_size());
  EXPECT_EQ(tokenizer->decode(ids, false), "hello");
  EXPECT_EQ(tokenizer->piece(-1), "");
  EXPECT_EQ(tokenizer->piece(tokenizer->vocab_size()), "");
  EXPECT_EQ(tokenizer->find_piece("no such piece"), -1);
}

TEST(Tokenizer, AMegabyteWithoutASpaceTakesNoQuadraticTime) {
  const auto tokenizer = load(kGolden + "qwen2");
  ASSERT_NE(tokenizer, nullptr);
  const auto start = std::chrono::steady_clock::now();
  const std::string word(1 << 20, 'a'), spaces(1 << 20, ' '), marks = [] {
    std::string text = "a";
    while (text.size() < (1 << 20)) text += "\xCC\x81\xCC\xA3";  // two marks whose order normalisation turns around
    return text;
  }();
  EXPECT_GT(tokenizer->encode(word, false).size(), 0u);
  EXPECT_GT(tokenizer->encode(spaces, false).size(), 0u);
  EXPECT_GT(tokenizer->encode(marks, false).size(), 0u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(Tokenizer, ConfigSpellingOfAnIdInsideTheVocabularyWins) {
  const Written written(small_bpe("", R"(,"added_tokens":[])"),
                        R"({"added_tokens_decoder":{"25":{"content":"<|end|>","special":true},)"
                        R"("90":{"content":"<|new|>","special":true}},"eos_token":"<|end|>"})");
  ASSERT_TRUE(written.loaded.ok()) << written.loaded.error().text();
  const Tokenizer& tokenizer = **written.loaded;
  EXPECT_EQ(tokenizer.encode("abc<|end|>a", true), (std::vector<int32_t>{28, 25, 0}));
  EXPECT_EQ(tokenizer.piece(25), "<|end|>");
  EXPECT_EQ(tokenizer.find_piece("z"), -1);
  EXPECT_TRUE(tokenizer.is_special(25));
  EXPECT_EQ(tokenizer.find_piece("<|new|>"), 30) << "an id beyond the vocabulary becomes the next free one";
  EXPECT_EQ(tokenizer.special_tokens().find("eos_token")->as_string(), "<|end|>");
}

TEST(Tokenizer, MarkersNamedByGenerationConfigAreSpecial) {
  TokenizerFolder folder;
  folder.write("tokenizer.json", small_bpe("", ""));
  folder.write("generation_config.json", R"({"user_token_id": 27})");
  const auto tokenizer = load(folder.path());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_TRUE(tokenizer->is_special(27));
}

TEST(Tokenizer, ChatTemplateComesFromTheFileElseTheConfig) {
  TokenizerFolder folder;
  folder.write("tokenizer.json", small_bpe("", ""));
  folder.write("tokenizer_config.json",
               R"({"chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"T"}]})");
  auto tokenizer = load(folder.path());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->chat_template(false), "D");
  EXPECT_EQ(tokenizer->chat_template(true), "T");
  folder.write("chat_template.jinja", "J");
  tokenizer = load(folder.path());
  EXPECT_EQ(tokenizer->chat_template(true), "J");
}

TEST(Tokenizer, SpecialTokensMapFillsWhatTheConfigLacks) {
  TokenizerFolder folder;
  folder.write("tokenizer.json", small_bpe("", ""));
  folder.write("tokenizer_config.json", R"({"eos_token": {"content": "y"}, "bos_token": null})");
  folder.write("special_tokens_map.json", R"({"eos_token": "z", "bos_token": "q", "pad_token": {"content": "x"}})");
  const auto tokenizer = load(folder.path());
  ASSERT_NE(tokenizer, nullptr);
  const Json& tokens = tokenizer->special_tokens();
  EXPECT_EQ(tokens.find("eos_token")->as_string(), "y");
  EXPECT_EQ(tokens.find("pad_token")->as_string(), "x");
  EXPECT_EQ(tokens.find("bos_token"), nullptr);
  EXPECT_EQ(tokenizer->eos_id(), tokenizer->find_piece("y"));
}

TEST(Tokenizer, BrokenFilesNameFileAndKey) {
  const std::pair<std::string, std::string> cases[] = {
      {"{", "tokenizer.json is not JSON"},
      {"[]", "not a JSON object"},
      {"{}", "model is not an object"},
      {R"({"model":{"type":"WordPiece","vocab":{}}})", "model.type is \"WordPiece\""},
      {R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})", "model.vocab[\"a\"]"},
      {R"({"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}})", "gives id 0"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})", "model.merges[0]"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[7]}})", "model.merges[0]"},
      {R"({"model":{"type":"Unigram","vocab":[["a"]]}})", "model.vocab[0]"},
      {R"({"model":{"type":"Unigram","vocab":[["a",0.5]],"unk_id":9}})", "model.unk_id"},
      {small_bpe("", R"(,"normalizer":{"type":"Sequence","normalizers":[{"type":"Odd"}]})"),
       "normalizer.normalizers[0]"},
      {small_bpe("", R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"})"),
       "pre_tokenizer.pattern"},
      {small_bpe("", R"(,"decoder":{"kind":1})"), "decoder"},
      {small_bpe("", R"(,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}]})"),
       "post_processor.special_tokens"},
      {small_bpe("", R"(,"added_tokens":[{"content":"x"}])"), "added_tokens[0]"}};
  for (const auto& [json, want] : cases) {
    const Written written(json);
    ASSERT_FALSE(written.loaded.ok()) << json;
    EXPECT_NE(written.loaded.error().message.find(want), std::string::npos) << written.loaded.error().message;
    EXPECT_NE(written.loaded.error().message.find("tokenizer.json"), std::string::npos);
  }
  TokenizerFolder empty;
  const auto missing = Tokenizer::load(empty.path());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  empty.write("tokenizer.model", "\x0A\xFF\xFF");
  const auto broken = Tokenizer::load(empty.path());
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, ErrorCode::kCorrupt);
  empty.write("tokenizer.model", "IQ== 0\nIg== 1\n");
  EXPECT_EQ(Tokenizer::load(empty.path()).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace seraph
