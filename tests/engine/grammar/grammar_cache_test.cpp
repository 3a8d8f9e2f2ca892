#include "engine/grammar/grammar_cache.h"

#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(GrammarCacheTest, CompilesEqualConstraintsOnceAndForgetsTheOldest) {
  GrammarCache cache(TokenTable::from_bytes({"a", "b", "ab"}), 20'000);
  int compiles = 0;
  const auto find = [&](const std::string& pattern) {
    return cache.find_or_compile("regex:" + pattern, [&] {
      ++compiles;
      return compile_regex(pattern);
    });
  };
  ASSERT_TRUE(find("a+").ok());
  ASSERT_TRUE(find("a+").ok());
  EXPECT_EQ(compiles, 1);
  EXPECT_FALSE(find("(").ok());
  for (int i = 1; i < 200; ++i) ASSERT_TRUE(find("b{" + std::to_string(i) + "}").ok());
  EXPECT_LE(cache.bytes(), 20'000u);
  const int before = compiles;
  ASSERT_TRUE(find("a+").ok());
  EXPECT_EQ(compiles, before + 1);
}

}  // namespace
}  // namespace seraph
