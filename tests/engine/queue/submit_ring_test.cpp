#include "engine/queue/submit_ring.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace seraph {
namespace {

std::unique_ptr<Request> request_of(RequestId id) {
  auto request = std::make_unique<Request>();
  request->id = id;
  return request;
}

TEST(SubmitRing, RefusesWhatDoesNotFitAndLeavesItWithTheCaller) {
  Doorbell doorbell;
  SubmitRing ring(2, doorbell);
  auto one = request_of(1);
  auto two = request_of(2);
  auto three = request_of(3);
  EXPECT_TRUE(ring.try_submit(one));
  EXPECT_TRUE(ring.try_submit(two));
  EXPECT_FALSE(ring.try_submit(three));
  EXPECT_EQ(three->id, 3U);
}

TEST(SubmitRing, CancelsAreNeverRefused) {
  Doorbell doorbell;
  SubmitRing ring(2, doorbell);
  for (RequestId id = 1; id <= 7; ++id) ring.cancel(id);
  std::vector<std::unique_ptr<Request>> requests;
  std::vector<RequestId> cancels;
  for (int i = 0; i < 4; ++i) {
    ring.drain(requests, cancels);
    ring.flush_cancels();
  }
  EXPECT_EQ(cancels, (std::vector<RequestId>{1, 2, 3, 4, 5, 6, 7}));
}

TEST(SubmitRing, ACancelNeverArrivesBeforeItsRequest) {
  Doorbell doorbell;
  SubmitRing ring(8, doorbell);
  constexpr RequestId kCount = 20000;
  std::thread loop([&ring] {
    for (RequestId id = 1; id <= kCount; ++id) {
      auto request = request_of(id);
      while (!ring.try_submit(request)) std::this_thread::yield();
      ring.cancel(id);
    }
    for (int i = 0; i < 1000; ++i) {
      ring.flush_cancels();
      std::this_thread::yield();
    }
  });
  std::set<RequestId> known;
  size_t cancelled = 0;
  std::vector<std::unique_ptr<Request>> requests;
  std::vector<RequestId> cancels;
  while (cancelled < kCount) {
    requests.clear();
    cancels.clear();
    ring.drain(requests, cancels);
    for (const auto& request : requests) known.insert(request->id);
    for (const RequestId id : cancels) ASSERT_TRUE(known.contains(id));
    cancelled += cancels.size();
    if (cancels.empty()) std::this_thread::yield();
  }
  loop.join();
}

}  // namespace
}  // namespace seraph
