#include "daemon/api/adapters.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "tests/daemon/api/fake_store.h"

namespace seraph {
namespace {

/// Folders as versions of what is in them; 0: a broken one.
class Folders {
 public:
  Result<std::shared_ptr<const Adapter>> read(const std::string& dir, const Adapter* known) {
    ++num_reads;
    const auto found = versions.find(dir);
    if (found == versions.end()) return Error{ErrorCode::kNotFound, "there is no adapter in " + dir};
    if (found->second == 0) return Error{ErrorCode::kCorrupt, dir + " is broken", "mend it"};
    Adapter adapter{.rank = 8, .version = found->second};
    adapter.id = known != nullptr && known->version == adapter.version ? known->id : ++last_id;
    return std::make_shared<const Adapter>(std::move(adapter));
  }

  std::map<std::string, uint64_t> versions;
  int num_reads = 0;
  uint64_t last_id = 0;
};

class Registry : public testing::Test {
 protected:
  Registry() { folders_.versions = {{"/a", 1}, {"/b", 2}, {"/c", 3}, {"/broken", 0}}; }

  AdapterRegistry make(int32_t resident_max = 8) {
    return AdapterRegistry(
        {.read = [this](const std::string& dir, const Adapter* known) { return folders_.read(dir, known); },
         .base_names = {"base"},
         .resident_max = resident_max,
         .store = &store_});
  }

  static void expect_error(const std::optional<ApiError>& error, int status, const std::string& type,
                           const std::string& words) {
    ASSERT_TRUE(error) << words;
    EXPECT_EQ(error->status, status);
    EXPECT_EQ(error->type, type);
    EXPECT_NE(error->message.find(words), std::string::npos) << error->message;
  }

  Folders folders_;
  FakeStore store_;
};

TEST_F(Registry, WhatIsLoadedIsServedAndRemembered) {
  AdapterRegistry registry = make();
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, false));
  ASSERT_FALSE(registry.load({.name = "b", .path = "/b", .base_model_name = "parent"}, false));
  EXPECT_TRUE(registry.has("a"));
  EXPECT_EQ(registry.list()[1].base_model_name, "parent");
  EXPECT_EQ(registry.acquire("b").value()->version, 2U);
  EXPECT_EQ(store_.adapters, (std::map<std::string, std::string>{{"a", "/a"}, {"b", "/b"}}));
  ASSERT_FALSE(registry.unload("a"));
  EXPECT_FALSE(registry.has("a"));
  EXPECT_EQ(registry.acquire("a").value(), nullptr);
  EXPECT_EQ(store_.adapters.size(), 1U);
}

TEST_F(Registry, RefusalsUseTheWordsThatClientsKnow) {
  AdapterRegistry registry = make();
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, false));
  expect_error(registry.load({.name = "", .path = "/a"}, false), 400, "InvalidUserInput", "must be provided");
  expect_error(registry.load({.name = "x", .path = ""}, false), 400, "InvalidUserInput", "must be provided");
  expect_error(registry.load({.name = "a", .path = "/b"}, false), 400, "InvalidUserInput", "already been loaded");
  expect_error(registry.load({.name = "base", .path = "/b"}, true), 400, "InvalidUserInput", "conflicts with a served");
  expect_error(registry.load({.name = "x", .path = "/no"}, false), 404, "NotFoundError", "No adapter found for /no");
  expect_error(registry.load({.name = "x", .path = "/broken"}, false), 400, "BadRequestError", "mend it");
  expect_error(registry.load({.name = std::string(300, 'x'), .path = "/a"}, false), 400, "InvalidUserInput", "256");
  expect_error(registry.load({.name = "a\nb", .path = "/a"}, false), 400, "InvalidUserInput", "control");
  expect_error(registry.unload(""), 400, "InvalidUserInput", "needs to be provided");
  expect_error(registry.unload("base"), 404, "NotFoundError", "cannot be found");
  EXPECT_EQ(registry.list().size(), 1U);
  EXPECT_EQ(store_.adapters.size(), 1U);
}

TEST_F(Registry, AnAdapterThatCannotBeRememberedIsNotServed) {
  AdapterRegistry registry = make();
  store_.disk = Error{ErrorCode::kIo, "the disk is full"};
  expect_error(registry.load({.name = "a", .path = "/a"}, false), 500, "InternalServerError", "disk is full");
  EXPECT_FALSE(registry.has("a"));
  store_.disk = {};
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, false));
  store_.disk = Error{ErrorCode::kIo, "the disk is full"};
  EXPECT_TRUE(registry.unload("a"));
  EXPECT_TRUE(registry.has("a"));
}

TEST_F(Registry, LoadedInPlaceItIsANewVersionForLaterRequests) {
  AdapterRegistry registry = make();
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, false));
  const auto first = registry.acquire("a").value();
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, true));
  EXPECT_EQ(registry.acquire("a").value()->id, first->id) << "the same files are the same version";
  folders_.versions["/a"] = 9;
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, true));
  EXPECT_NE(registry.acquire("a").value()->id, first->id);
  EXPECT_EQ(registry.list().size(), 1U);
}

TEST_F(Registry, TheLeastRecentlyNamedIsReadAgainWhenItIsNamed) {
  AdapterRegistry registry = make(2);
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_FALSE(registry.load({.name = name, .path = std::string("/") + name}, false));
  }
  EXPECT_EQ(folders_.num_reads, 3);
  const uint64_t id = registry.acquire("b").value()->id;
  EXPECT_EQ(folders_.num_reads, 3);
  EXPECT_EQ(registry.acquire("a").value()->version, 1U);  // makes c leave
  EXPECT_EQ(registry.acquire("b").value()->id, id);
  EXPECT_EQ(folders_.num_reads, 4);
  EXPECT_EQ(registry.acquire("c").value()->id, 3U) << "the same version as before";
  EXPECT_EQ(folders_.num_reads, 5);
}

TEST_F(Registry, AFolderThatChangedMeanwhileIsAnErrorNotAnotherAnswer) {
  AdapterRegistry registry = make(1);
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, false));
  ASSERT_FALSE(registry.load({.name = "b", .path = "/b"}, false));
  folders_.versions["/a"] = 7;
  const auto changed = registry.acquire("a");
  ASSERT_FALSE(changed.ok());
  EXPECT_NE(changed.error().text().find("load_inplace"), std::string::npos);
  ASSERT_FALSE(registry.load({.name = "a", .path = "/a"}, true));
  EXPECT_EQ(registry.acquire("a").value()->version, 7U);
}

TEST_F(Registry, AtTheStartTheCommandLineComesFirst) {
  store_.kept_adapters = {{.name = "a", .path = "/c"},
                          {.name = "old", .path = "/b"},
                          {.name = "gone", .path = "/no"},
                          {.name = "base", .path = "/b"}};
  AdapterRegistry registry = make();
  ASSERT_TRUE(registry.load_initial({{.name = "a", .path = "/a"}}).ok());
  ASSERT_EQ(registry.list().size(), 2U);
  EXPECT_EQ(registry.acquire("a").value()->version, 1U);
  EXPECT_EQ(registry.acquire("old").value()->version, 2U);
}

TEST_F(Registry, AWrongAdapterOfTheCommandLineEndsTheStart) {
  EXPECT_FALSE(make().load_initial({{.name = "x", .path = "/broken"}}).ok());
  EXPECT_FALSE(make().load_initial({{.name = "base", .path = "/a"}}).ok());
}

TEST_F(Registry, ManyThreadsMayNameWhatOthersLoadAndUnload) {
  folders_.versions.clear();
  AdapterRegistry registry(
      {.read = [](const std::string& dir, const Adapter*) -> Result<std::shared_ptr<const Adapter>> {
         return std::make_shared<const Adapter>(Adapter{.id = dir.size(), .version = dir.size()});
       },
       .resident_max = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&registry] {
      for (int i = 0; i < 300; ++i) {
        const size_t length = 1 + static_cast<size_t>(i) % 4;
        const auto adapter = registry.acquire(std::string(length, 'n'));
        ASSERT_TRUE(adapter.ok());
        if (*adapter != nullptr) {
          EXPECT_EQ((*adapter)->version, length);
        }
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    const std::string name(1 + static_cast<size_t>(i) % 4, 'n');
    if (registry.has(name)) {
      EXPECT_FALSE(registry.unload(name));
    } else {
      EXPECT_FALSE(registry.load({.name = name, .path = name}, false));
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace seraph
