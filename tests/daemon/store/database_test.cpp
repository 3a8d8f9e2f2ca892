#include "daemon/store/database.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/daemon/store/temp_file.h"

namespace seraph {
namespace {

/// Runs SQL with a connection of its own; the first column of the first row.
std::string sql(const std::string& path, const char* text) {
  sqlite3* handle = nullptr;
  sqlite3_open(path.c_str(), &handle);
  std::string result;
  const auto collect = [](void* out, int, char** values, char**) {
    auto& first = *static_cast<std::string*>(out);
    if (first.empty() && values[0]) first = values[0];
    return 0;
  };
  char* error = nullptr;
  sqlite3_exec(handle, text, collect, &result, &error);
  if (error) result = error;
  sqlite3_free(error);
  sqlite3_close(handle);
  return result;
}

void write_file(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

void expect_error(const std::string& path, ErrorCode code, const char* part) {
  const Result<std::unique_ptr<Database>> result = Database::open(path);
  ASSERT_FALSE(result.ok()) << part;
  EXPECT_EQ(result.error().code, code) << result.error().text();
  EXPECT_NE(result.error().text().find(part), std::string::npos) << result.error().text();
  EXPECT_NE(result.error().text().find(path), std::string::npos) << result.error().text();
  EXPECT_NE(result.error().text().find("--db"), std::string::npos) << result.error().text();
}

TEST(Database, CreatesAPrivateFileWithItsSchema) {
  const TempFile file;
  {
    const Result<std::unique_ptr<Database>> database = Database::open(file.path());
    ASSERT_TRUE(database.ok()) << database.error().text();
  }
  struct stat info {};
  ASSERT_EQ(stat(file.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(sql(file.path(), "PRAGMA user_version"), "3");
  EXPECT_EQ(sql(file.path(), "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(sql(file.path(), "SELECT count(*) FROM requests"), "0");
  EXPECT_TRUE(Database::open(file.path()).ok()) << "opens again";
}

TEST(Database, KeepsEveryColumn) {
  const TempFile file;
  auto database = std::move(Database::open(file.path())).value();
  RequestRow row;
  row.time_us = 1'700'000'000'000'000;
  row.request_id = "chatcmpl-'quoted'";
  row.model = "m\xC3\xA9";
  row.endpoint = "/v1/chat/completions";
  row.status = 200;
  row.finish_reason = "stop";
  row.prompt_tokens = 11;
  row.cached_tokens = 5;
  row.completion_tokens = 7;
  row.queue_us = 0;
  row.ttft_us = 1500;
  row.total_us = 99;
  ASSERT_TRUE(database->write(std::vector<StoreRow>{row}).ok());
  EXPECT_EQ(sql(file.path(),
                "SELECT time_us||'|'||request_id||'|'||model||'|'||endpoint||'|'||status||'|'||finish_reason||'|'||"
                "prompt_tokens||'|'||cached_tokens||'|'||completion_tokens||'|'||queue_us||'|'||ttft_us||'|'||"
                "ifnull(tpot_us,'null')||'|'||total_us FROM requests"),
            "1700000000000000|chatcmpl-'quoted'|m\xC3\xA9|/v1/chat/completions|200|stop|11|5|7|0|1500|null|99");
}

TEST(Database, KeepsReplacesAndDeletesResponses) {
  const TempFile file;
  {
    auto database = std::move(Database::open(file.path())).value();
    const ResponseRow first{.time_us = 1, .owner = "a", .id = "resp_1", .body = "{}", .messages = "[]"};
    ResponseRow other = first;
    other.owner = "b";
    ResponseRow again = first;
    again.body = "{\"x\":\"\xC3\xA9\"}";
    ASSERT_TRUE(database->write(std::vector<StoreRow>{first, other, again}).ok());
    ASSERT_TRUE(database->write(std::vector<StoreRow>{ResponseKey{"a", "resp_none"}}).ok()) << "nothing to delete";
  }
  auto database = std::move(Database::open(file.path())).value();
  std::vector<ResponseRow> rows = std::move(database->read_responses()).value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].owner, "b");
  EXPECT_EQ(rows[1].body, "{\"x\":\"\xC3\xA9\"}") << "replaced, and the newest";
  ASSERT_TRUE(database->write(std::vector<StoreRow>{ResponseKey{"b", "resp_1"}}).ok());
  EXPECT_EQ(std::move(database->read_responses()).value().size(), 1U);
}

TEST(Database, KeepsAdaptersUntilTheyAreForgotten) {
  const TempFile file;
  {
    auto database = std::move(Database::open(file.path())).value();
    const AdapterRow first{.time_us = 1, .name = "a", .path = "/a", .base_model_name = "base"};
    const AdapterRow other{.time_us = 2, .name = "b", .path = "/b"};
    AdapterRow again = first;
    again.path = "/new";
    ASSERT_TRUE(database->write(std::vector<StoreRow>{first, other, again}).ok());
  }
  auto database = std::move(Database::open(file.path())).value();
  std::vector<AdapterRow> rows = std::move(database->read_adapters()).value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "b");
  EXPECT_EQ(rows[1].path, "/new") << "replaced, and the newest";
  EXPECT_EQ(rows[1].base_model_name, "base");
  ASSERT_TRUE(database->write(std::vector<StoreRow>{AdapterKey{"a"}, AdapterKey{"none"}}).ok());
  EXPECT_EQ(std::move(database->read_adapters()).value().size(), 1U);
}

TEST(Database, TrimsTheOldestRows) {
  const TempFile file;
  auto database = std::move(Database::open(file.path())).value();
  std::vector<StoreRow> rows(100);
  for (int i = 0; i < 100; ++i) std::get<RequestRow>(rows[static_cast<size_t>(i)]).time_us = i;
  ASSERT_TRUE(database->write(rows).ok());
  ASSERT_TRUE(database->trim(30, 50).ok());
  EXPECT_EQ(sql(file.path(), "SELECT count(*)||','||min(time_us) FROM requests"), "50,50");
  ASSERT_TRUE(database->trim(30, 50).ok());
  EXPECT_EQ(sql(file.path(), "SELECT count(*)||','||min(time_us) FROM requests"), "30,70");
  ASSERT_TRUE(database->trim(30, 50).ok());
  EXPECT_EQ(sql(file.path(), "SELECT count(*) FROM requests"), "30");
}

TEST(Database, RefusesForeignNewerAndBrokenFiles) {
  const TempFile file;
  write_file(file.path(), "this is no database, only a text file of some length that somebody named by mistake\n");
  expect_error(file.path(), ErrorCode::kCorrupt, "not a database");

  std::filesystem::remove(file.path());
  sql(file.path(), "CREATE TABLE notes (x); INSERT INTO notes VALUES (1)");
  expect_error(file.path(), ErrorCode::kInvalidArgument, "another program");
  EXPECT_EQ(sql(file.path(), "SELECT x FROM notes"), "1") << "left as it was";

  std::filesystem::remove(file.path());
  { ASSERT_TRUE(Database::open(file.path()).ok()); }
  sql(file.path(), "PRAGMA user_version = 99");
  expect_error(file.path(), ErrorCode::kUnsupported, "newer seraph (schema 99");

  std::filesystem::remove(file.path());
  {
    auto database = std::move(Database::open(file.path())).value();
    std::vector<StoreRow> rows(1000);
    ASSERT_TRUE(database->write(rows).ok());
  }
  std::filesystem::resize_file(file.path(), 6000);
  expect_error(file.path(), ErrorCode::kCorrupt, "malformed");

  expect_error(file.folder() + "/missing/seraph.db", ErrorCode::kIo, "No such file or directory");
  expect_error(file.folder(), ErrorCode::kIo, "cannot be opened");
}

TEST(Database, RefusesALockedFile) {
  const TempFile file;
  { ASSERT_TRUE(Database::open(file.path()).ok()); }
  sqlite3* other = nullptr;
  sqlite3_open(file.path().c_str(), &other);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  expect_error(file.path(), ErrorCode::kUnavailable, "locked by another process");
  sqlite3_close(other);
}

TEST(Database, RefusesAReadOnlyFile) {
  const TempFile file;
  { ASSERT_TRUE(Database::open(file.path()).ok()); }
  ASSERT_EQ(chmod(file.path().c_str(), 0444), 0);
  ASSERT_EQ(chmod(file.folder().c_str(), 0555), 0);
  // As another user where possible: permissions mean nothing to root.
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && seteuid(65534) != 0) _exit(2);
    const Result<std::unique_ptr<Database>> result = Database::open(file.path());
    const bool right = !result.ok() && result.error().text().find("read") != std::string::npos &&
                       result.error().text().find("--db") != std::string::npos;
    if (!right) std::fprintf(stderr, "%s\n", result.ok() ? "opened" : result.error().text().c_str());
    _exit(right ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  chmod(file.folder().c_str(), 0755);
}

}  // namespace
}  // namespace seraph
