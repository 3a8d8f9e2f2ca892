// Switching between stacks.
#include "kernels/sim/fiber.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace seraph::sim {
namespace {

// An entry takes no argument, so what the fibers share lies here while a test runs.
struct Shared {
  Fiber main;
  Fiber fibers[2];
  std::vector<int> order;
};
Shared* shared = nullptr;

template <int kNumber>
void entry() {
  Fiber::entered();
  double kept = kNumber + 0.5;  // in a register or on the stack across switches
  for (int i = 0; i < 3; ++i) {
    shared->order.push_back(kNumber * 10 + i);
    kept *= 2.0;
    shared->fibers[kNumber].switch_to(shared->fibers[1 - kNumber]);
  }
  shared->order.push_back(static_cast<int>(kept));
  shared->fibers[kNumber].switch_to(kNumber == 0 ? shared->fibers[1] : shared->main, true);
}

TEST(Fiber, two_stacks_take_turns_and_keep_their_locals) {
  Shared mine;
  shared = &mine;
  const FiberStacks stacks(2, 64 * 1024);
  mine.fibers[0].prepare(stacks.stack(0), stacks.bytes_each(), entry<0>);
  mine.fibers[1].prepare(stacks.stack(1), stacks.bytes_each(), entry<1>);
  mine.main.switch_to(mine.fibers[0]);
  EXPECT_EQ(mine.order, (std::vector<int>{0, 10, 1, 11, 2, 12, 4, 12}));
  shared = nullptr;
}

}  // namespace
}  // namespace seraph::sim
