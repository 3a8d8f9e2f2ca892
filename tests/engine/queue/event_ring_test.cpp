#include "engine/queue/event_ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace seraph {
namespace {

Event event_of(RequestId id) {
  Event event;
  event.id = id;
  return event;
}

TEST(EventRing, WakesOncePerBatchUntilTheReaderDrains) {
  Doorbell doorbell;
  EventRing ring({.drained_max = 4, .events_per_step_max = 2}, doorbell);
  ring.push(event_of(1));
  EXPECT_TRUE(ring.publish());
  ring.push(event_of(2));
  EXPECT_FALSE(ring.publish());
  std::vector<Event> events;
  ring.drain(events);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].id, 2U);
  ring.push(event_of(3));
  EXPECT_TRUE(ring.publish());
}

TEST(EventRing, ARoundBegunAlwaysFits) {
  Doorbell doorbell;
  EventRing ring({.drained_max = 3, .events_per_step_max = 5}, doorbell);
  int rounds = 0;
  for (; ring.has_room_for_round(); ++rounds) {
    for (int i = 0; i < 3 + 5 + 1; ++i) ring.push(event_of(1));
  }
  EXPECT_GT(rounds, 5);
  std::vector<Event> events;
  ring.drain(events);
  EXPECT_EQ(events.size(), static_cast<size_t>(rounds) * 9);
  EXPECT_TRUE(ring.has_room_for_round());
}

// The reader sleeps until it is woken and the writer until there is room: if either signal were lost, both would sleep.
TEST(EventRing, NeitherSideSleepsForEver) {
  Doorbell engine_bell;
  Doorbell loop_bell;
  EventRing ring({.drained_max = 1, .events_per_step_max = 1}, engine_bell);
  constexpr RequestId kCount = 100000;
  std::thread engine([&] {
    for (RequestId id = 1; id <= kCount;) {
      engine_bell.begin_round();
      if (!ring.has_room_for_round()) {
        engine_bell.sleep();
        continue;
      }
      ring.push(event_of(id++));
      if (ring.publish()) loop_bell.ring();
    }
  });
  RequestId last = 0;
  std::vector<Event> events;
  while (last < kCount) {
    loop_bell.begin_round();
    events.clear();
    ring.drain(events);
    for (const Event& event : events) ASSERT_EQ(event.id, ++last);
    if (events.empty()) loop_bell.sleep();
  }
  engine.join();
}

}  // namespace
}  // namespace seraph
