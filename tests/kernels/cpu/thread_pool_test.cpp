// The pool: every task once, results visible to the caller, no CPU used while nothing happens.
#include "kernels/cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <vector>

namespace seraph::cpu {
namespace {

TEST(ThreadPool, runs_every_task_once_and_waits_for_all) {
  for (const int32_t threads : {1, 2, 5}) {
    ThreadPool pool(threads, false);
    EXPECT_EQ(pool.num_threads(), threads);
    for (int64_t round = 0; round < 3000; ++round) {
      const int64_t count = round % 17;
      std::vector<int64_t> runs(static_cast<size_t>(count), 0);
      pool.run(count, [&](int64_t i, int32_t thread) {
        ASSERT_LT(thread, threads);
        runs[static_cast<size_t>(i)] += i + 1;
      });
      for (int64_t i = 0; i < count; ++i) ASSERT_EQ(runs[static_cast<size_t>(i)], i + 1);
    }
  }
}

TEST(ThreadPool, sleeps_when_idle_and_wakes_again) {
  ThreadPool pool(3, true);
  const auto cpu_seconds = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  };
  std::vector<int64_t> sums(8, 0);
  pool.run(8, [&](int64_t i, int32_t) { sums[static_cast<size_t>(i)] = i; });
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // idleness can only be seen by letting time pass
  EXPECT_LT(cpu_seconds() - before, 0.03);
  pool.run(8, [&](int64_t i, int32_t) { sums[static_cast<size_t>(i)] += 1; });
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(sums[static_cast<size_t>(i)], i + 1);
}

TEST(ThreadPool, counts_the_cores_it_may_use) { EXPECT_GE(usable_cores().size(), 1U); }

}  // namespace
}  // namespace seraph::cpu
