// Recorded constraints with texts: nothing invalid is accepted, what must be accepted is, and hostile specifications
// end in time. Also the recorded token masks of a vocabulary of 151,665 tokens.
#include <openssl/sha.h>

#include <filesystem>
#include <iostream>

#include "engine/grammar/failure.h"
#include "tests/engine/grammar/grammar_support.h"
#include "tests/engine/text/tokenizer_folder.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

std::string golden_dir() {
  const char* dir = std::getenv("SERAPH_GOLDEN_DIR");
  return dir != nullptr ? std::string(dir) : std::string(SERAPH_SOURCE_DIR "/../shared/golden");
}

/// The cases of a file; empty when the folder is not there.
Json::Array read_cases(const std::string& name) {
  const auto file = Json::parse_file(golden_dir() + "/grammar/" + name);
  if (!file.ok()) return {};
  const Json* cases = file->find("cases");
  return (cases != nullptr ? cases : file->find("groups"))->as_array();
}

bool is_true(const Json& object, const char* name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

Result<GrammarPtr> compile_case(const Json& c) {
  if (const Json* schema_text = c.find("schema")) return compile_json_schema_text(schema_text->as_string());
  if (const Json* pattern = c.find("regex")) return compile_regex(pattern->as_string());
  if (const Json* source = c.find("grammar")) return compile_ebnf(source->as_string());
  if (const Json* tag = c.find("structural_tag")) return compile_structural_tag(*tag);
  std::vector<std::string> choices;
  for (const Json& choice : c.find("choices")->as_array()) choices.push_back(choice.as_string());
  return compile_choice(choices);
}

/// The files whose texts are judged by `valid`; `exact` where valid texts must be accepted too.
void check_file(const std::string& name, bool exact) {
  const Json::Array cases = read_cases(name);
  if (cases.empty()) GTEST_SKIP() << "no " << name;
  size_t texts = 0, refused = 0;
  for (const Json& c : cases) {
    const auto compiled_case = compile_case(c);
    if (!compiled_case.ok()) {
      ++refused;
      continue;
    }
    for (const Json& t : c.find("tests")->as_array()) {
      const Json* valid = t.find("valid");
      if (valid == nullptr || !valid->is_bool()) continue;
      ++texts;
      const bool accepted = accepts(*compiled_case, t.find("text")->as_string());
      if (!valid->as_bool()) {
        EXPECT_FALSE(accepted) << c.dump().substr(0, 300) << " <- " << t.find("text")->as_string();
      }
      if (exact && valid->as_bool()) {
        EXPECT_TRUE(accepted) << c.dump().substr(0, 300) << " <- " << t.find("text")->as_string();
      }
    }
  }
  std::cout << name << ": " << texts << " texts of " << cases.size() << " constraints, " << refused << " refused\n";
}

TEST(ConstraintsGoldenTest, Regexes) { check_file("regex.json", true); }
TEST(ConstraintsGoldenTest, Grammars) { check_file("ebnf.json", true); }
TEST(ConstraintsGoldenTest, Choices) { check_file("choice.json", true); }
TEST(ConstraintsGoldenTest, StructuralTags) { check_file("structural_tag.json", true); }
TEST(ConstraintsGoldenTest, Schemas) { check_file("schemas.json", false); }

TEST(ConstraintsGoldenTest, SchemaTestSuiteHasNothingWronglyAccepted) {
  for (const char* name : {"suite_draft2020-12.json", "suite_draft2020-12_second_half.json", "suite_draft7.json",
                           "suite_draft7_second_half.json"}) {
    if (std::filesystem::exists(golden_dir() + "/grammar/" + name)) check_file(name, false);
  }
}

TEST(ConstraintsGoldenTest, SchemasAcceptWhatTheyMust) {
  size_t texts = 0;
  size_t missing = 0;
  for (const Json& c : read_cases("schemas.json")) {
    if (is_true(c, "may_refuse")) continue;
    const auto grammar = compile_case(c);
    for (const Json& t : c.find("tests")->as_array()) {
      const Json* expect = t.find("expect");
      if (expect == nullptr || expect->as_string() != "accept") continue;
      ++texts;
      if (grammar.ok() && accepts(*grammar, t.find("text")->as_string())) continue;
      ++missing;
      std::cout << "not accepted: " << c.find("schema")->as_string().substr(0, 120) << " <- "
                << t.find("text")->as_string() << "\n";
    }
  }
  EXPECT_EQ(missing, 0u) << texts;
}

/// The text of an adversarial case: pieces are texts, or a list that says how to repeat one.
std::string expand_pieces(const Json& pieces) {
  std::string out;
  const auto numbered = [](const std::string& pattern, int64_t first, int64_t rest) {
    std::string text;
    bool is_first = true;
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == '%' && i + 1 < pattern.size() && pattern[i + 1] == 'd') {
        text += std::to_string(is_first ? first : rest);
        is_first = false;
        ++i;
      } else {
        text.push_back(pattern[i]);
      }
    }
    return text;
  };
  for (const Json& piece : pieces.as_array()) {
    if (piece.is_string()) {
      out += piece.as_string();
      continue;
    }
    const Json::Array& list = piece.as_array();
    const std::string& how = list[0].as_string();
    const std::string separator = list.size() > 3 ? list[3].as_string() : "";
    for (int64_t i = 0; i < list[2].as_int(); ++i) {
      if (i > 0) out += separator;
      out += how == "repeat" ? list[1].as_string() : numbered(list[1].as_string(), i, how == "count" ? i : i + 1);
    }
  }
  return out;
}

TEST(ConstraintsGoldenTest, HostileSpecificationsEndInTime) {
  const Json::Array cases = read_cases("adversarial.json");
  if (cases.empty()) GTEST_SKIP() << "no adversarial.json";
  int64_t worst_us = 0;
  for (const Json& c : cases) {
    const std::string spec = expand_pieces(*c.find("pieces"));
    const std::string& kind = c.find("kind")->as_string();
    const int64_t begin = grammar::thread_cpu_us();
    const auto grammar = kind == "json"    ? compile_json_schema_text(spec)
                         : kind == "regex" ? compile_regex(spec)
                                           : compile_ebnf(spec);
    worst_us = std::max(worst_us, grammar::thread_cpu_us() - begin);
    const std::string& outcome = c.find("expect")->find("outcome")->as_string();
    if (outcome != "either") {
      EXPECT_EQ(grammar.ok(), outcome == "ok") << c.find("name")->as_string();
    }
  }
  std::cout << cases.size() << " specifications, the slowest took " << worst_us / 1000 << " ms\n";
  EXPECT_LT(worst_us, 1'000'000);  // a loaded machine; the limits themselves are tested elsewhere
}

std::string hash_of_mask(const std::vector<uint32_t>& words) {
  std::vector<int32_t> ids;
  for (size_t id = 0; id < words.size() * 32; ++id) {
    if ((words[id / 32] >> (id % 32) & 1) != 0) ids.push_back(static_cast<int32_t>(id));
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(ids.data()), ids.size() * sizeof(int32_t), digest);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

TEST(ConstraintsGoldenTest, MasksAreExact) {
  const Json::Array cases = read_cases("masks.json");
  const std::string folder = golden_dir() + "/tokenizers/qwen2_5/";
  TokenizerFolder files;
  const bool unpacked = !cases.empty() && files.unpack(folder + "tokenizer.json.xz", "tokenizer.json") &&
                        files.unpack(folder + "tokenizer_config.json.xz", "tokenizer_config.json");
  if (!unpacked) GTEST_SKIP() << "no masks.json or no tokenizer";
  const auto tokenizer = Tokenizer::load(files.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  const auto table = TokenTable::from_tokenizer(**tokenizer);
  const int32_t end_id = 151645;
  std::vector<uint32_t> words(table->mask_words());
  size_t steps = 0;
  for (const Json& c : cases) {
    const std::string &kind = c.find("kind")->as_string(), &spec = c.find("spec")->as_string();
    const auto grammar = kind == "json"    ? compile_json_schema_text(spec)
                         : kind == "regex" ? compile_regex(spec)
                                           : compile_ebnf(spec);
    ASSERT_TRUE(grammar.ok()) << grammar.error().text();
    Matcher matcher(std::make_shared<TokenMasks>(*grammar, table));
    const Json::Array& ids = c.find("token_ids")->as_array();
    size_t taken = 0;
    for (const Json& step : c.find("steps")->as_array()) {
      while (static_cast<int64_t>(taken) < step.find("prefix_tokens")->as_int()) {
        ASSERT_TRUE(matcher.accept_token(static_cast<int32_t>(ids[taken++].as_int())));
      }
      matcher.fill_mask(words, std::span(&end_id, 1));
      EXPECT_EQ(hash_of_mask(words), step.find("sha256")->as_string())
          << c.find("name")->as_string() << ": " << step.find("prefix")->as_string();
      ++steps;
    }
  }
  std::cout << steps << " masks\n";
}

}  // namespace
}  // namespace seraph
