#include "engine/schedule/adapter_slots.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(AdapterSlots, AnAdapterKeepsItsSlotAndIsWrittenOnce) {
  AdapterSlots slots(2);
  const int32_t first = slots.take(7, 0);
  ASSERT_GE(first, 0);
  EXPECT_TRUE(slots.take_write(first));
  EXPECT_FALSE(slots.take_write(first));
  EXPECT_EQ(slots.take(7, 0), first);
  EXPECT_FALSE(slots.take_write(first));
  EXPECT_EQ(slots.num_held(), 1);
}

TEST(AdapterSlots, HeldSlotsAreNotGivenAway) {
  AdapterSlots slots(2);
  const int32_t first = slots.take(1, 0);
  const int32_t second = slots.take(2, 0);
  EXPECT_NE(first, second);
  EXPECT_EQ(slots.take(3, 0), -1);
  slots.release(first, 0);
  EXPECT_EQ(slots.take(3, 0), first);
  EXPECT_TRUE(slots.take_write(first));
}

TEST(AdapterSlots, TheLeastRecentlyUsedMakesRoom) {
  AdapterSlots slots(3);
  int32_t at[4] = {};
  for (uint64_t adapter = 1; adapter <= 3; ++adapter) at[adapter] = slots.take(adapter, 0);
  for (uint64_t adapter = 1; adapter <= 3; ++adapter) slots.release(at[adapter], 0);
  slots.release(slots.take(1, 0), 0);
  EXPECT_EQ(slots.take(4, 0), at[2]);
  EXPECT_EQ(slots.take(1, 0), at[1]);
}

TEST(AdapterSlots, ASlotThatAStepInFlightNamesIsLeftAlone) {
  AdapterSlots slots(1);
  const int32_t slot = slots.take(1, 0);
  slots.release(slot, 5);
  EXPECT_EQ(slots.take(2, 4), -1);
  EXPECT_EQ(slots.take(1, 4), slot) << "the same adapter may go on";
  slots.release(slot, 6);
  EXPECT_EQ(slots.take(2, 5), -1);
  EXPECT_EQ(slots.take(2, 6), slot);
}

}  // namespace
}  // namespace seraph
