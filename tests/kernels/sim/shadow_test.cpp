// The shadow on its own: which pairs of accesses it calls a race.
#include "kernels/sim/shadow.h"

#include <gtest/gtest.h>

namespace seraph::sim {
namespace {

constexpr uintptr_t kBase = 0x10000;

class ShadowTest : public testing::Test {
 protected:
  /// A thread of block `serial` (the launch's blocks are 10, 11, ...) after `epoch` barriers of the block.
  Clock clock(uint32_t serial, uint32_t thread, uint32_t epoch = 0) const {
    return {.serial = serial,
            .thread = thread,
            .epoch = epoch,
            .block_epoch = epoch,
            .first_serial = 10,
            .acquire_time = acquired_,
            .releases = &releases_};
  }
  Problem touch(const Clock& clock, AccessKind kind, uint32_t offset = 0, uint32_t bytes = 4) {
    return shadow_.touch(clock, kBase + offset, bytes, kind, true).problem;
  }

  Shadow shadow_{kBase, 4096};
  std::vector<BlockRelease> releases_{4};
  uint32_t acquired_ = 0;
};

TEST_F(ShadowTest, two_threads_race_unless_a_barrier_lies_between) {
  EXPECT_EQ(touch(clock(10, 1), AccessKind::kWrite), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 1), AccessKind::kRead), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 2), AccessKind::kRead), Problem::kRace);
  EXPECT_EQ(touch(clock(10, 2), AccessKind::kWrite), Problem::kRace);
  EXPECT_EQ(touch(clock(10, 2, 1), AccessKind::kRead), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 3, 1), AccessKind::kRead), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 2, 1), AccessKind::kWrite), Problem::kRace);  // thread 3 has read too
  EXPECT_EQ(touch(clock(10, 2, 2), AccessKind::kWrite), Problem::kNone);
}

TEST_F(ShadowTest, parts_of_a_word_have_their_own_history) {
  EXPECT_EQ(touch(clock(10, 1), AccessKind::kWrite, 0, 2), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 2), AccessKind::kWrite, 2, 2), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 2), AccessKind::kWrite, 1, 1), Problem::kRace);
  EXPECT_EQ(touch(clock(10, 2), AccessKind::kRead, 0, 4), Problem::kRace);
  EXPECT_EQ(touch(clock(10, 9, 1), AccessKind::kWrite, 0, 4), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 1, 1), AccessKind::kRead, 2, 1), Problem::kRace);
}

TEST_F(ShadowTest, bytes_that_nothing_wrote_are_told_apart) {
  EXPECT_EQ(touch(clock(10, 1), AccessKind::kWrite, 1, 1), Problem::kNone);
  EXPECT_EQ(touch(clock(10, 1), AccessKind::kRead, 1, 1), Problem::kNone);
  const Finding finding = shadow_.touch(clock(10, 1), kBase, 4, AccessKind::kRead, true);
  EXPECT_EQ(finding.problem, Problem::kUnwritten);
  EXPECT_EQ(finding.address, kBase);
  shadow_.set_written(kBase + 2, 7, true);
  EXPECT_TRUE(shadow_.is_written(kBase + 1, 8));
  EXPECT_FALSE(shadow_.is_written(kBase + 9, 1));
  shadow_.copy_written(kBase + 99, kBase + 1, 12);
  EXPECT_TRUE(shadow_.is_written(kBase + 99, 8));
  EXPECT_FALSE(shadow_.is_written(kBase + 107, 1));
  shadow_.set_written(kBase, 16, false);
  EXPECT_FALSE(shadow_.is_written(kBase + 5, 1));
}

TEST_F(ShadowTest, blocks_of_a_launch_race_until_one_releases_and_the_other_acquires) {
  EXPECT_EQ(touch(clock(10, 1), AccessKind::kWrite), Problem::kNone);
  EXPECT_EQ(touch(clock(11, 1), AccessKind::kRead), Problem::kRace);
  releases_[0] = {.epoch = 0, .time = 5};
  acquired_ = 4;
  EXPECT_EQ(touch(clock(11, 1), AccessKind::kRead), Problem::kRace);
  acquired_ = 5;
  EXPECT_EQ(touch(clock(11, 1), AccessKind::kRead), Problem::kNone);
  // What an earlier launch did is ordered.
  Clock later = clock(12, 7);
  later.first_serial = 12;
  EXPECT_EQ(touch(later, AccessKind::kWrite), Problem::kNone);
}

TEST_F(ShadowTest, atomic_operations_race_with_others_only) {
  shadow_.set_written(kBase, 4, true);
  EXPECT_EQ(touch(clock(10, 1), AccessKind::kAtomic), Problem::kNone);
  EXPECT_EQ(touch(clock(11, 2), AccessKind::kAtomic), Problem::kNone);
  EXPECT_EQ(touch(clock(11, 3), AccessKind::kRead), Problem::kRace);
}

}  // namespace
}  // namespace seraph::sim
