#include "daemon/store/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "engine/base/clock.h"
#include "tests/daemon/store/temp_file.h"

namespace seraph {
namespace {

int64_t count(const std::string& path, const char* what) {
  sqlite3* handle = nullptr;
  sqlite3_open(path.c_str(), &handle);
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(handle, what, -1, &statement, nullptr);
  const int64_t result = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  return result;
}

RequestRow row_of(int64_t number) {
  RequestRow row;
  row.time_us = number;
  row.request_id = "cmpl-" + std::to_string(number);
  row.model = "tiny";
  row.endpoint = "/v1/completions";
  return row;
}

TEST(Store, CommitsWithoutBeingAskedAndOnDestruction) {
  const TempFile file;
  auto store = std::move(Store::open(file.path())).value();
  store->log_request(row_of(0));
  for (int i = 0; i < 300 && store->rows_committed() == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(store->rows_committed(), 1);
  EXPECT_EQ(count(file.path(), "SELECT count(*) FROM requests"), 1);
  for (int64_t i = 1; i < 1000; ++i) store->log_request(row_of(i));
  store = nullptr;
  EXPECT_EQ(count(file.path(), "SELECT count(DISTINCT request_id) FROM requests"), 1000);
}

TEST(Store, AFullQueueDropsAndCounts) {
  const TempFile file;
  auto store = std::move(Store::open(StoreOptions{.path = file.path(), .queue_rows_max = 64})).value();
  // Another writer holds the file, so the thread cannot get on.
  sqlite3* other = nullptr;
  sqlite3_open(file.path().c_str(), &other);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const MonotonicUs begin = now_us();
  for (int64_t i = 0; i < 5000; ++i) store->log_request(row_of(i));
  EXPECT_LT(now_us() - begin, 500'000) << "logging must not wait for the disk";
  EXPECT_GT(store->rows_dropped(), 4000);
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  const int64_t dropped_in_queue = store->rows_dropped();
  store = nullptr;
  EXPECT_EQ(count(file.path(), "SELECT count(*) FROM requests"), 5000 - dropped_in_queue);
}

/// What is logged while it lives; may be read while other threads log.
class CapturedLog {
 public:
  CapturedLog() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink_));
  }
  ~CapturedLog() { spdlog::set_default_logger(before_); }
  std::string text() const {
    std::string out;
    for (const std::string& line : sink_->last_formatted()) out += line;
    return out;
  }

 private:
  const std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_ =
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  const std::shared_ptr<spdlog::logger> before_;
};

TEST(Store, ALockedFileHoldsTheEndUpOnceAndTheLogSaysHowManyRowsThatCost) {
  const TempFile file;
  const CapturedLog log;
  StoreOptions options{.path = file.path(), .queue_rows_max = 4096, .batch_rows_max = 64, .stop_timeout_ms = 300};
  auto store = std::move(Store::open(options)).value();
  sqlite3* other = nullptr;
  sqlite3_open(file.path().c_str(), &other);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  for (int64_t i = 0; i < 1000; ++i) store->log_request(row_of(i));
  const MonotonicUs begin = now_us();
  store = nullptr;
  EXPECT_LT(now_us() - begin, 3'000'000) << "16 batches must not wait for the lock one after another";
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_EQ(count(file.path(), "SELECT count(*) FROM requests"), 0);
  EXPECT_NE(log.text().find("1000 rows of the database were lost"), std::string::npos) << log.text();
}

TEST(Store, AFullQueueIsLoggedWhileTheServerRuns) {
  const TempFile file;
  const CapturedLog log;
  auto store = std::move(Store::open(StoreOptions{.path = file.path(), .queue_rows_max = 64})).value();
  sqlite3* other = nullptr;
  sqlite3_open(file.path().c_str(), &other);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  for (int64_t i = 0; i < 1000; ++i) store->log_request(row_of(i));
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  for (int i = 0; i < 300 && store->rows_committed() == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  store->log_request(row_of(1000));  // the next turn of the thread comes after the report
  for (int i = 0; i < 300 && store->rows_committed() < 1001 - store->rows_dropped(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_NE(log.text().find("rows of the database were lost"), std::string::npos) << log.text();
}

TEST(Store, KeepsTheNewestRows) {
  const TempFile file;
  auto store = std::move(Store::open(StoreOptions{.path = file.path(), .rows_max = 500})).value();
  for (int64_t i = 0; i < 6000; ++i) store->log_request(row_of(i));
  store = nullptr;
  EXPECT_LT(count(file.path(), "SELECT count(*) FROM requests"), 500 + 1024);
  EXPECT_EQ(count(file.path(), "SELECT max(time_us) FROM requests"), 5999);
}

TEST(Store, MemoryDatabaseWorks) {
  auto store = Store::open(":memory:");
  ASSERT_TRUE(store.ok());
  (*store)->log_request(row_of(1));
}

TEST(Store, ErrorsNameTheFileAndTheOption) {
  const Result<std::unique_ptr<Store>> store = Store::open("/nonexistent/folder/x.db");
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.error().text().find("/nonexistent/folder/x.db"), std::string::npos);
  EXPECT_NE(store.error().text().find("--db"), std::string::npos);
}

/// The child logs rows as fast as it can and reports how many are committed; the parent kills it at a random time.
TEST(Store, CommittedRowsSurviveKill9) {
  for (const int delay_ms : {150, 400, 700}) {
    const TempFile file;
    int report[2];
    ASSERT_EQ(pipe(report), 0);
    const pid_t child = fork();
    if (child == 0) {
      ::close(report[0]);
      auto store = std::move(Store::open(StoreOptions{.path = file.path(), .commit_interval_ms = 5})).value();
      for (int64_t i = 0;; ++i) {
        store->log_request(row_of(i));
        if (i % 64 == 0) {
          const int64_t committed = store->rows_committed();
          if (::write(report[1], &committed, sizeof committed) < 0) _exit(1);
          std::this_thread::sleep_for(std::chrono::microseconds(500));
        }
      }
    }
    ::close(report[1]);
    std::thread killer([child, delay_ms] {
      std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
      kill(child, SIGKILL);
    });
    int64_t committed = 0, value = 0;
    while (::read(report[0], &value, sizeof value) == sizeof value) committed = value;
    killer.join();
    waitpid(child, nullptr, 0);
    ::close(report[0]);
    {
      const Result<std::unique_ptr<Store>> again = Store::open(file.path());
      ASSERT_TRUE(again.ok()) << again.error().text();
    }
    EXPECT_GT(committed, 0);
    EXPECT_GE(count(file.path(), "SELECT count(*) FROM requests"), committed);
    EXPECT_EQ(count(file.path(), "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
  }
}

TEST(Store, ACommittedAdapterIsThereEvenForWhoReadsTheFileAtOnce) {
  const TempFile file;
  auto store = std::move(Store::open(StoreOptions{.path = file.path(), .commit_interval_ms = 60'000})).value();
  store->log_request(row_of(1));  // makes the thread wait for others
  const MonotonicUs begin = now_us();
  ASSERT_TRUE(store->commit(AdapterRow{.time_us = 1, .name = "a", .path = "/a"}).ok());
  EXPECT_LT(now_us() - begin, 30'000'000);
  EXPECT_EQ(count(file.path(), "SELECT count(*) FROM adapters"), 1);
  ASSERT_TRUE(store->commit(AdapterKey{"a"}).ok());
  EXPECT_EQ(count(file.path(), "SELECT count(*) FROM adapters"), 0);
  ASSERT_TRUE(store->commit(AdapterRow{.time_us = 1, .name = "b", .path = "/b"}).ok());
  store = std::move(Store::open(file.path())).value();
  const std::vector<AdapterRow> rows = store->take_adapters();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].name, "b");
}

TEST(Store, ManyThreadsMayWaitForTheirRows) {
  const TempFile file;
  auto store = std::move(Store::open(file.path())).value();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(store->commit(AdapterRow{.name = std::to_string(t * 100 + i), .path = "/p"}).ok());
      }
    });
  }
  for (int i = 0; i < 200; ++i) store->log_request(row_of(i));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count(file.path(), "SELECT count(*) FROM adapters"), 80);
}

}  // namespace
}  // namespace seraph
