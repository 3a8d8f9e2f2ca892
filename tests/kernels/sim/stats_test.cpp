// Bank conflicts and sectors, counted by hand.
#include "kernels/sim/stats.h"

#include <gtest/gtest.h>

namespace seraph::sim {
namespace {

Wavefronts strided(uintptr_t stride, uint32_t bytes) {
  uintptr_t addresses[32];
  for (uintptr_t lane = 0; lane < 32; ++lane) addresses[lane] = 4096 + lane * stride;
  return count_wavefronts(addresses, bytes);
}

TEST(Wavefronts, follow_the_banks) {
  EXPECT_EQ(strided(4, 4).conflicts, 0);
  EXPECT_EQ(strided(8, 4).conflicts, 1);
  EXPECT_EQ(strided(128, 4).conflicts, 31);
  EXPECT_EQ(strided(132, 4).conflicts, 0);
  EXPECT_EQ(strided(0, 4).conflicts, 0);  // one word for all is a broadcast
  EXPECT_EQ(strided(2, 2).conflicts, 0);
  EXPECT_EQ(strided(16, 16).total, 4);  // 512 bytes need four passes
  EXPECT_EQ(strided(16, 16).conflicts, 0);
  EXPECT_EQ(strided(128, 16).conflicts, 28);
  EXPECT_EQ(strided(8, 8).total, 2);
}

TEST(AccessCounter, groups_the_lanes_by_place_and_visit) {
  AccessCounter counter;
  const Site first;
  const Site second;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    // Two visits of one place, then one of another by half of the lanes only.
    counter.add(lane, {4096 + lane * 4, 4, Space::kGlobal, AccessKind::kRead, true}, first);
    counter.add(lane, {8192 + lane * 32, 4, Space::kGlobal, AccessKind::kRead, true}, first);
    if (lane < 16) counter.add(lane, {4096 + lane * 2, 2, Space::kGlobal, AccessKind::kWrite, true}, second);
  }
  LaunchStats stats;
  SiteCosts costs;
  counter.flush(stats, costs);
  EXPECT_EQ(stats.sectors_read, 4 + 32);
  EXPECT_EQ(stats.sectors_written, 1);
  EXPECT_EQ(stats.sectors_min, 4 + 4 + 1);
  ASSERT_EQ(costs.size(), 1U);
  EXPECT_EQ(costs[0].site.key(), first.key());
  EXPECT_EQ(costs[0].excess_sectors, 28);
  counter.flush(stats, costs);
  EXPECT_EQ(stats.sectors_read, 36);
}

}  // namespace
}  // namespace seraph::sim
