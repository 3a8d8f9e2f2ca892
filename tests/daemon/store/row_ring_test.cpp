#include "daemon/store/row_ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace seraph {
namespace {

RequestRow row_of(int64_t number) {
  RequestRow row;
  row.time_us = number;
  row.request_id = "request-with-a-long-name-" + std::to_string(number);
  return row;
}

TEST(RowRing, SaysWhenItWasEmptyAndWhenItIsFull) {
  RowRing ring(3);
  EXPECT_EQ(ring.try_push(row_of(0)), RowRing::Push::kFirst);
  for (int i = 1; i < 4; ++i) EXPECT_EQ(ring.try_push(row_of(i)), RowRing::Push::kQueued);
  EXPECT_EQ(ring.try_push(row_of(4)), RowRing::Push::kFull);
  StoreRow row;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(ring.pop(row));
    EXPECT_EQ(std::get<RequestRow>(row).time_us, i);
  }
  EXPECT_FALSE(ring.pop(row));
  EXPECT_EQ(ring.try_push(row_of(5)), RowRing::Push::kFirst);
}

TEST(RowRing, TwoThreadsAgreeOnEveryRow) {
  RowRing ring(64);
  constexpr int64_t kRows = 200'000;
  std::thread consumer([&ring] {
    StoreRow row;
    for (int64_t next = 0; next < kRows;) {
      if (!ring.pop(row)) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_EQ(std::get<RequestRow>(row).time_us, next);
      ASSERT_EQ(std::get<RequestRow>(row).request_id, row_of(next).request_id);
      ++next;
    }
  });
  for (int64_t i = 0; i < kRows;) {
    if (ring.try_push(row_of(i)) == RowRing::Push::kFull) {
      std::this_thread::yield();
    } else {
      ++i;
    }
  }
  consumer.join();
  EXPECT_EQ(ring.size(), 0u);
}

}  // namespace
}  // namespace seraph
