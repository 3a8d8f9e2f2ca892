#include "daemon/api/pool.h"

#include <gtest/gtest.h>
#include <uv.h>

#include <thread>

namespace seraph {
namespace {

TEST(WorkPoolTest, WorkRunsElsewhereAndItsEndOnTheLoop) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  {
    WorkPool pool(&loop);
    std::thread::id worker, ender;
    pool.run([&] { worker = std::this_thread::get_id(); }, [&] { ender = std::this_thread::get_id(); });
    EXPECT_EQ(pool.num_pending(), 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_EQ(pool.num_pending(), 0);
    EXPECT_NE(worker, std::this_thread::get_id());
    EXPECT_EQ(ender, std::this_thread::get_id());
  }
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

TEST(WorkPoolTest, DestructionWaitsForWorkers) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  int finished = 0;
  {
    WorkPool pool(&loop);
    for (int i = 0; i < 20; ++i) pool.run([] {}, [&] { ++finished; });
  }
  EXPECT_EQ(finished, 20);
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

}  // namespace
}  // namespace seraph
