#include "daemon/api/response_store.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/daemon/api/fake_store.h"

namespace seraph {
namespace {

ResponseRow row(const std::string& owner, const std::string& id, const std::string& body = "{}") {
  return {.owner = owner, .id = id, .body = body, .messages = "[]"};
}

TEST(ResponseStoreTest, FindsOnlyForTheOwner) {
  ResponseStore store({}, nullptr);
  store.put(row("a", "resp_1", "{\"of\":\"a\"}"));
  store.put(row("b", "resp_1", "{\"of\":\"b\"}"));
  EXPECT_EQ(store.find("a", "resp_1")->body, "{\"of\":\"a\"}");
  EXPECT_EQ(store.find("", "resp_1"), nullptr);
  EXPECT_FALSE(store.erase("c", "resp_1"));
  EXPECT_TRUE(store.erase("a", "resp_1"));
  EXPECT_EQ(store.find("a", "resp_1"), nullptr);
  EXPECT_NE(store.find("b", "resp_1"), nullptr);
}

TEST(ResponseStoreTest, TheOldestGiveWayToCountAndBytes) {
  FakeStore database;
  ResponseStore store({.responses_max = 20, .bytes_max = 160}, &database);
  for (char id = 'a'; id <= 'v'; ++id) EXPECT_TRUE(store.put(row("", std::string(1, id))));
  EXPECT_EQ(store.find("", "b"), nullptr);
  EXPECT_NE(store.find("", "c"), nullptr);
  EXPECT_EQ(database.deleted, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(store.bytes(), 100);
  for (char id = 'A'; id <= 'P'; ++id) EXPECT_TRUE(store.put(row("", std::string(1, id), "{    }")));
  EXPECT_LE(store.bytes(), 160);
  EXPECT_NE(store.find("", "P"), nullptr);
  const size_t saved = database.saved.size();
  EXPECT_FALSE(store.put(row("", "5", std::string(50, 'x'))));
  EXPECT_EQ(store.find("", "5"), nullptr) << "one response may not push all others out";
  EXPECT_EQ(database.saved.size(), saved);
}

TEST(ResponseStoreTest, ReplacesAnIdAndBeginsWithWhatTheFileHolds) {
  FakeStore database;
  database.kept = {row("o", "old")};
  ResponseStore store({}, &database);
  EXPECT_NE(store.find("o", "old"), nullptr);
  store.put(row("o", "old", "[1]"));
  EXPECT_EQ(store.find("o", "old")->body, "[1]");
  EXPECT_EQ(store.bytes(), 9);
}

TEST(ResponseStoreTest, NobodyPushesOutWhatAnotherKeyStored) {
  ResponseStore store({.responses_max = 4, .bytes_max = 1600}, nullptr);
  store.put(row("quiet", "1"));
  for (int i = 0; i < 10; ++i) store.put(row("loud", std::to_string(i)));
  EXPECT_NE(store.find("quiet", "1"), nullptr);
  EXPECT_EQ(store.find("loud", "6"), nullptr);
  EXPECT_NE(store.find("loud", "7"), nullptr);

  ResponseStore large({.responses_max = 100, .bytes_max = 1600}, nullptr);
  large.put(row("quiet", "1"));
  for (int i = 0; i < 50; ++i) large.put(row("loud", std::to_string(i), std::string(80, 'x')));
  EXPECT_NE(large.find("quiet", "1"), nullptr);
  EXPECT_LE(large.bytes(), 1600);
  EXPECT_NE(large.find("loud", "49"), nullptr);
}

}  // namespace
}  // namespace seraph
