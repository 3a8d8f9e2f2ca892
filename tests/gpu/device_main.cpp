// The main() of test programs that run on a real card: says which one, or that there is none (exit status 77).
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/gpu/card.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const seraph::gpu::Card card = seraph::gpu::find_card();
  if (!card.found) {
    std::printf("no GPU: %s\n", card.text.c_str());
    return seraph::gpu::kExitNoCard;
  }
  std::printf("on %s\n", card.text.c_str());
  return RUN_ALL_TESTS();
}
