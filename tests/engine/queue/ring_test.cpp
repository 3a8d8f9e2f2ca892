#include "engine/queue/ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace seraph {
namespace {

TEST(Ring, HoldsAsManyAsItsCapacityInOrder) {
  Ring<int> ring(5);
  EXPECT_EQ(ring.capacity(), 8U);
  for (int lap = 0; lap < 5; ++lap) {
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(ring.try_push(lap * 10 + i));
    EXPECT_EQ(ring.room(), 0U);
    EXPECT_FALSE(ring.try_push(99));
    int value = 0;
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(ring.try_pop(value));
      EXPECT_EQ(value, lap * 10 + i);
    }
    EXPECT_FALSE(ring.try_pop(value));
  }
}

TEST(Ring, ARefusedValueStaysWithItsOwner) {
  Ring<std::unique_ptr<int>> ring(1);
  EXPECT_EQ(ring.capacity(), 2U);
  EXPECT_TRUE(ring.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(ring.try_push(std::make_unique<int>(1)));
  auto refused = std::make_unique<int>(2);
  EXPECT_FALSE(ring.try_push(std::move(refused)));
  EXPECT_EQ(*refused, 2);
}

TEST(Ring, WhatATakenSlotOwnedIsFreedAtOnce) {
  Ring<std::shared_ptr<int>> ring(4);
  auto value = std::make_shared<int>(1);
  ring.try_push(std::shared_ptr<int>(value));
  std::shared_ptr<int> out;
  ring.try_pop(out);
  EXPECT_EQ(value.use_count(), 2);
}

TEST(Ring, OneProducerAndOneConsumerLoseNothing) {
  constexpr int kCount = 200000;
  Ring<std::unique_ptr<int>> ring(64);
  std::thread producer([&ring] {
    for (int i = 0; i < kCount;) {
      auto value = std::make_unique<int>(i);
      while (!ring.try_push(std::move(value))) std::this_thread::yield();
      ++i;
    }
  });
  std::unique_ptr<int> value;
  for (int i = 0; i < kCount;) {
    if (!ring.try_pop(value)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(*value, i++);
  }
  producer.join();
}

TEST(Ring, ManyProducersKeepTheirOwnOrder) {
  constexpr int kProducers = 4;
  constexpr int kCount = 30000;
  Ring<std::pair<int, int>> ring(32);
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&ring, p] {
      for (int i = 0; i < kCount; ++i) {
        while (!ring.try_push({p, i})) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  std::pair<int, int> value;
  for (int taken = 0; taken < kProducers * kCount;) {
    if (!ring.try_pop(value)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(value.second, next[static_cast<size_t>(value.first)]++);
    ++taken;
  }
  for (std::thread& producer : producers) producer.join();
}

}  // namespace
}  // namespace seraph
