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
  ResponseStore store({.responses_max = 2, .bytes_max = 40}, &database);
  store.put(row("", "1"));
  store.put(row("", "2"));
  store.put(row("", "3"));
  EXPECT_EQ(store.find("", "1"), nullptr);
  EXPECT_EQ(database.deleted, (std::vector<std::string>{"/1"}));
  store.put(row("", "4", std::string(34, 'x')));
  EXPECT_EQ(store.find("", "3"), nullptr);
  EXPECT_EQ(store.bytes(), 37);
  store.put(row("", "5", std::string(50, 'x')));
  EXPECT_EQ(store.find("", "5"), nullptr) << "larger than everything";
  EXPECT_NE(store.find("", "4"), nullptr);
  EXPECT_EQ(database.saved, (std::vector<std::string>{"1", "2", "3", "4"}));
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

}  // namespace
}  // namespace seraph
