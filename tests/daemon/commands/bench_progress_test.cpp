#include "daemon/commands/bench_progress.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(BenchProgress, TheLineSaysHowFarAndHowLong) {
  EXPECT_EQ(progress_line(0, 10, 0), "  0%|                              | 0/10 [00:00<?, 0.00it/s]");
  EXPECT_EQ(progress_line(5, 10, 10), " 50%|###############               | 5/10 [00:10<00:10, 0.50it/s]");
  EXPECT_EQ(progress_line(10, 10, 4000), "100%|##############################| 10/10 [1:06:40<00:00, 0.00it/s]");
}

}  // namespace
}  // namespace seraph
