#include "engine/queue/doorbell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace seraph {
namespace {

TEST(Doorbell, ARingBeforeSleepIsNotLost) {
  Doorbell doorbell;
  doorbell.begin_round();
  doorbell.ring();
  doorbell.ring();
  doorbell.sleep();  // returns at once, else the test hangs
}

// Every unit of work is followed by a ring; a lost wake-up would leave the sleeper asleep with work undone.
TEST(Doorbell, NoWakeUpIsLostInManyRaces) {
  Doorbell doorbell;
  std::atomic<int> work{0};
  constexpr int kWork = 200000;
  std::thread sleeper([&] {
    int done = 0;
    while (done < kWork) {
      doorbell.begin_round();
      const int taken = work.exchange(0, std::memory_order_acq_rel);
      done += taken;
      if (taken == 0 && done < kWork) doorbell.sleep();
    }
  });
  for (int i = 0; i < kWork; ++i) {
    work.fetch_add(1, std::memory_order_acq_rel);
    doorbell.ring();
    if (i % 64 == 0) std::this_thread::yield();
  }
  sleeper.join();
}

}  // namespace
}  // namespace seraph
