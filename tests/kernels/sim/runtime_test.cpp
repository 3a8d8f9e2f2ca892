// Streams, events, graphs, memory and error injection of the simulated runtime.
#include <set>

#include "tests/kernels/sim/support.h"

namespace seraph::sim_test {
namespace {

constexpr LaunchConfig kOne = {.name = "step", .block = {32}, .budget = {0, 100.0F}};

LaunchConfig on(Stream stream) {
  LaunchConfig config = kOne;
  config.stream = stream;
  return config;
}

__global__ void add_number(Global<int32_t> x, int32_t number) {
  if (threadIdx.x == 0) {
    const int32_t old = x[0];
    x[0] = old * 10 + number;
  }
}

__global__ void note_block_order(Global<int32_t> order, Global<int32_t> next) {
  if (threadIdx.x == 0) order[blockIdx.x] = atomic_add(next, 0, 1);
}

TEST(Runtime, work_happens_at_synchronisation_and_not_before) {
  sim::Device device;
  DeviceArray<int32_t> x(std::vector<int32_t>{1});
  Stream stream = nullptr;
  ASSERT_TRUE(create_stream(stream).ok());
  int32_t seen = -1;
  ASSERT_TRUE(launch(add_number, on(stream), x.all(), 2).ok());
  ASSERT_TRUE(copy_async(&seen, x.data(), 4, CopyKind::kDeviceToHost, stream).ok());
  EXPECT_EQ(seen, -1);
  EXPECT_EQ(device.num_launches(), 0);
  ASSERT_TRUE(synchronize(stream).ok());
  EXPECT_EQ(seen, 12);
  ASSERT_TRUE(destroy_stream(stream).ok());
}

TEST(Runtime, a_copy_reads_host_memory_when_it_runs) {
  sim::Device device;
  DeviceArray<int32_t> x(1);
  int32_t value = 1;
  ASSERT_TRUE(copy_async(x.data(), &value, 4, CopyKind::kHostToDevice, nullptr).ok());
  value = 2;  // too early: the copy is not done
  EXPECT_EQ(x.values()[0], 2);
}

TEST(Runtime, unordered_streams_run_in_every_order_and_events_order_them) {
  std::set<int32_t> unordered;
  std::set<int32_t> ordered;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const bool with_event : {false, true}) {
      sim::Device device({.seed = seed});
      DeviceArray<int32_t> x(std::vector<int32_t>{0});
      Stream first = nullptr;
      Stream second = nullptr;
      Event done = nullptr;
      ASSERT_TRUE(create_stream(first).ok() && create_stream(second).ok() && create_event(done).ok());
      ASSERT_TRUE(launch(add_number, on(first), x.all(), 1).ok());
      ASSERT_TRUE(record(done, first).ok());
      if (with_event) {
        ASSERT_TRUE(wait(second, done).ok());
      }
      ASSERT_TRUE(launch(add_number, on(second), x.all(), 2).ok());
      ASSERT_TRUE(synchronize(second).ok());
      ASSERT_TRUE(synchronize_device().ok());
      (with_event ? ordered : unordered).insert(x.values()[0]);
      ASSERT_TRUE(destroy_event(done).ok() && destroy_stream(first).ok() && destroy_stream(second).ok());
    }
  }
  EXPECT_EQ(unordered, (std::set<int32_t>{12, 21}));
  EXPECT_EQ(ordered, (std::set<int32_t>{12}));
}

TEST(Runtime, polling_an_event_lets_time_pass) {
  sim::Device device;
  DeviceArray<int32_t> x(std::vector<int32_t>{0});
  Stream stream = nullptr;
  Event done = nullptr;
  ASSERT_TRUE(create_stream(stream).ok() && create_event(done).ok());
  for (int32_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(launch(add_number, on(stream), x.all(), i).ok());
  }
  ASSERT_TRUE(record(done, stream).ok());
  int32_t polls = 0;
  while (query(done).code == kErrorNotReady) ++polls;
  EXPECT_EQ(polls, 3);
  EXPECT_EQ(x.values()[0], 123);
  ASSERT_TRUE(destroy_event(done).ok() && destroy_stream(stream).ok());
}

TEST(Runtime, blocks_run_in_an_order_that_the_seed_shuffles) {
  std::set<std::vector<int32_t>> orders;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    sim::Device device({.seed = seed});
    DeviceArray<int32_t> order(16);
    DeviceArray<int32_t> next(std::vector<int32_t>{0});
    LaunchConfig config = kOne;
    config.grid = {4, 2, 2};
    config.grid = {16};
    ASSERT_EQ(run(note_block_order, config, order.all(), next.all()), "");
    orders.insert(order.values());
  }
  EXPECT_EQ(orders.size(), 5U);
}

TEST(Runtime, a_graph_replays_what_was_captured_with_the_arguments_of_the_capture) {
  sim::Device device;
  DeviceArray<int32_t> x(std::vector<int32_t>{0});
  Stream stream = nullptr;
  Stream helper = nullptr;
  Event fork = nullptr;
  Event join = nullptr;
  ASSERT_TRUE(create_stream(stream).ok() && create_stream(helper).ok());
  ASSERT_TRUE(create_event(fork).ok() && create_event(join).ok());
  ASSERT_TRUE(begin_capture(stream).ok());
  int32_t number = 1;
  ASSERT_TRUE(launch(add_number, on(stream), x.all(), number).ok());
  number = 5;
  ASSERT_TRUE(record(fork, stream).ok() && wait(helper, fork).ok());
  ASSERT_TRUE(launch(add_number, on(helper), x.all(), 2).ok());
  ASSERT_TRUE(record(join, helper).ok() && wait(stream, join).ok());
  EXPECT_EQ(synchronize(stream).code, kErrorCaptureUnsupported);
  void* data = nullptr;
  EXPECT_EQ(allocate(&data, 4).code, kErrorCaptureUnsupported);
  Graph graph = nullptr;
  GraphExec exec = nullptr;
  int64_t nodes = 0;
  ASSERT_TRUE(end_capture(stream, graph).ok() && num_nodes(graph, nodes).ok() && instantiate(exec, graph).ok());
  ASSERT_TRUE(destroy_graph(graph).ok());
  EXPECT_EQ(nodes, 2);
  EXPECT_EQ(device.num_launches(), 0);
  ASSERT_TRUE(launch_graph(exec, stream).ok() && launch_graph(exec, stream).ok() && synchronize(stream).ok());
  EXPECT_EQ(x.values()[0], 1212);
  ASSERT_TRUE(destroy_graph_exec(exec).ok() && destroy_stream(stream).ok() && destroy_stream(helper).ok());
  ASSERT_TRUE(destroy_event(fork).ok() && destroy_event(join).ok());
}

TEST(Runtime, what_was_not_given_back_is_counted) {
  sim::Device device;
  void* data = nullptr;
  void* pinned = nullptr;
  Stream stream = nullptr;
  ASSERT_TRUE(allocate(&data, 100).ok() && allocate_pinned(&pinned, 100).ok() && create_stream(stream).ok());
  EXPECT_EQ(device.num_living(), 3);
  EXPECT_EQ(release(pinned).code, kErrorInvalidValue);
  ASSERT_TRUE(release(data).ok() && release_pinned(pinned).ok() && destroy_stream(stream).ok());
  EXPECT_EQ(device.num_living(), 0);
  EXPECT_EQ(release(data).code, kErrorInvalidValue);
}

TEST(Runtime, memory_has_a_limit) {
  sim::Device device({.memory_bytes = 1000});
  void* data = nullptr;
  void* more = nullptr;
  ASSERT_TRUE(allocate(&data, 600).ok());
  EXPECT_EQ(allocate(&more, 401).code, kErrorOutOfMemory);
  int64_t free_bytes = 0;
  int64_t total_bytes = 0;
  ASSERT_TRUE(memory_info(free_bytes, total_bytes).ok());
  EXPECT_EQ(free_bytes, 400);
  EXPECT_EQ(total_bytes, 1000);
  ASSERT_TRUE(release(data).ok());
}

TEST(Runtime, copies_are_checked_too) {
  sim::Device device;
  DeviceArray<int32_t> x(2);
  int32_t host[4] = {};
  ASSERT_TRUE(copy_async(x.data(), host, 16, CopyKind::kHostToDevice, nullptr).ok());
  const Status status = synchronize_device();
  EXPECT_EQ(status.code, kErrorIllegalAddress);
  EXPECT_NE(describe(status).find("past the end of allocation 1 of 8 bytes"), std::string::npos) << describe(status);
}

TEST(Runtime, memory_is_poisoned_and_copies_carry_what_was_written) {
  sim::Device device;
  DeviceArray<uint8_t> x(8);
  EXPECT_EQ(x.values()[3], 0xCB);
  DeviceArray<int32_t> y(1);
  DeviceArray<int32_t> z(1);
  ASSERT_TRUE(copy_async(z.data(), y.data(), 4, CopyKind::kDeviceToDevice, nullptr).ok());
  EXPECT_NE(run(add_number, kOne, z.all(), 1).find("uninitialised"), std::string::npos);
}

TEST(Runtime, pinned_memory_is_reached_by_kernels) {
  sim::Device device;
  void* pinned = nullptr;
  ASSERT_TRUE(allocate_pinned(&pinned, 4).ok());
  auto* value = static_cast<int32_t*>(pinned);
  *value = 4;
  ASSERT_EQ(run(add_number, kOne, Global<int32_t>(value, 1), 2), "");
  EXPECT_EQ(*value, 42);
  ASSERT_TRUE(release_pinned(pinned).ok());
}

TEST(Runtime, an_error_can_be_injected_at_any_call) {
  sim::Device device;
  void* data = nullptr;
  Stream stream = nullptr;
  device.fail_at_call(2, kErrorOutOfMemory);
  ASSERT_TRUE(create_stream(stream).ok());
  EXPECT_EQ(allocate(&data, 4).code, kErrorOutOfMemory);
  ASSERT_TRUE(allocate(&data, 4).ok());
  device.fail_at_call(1, kErrorIllegalAddress);
  EXPECT_EQ(synchronize(stream).code, kErrorIllegalAddress);
  EXPECT_EQ(synchronize(stream).code, kErrorIllegalAddress);
  EXPECT_NE(describe(synchronize_device()).find("injected"), std::string::npos);
}

TEST(Runtime, a_launch_that_no_gpu_would_take_is_an_invalid_value) {
  sim::Device device;
  DeviceArray<int32_t> x(1);
  LaunchConfig config = kOne;
  config.block = {1025};
  EXPECT_EQ(launch(add_number, config, x.all(), 1).code, kErrorInvalidValue);
  config.block = {32};
  config.grid = {0};
  EXPECT_EQ(launch(add_number, config, x.all(), 1).code, kErrorInvalidValue);
  config.grid = {1};
  config.shared_bytes = 228 * 1024;
  EXPECT_EQ(launch(add_number, config, x.all(), 1).code, kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::sim_test
