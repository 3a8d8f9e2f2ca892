#include "daemon/store/store.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "daemon/store/database.h"
#include "daemon/store/row_ring.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"

namespace seraph {
namespace {

/// Old rows are looked for each time so many new ones are in, and deleted in pieces that keep commits short.
constexpr int64_t kTrimEveryRows = 1024;
constexpr int64_t kTrimRowsMax = 8192;
/// A failing disk is reported at most this often.
constexpr MonotonicUs kComplainEveryUs = 10'000'000;

/// What wakes the thread: an eventfd, because writing to it never blocks and the thread can wait with a timeout.
class WakeUp {
 public:
  WakeUp() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { SERAPH_CHECK(fd_ >= 0, "out of file descriptors"); }
  ~WakeUp() { ::close(fd_); }
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  void signal() {
    const uint64_t one = 1;
    // A full counter means that the thread is about to wake anyway.
    [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
  }
  /// Until signal() or so many milliseconds; -1: no limit.
  void wait(int timeout_ms) {
    pollfd poll_fd{fd_, POLLIN, 0};
    ::poll(&poll_fd, 1, timeout_ms);
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(fd_, &count, sizeof count);
  }

 private:
  const int fd_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(const StoreOptions& options, std::unique_ptr<Database> database, std::vector<ResponseRow> responses,
              std::vector<AdapterRow> adapters)
      : options_(options),
        database_(std::move(database)),
        responses_(std::move(responses)),
        adapters_(std::move(adapters)),
        ring_(options.queue_rows_max) {
    batch_.reserve(static_cast<size_t>(options_.batch_rows_max));
    thread_ = std::thread([this] { run(); });
  }

  ~SqliteStore() override {
    stop_until_us_ = now_us() + options_.stop_timeout_ms * MonotonicUs{1000};
    stopping_.store(true, std::memory_order_release);
    wake_up_.signal();
    thread_.join();
  }

  void log_request(RequestRow row) override { push(std::move(row)); }
  void save_response(ResponseRow row) override { push(std::move(row)); }
  void delete_response(std::string_view owner, std::string_view id) override {
    push(ResponseKey{std::string(owner), std::string(id)});
  }
  std::vector<ResponseRow> take_responses() override { return std::move(responses_); }
  std::vector<AdapterRow> take_adapters() override { return std::move(adapters_); }

  Status commit(StoreRow row) override {
    std::promise<Status> done;
    std::future<Status> result = done.get_future();
    {
      const std::lock_guard lock(urgent_mutex_);
      urgent_.push_back({std::move(row), &done});
      has_urgent_.store(true, std::memory_order_release);
    }
    wake_up_.signal();
    return result.get();
  }

  int64_t rows_dropped() const override { return rows_dropped_.load(std::memory_order_relaxed); }
  int64_t rows_committed() const override { return rows_committed_.load(std::memory_order_acquire); }

 private:
  /// A row that somebody waits for.
  struct Urgent {
    StoreRow row;
    std::promise<Status>* done = nullptr;
  };

  void push(StoreRow row) {
    const RowRing::Push pushed = ring_.try_push(std::move(row));
    if (pushed == RowRing::Push::kFull) {
      rows_dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    ++rows_logged_;
    const bool batch_full = rows_logged_ % options_.batch_rows_max == 0;
    if (pushed == RowRing::Push::kFirst || batch_full) {
      wake_up_.signal();
    }
  }

  /// The store thread: sleep until there is a row, let others join it for a moment, commit.
  void run() {
    while (true) {
      const bool stopping = stopping_.load(std::memory_order_acquire);
      commit_urgent();
      if (ring_.size() == 0) {
        report_losses(stopping);
        if (stopping) return;
        wake_up_.wait(-1);
        continue;
      }
      if (!stopping) gather();
      commit_batch();
    }
  }

  void gather() {
    const MonotonicUs until = now_us() + options_.commit_interval_ms * int64_t{1000};
    while (ring_.size() < static_cast<size_t>(options_.batch_rows_max) && !stopping_.load(std::memory_order_acquire) &&
           !has_urgent_.load(std::memory_order_acquire)) {
      const MonotonicUs left = until - now_us();
      if (left <= 0) return;
      wake_up_.wait(static_cast<int>(left / 1000) + 1);
    }
  }

  void commit_urgent() {
    std::vector<Urgent> rows;
    {
      const std::lock_guard lock(urgent_mutex_);
      rows.swap(urgent_);
      has_urgent_.store(false, std::memory_order_release);
    }
    for (const Urgent& urgent : rows) urgent.done->set_value(database_->write(std::span(&urgent.row, 1)));
  }

  void commit_batch() {
    batch_.clear();
    StoreRow row;
    while (batch_.size() < static_cast<size_t>(options_.batch_rows_max) && ring_.pop(row)) {
      batch_.push_back(std::move(row));
    }
    const auto rows = static_cast<int64_t>(batch_.size());
    if (out_of_time()) {
      rows_dropped_.fetch_add(rows, std::memory_order_relaxed);
      return;
    }
    Status status = database_->write(batch_);
    while (!status.ok() && status.error().code == ErrorCode::kUnavailable && !out_of_time()) {
      // Somebody else holds the file, a backup for example: the rows wait, and new ones fill the queue.
      complain(status.error());
      report_losses(false);
      status = database_->write(batch_);
    }
    if (!status.ok()) {
      rows_dropped_.fetch_add(rows, std::memory_order_relaxed);
      complain(status.error());
      return;
    }
    report_losses(false);
    rows_committed_.fetch_add(rows, std::memory_order_release);
    rows_since_trim_ += rows;
    if (rows_since_trim_ < kTrimEveryRows) {
      return;
    }
    rows_since_trim_ = 0;
    status = database_->trim(options_.rows_max, kTrimRowsMax);
    if (!status.ok()) complain(status.error());
  }

  /// The end of the process waits for the last commits, but not for ever.
  bool out_of_time() const { return stopping_.load(std::memory_order_acquire) && now_us() >= stop_until_us_; }

  /// Says how many rows were lost since it last said so, at the end always.
  void report_losses(bool at_end) {
    const int64_t lost = rows_dropped();
    if (lost == losses_reported_) return;
    if (!at_end && losses_reported_us_ != 0 && now_us() - losses_reported_us_ < kComplainEveryUs) return;
    spdlog::warn("{} rows of the database were lost, {} since the start: it could not be written fast enough",
                 lost - losses_reported_, lost);
    losses_reported_ = lost;
    losses_reported_us_ = now_us();
  }

  void complain(const Error& error) {
    if (complained_us_ != 0 && now_us() - complained_us_ < kComplainEveryUs) return;
    complained_us_ = now_us();
    spdlog::warn("rows cannot be stored: {}", error.text());
  }

  const StoreOptions options_;
  const std::unique_ptr<Database> database_;  // store thread
  std::vector<ResponseRow> responses_;        // loop thread; what the file held
  std::vector<AdapterRow> adapters_;          // likewise
  RowRing ring_;
  WakeUp wake_up_;
  std::mutex urgent_mutex_;
  std::vector<Urgent> urgent_;  // guarded by urgent_mutex_
  std::atomic<bool> has_urgent_{false};
  MonotonicUs stop_until_us_ = 0;  // set before stopping_
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> rows_dropped_{0};
  std::atomic<int64_t> rows_committed_{0};
  int64_t rows_logged_ = 0;  // loop thread
  // Store thread.
  std::vector<StoreRow> batch_;
  int64_t rows_since_trim_ = 0;
  MonotonicUs complained_us_ = 0;
  int64_t losses_reported_ = 0;
  MonotonicUs losses_reported_us_ = 0;
  std::thread thread_;  // last: it uses the members above
};

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  SERAPH_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::open(options.path));
  SERAPH_ASSIGN_OR_RETURN(std::vector<ResponseRow> responses, database->read_responses());
  SERAPH_ASSIGN_OR_RETURN(std::vector<AdapterRow> adapters, database->read_adapters());
  return std::unique_ptr<Store>(
      std::make_unique<SqliteStore>(options, std::move(database), std::move(responses), std::move(adapters)));
}

}  // namespace seraph
