#include "daemon/http/output_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace seraph {
namespace {

void append(OutputQueue& queue, std::string_view bytes) {
  queue.tail() += bytes;
  queue.commit();
}

TEST(OutputQueue, SmallPiecesShareASegmentAndBodiesKeepTheirMemory) {
  OutputQueue queue;
  append(queue, "head");
  append(queue, "er");
  std::string body(100'000, 'b');
  const char* memory = body.data();
  queue.append(std::move(body));
  std::array<std::string_view, 8> parts;
  ASSERT_EQ(queue.parts(parts, queue.bytes()), 2u);
  EXPECT_EQ(parts[0], "header");
  EXPECT_EQ(parts[1].data(), memory);
  EXPECT_EQ(queue.bytes(), 100'006);
}

TEST(OutputQueue, PinnedSegmentsDoNotMove) {
  OutputQueue queue;
  append(queue, "one");
  std::array<std::string_view, 8> parts;
  ASSERT_EQ(queue.parts(parts, 3), 1u);
  queue.pin();
  const std::string_view pinned = parts[0];
  for (int i = 0; i < 1000; ++i) append(queue, "more");
  EXPECT_EQ(pinned, "one");
  queue.unpin();
  queue.consume(3);
  EXPECT_EQ(queue.bytes(), 4000);
}

TEST(OutputQueue, RandomTrafficComesOutAsItWentIn) {
  std::mt19937 random(7);
  OutputQueue queue;
  std::string in, out;
  bool pinned = false;
  int64_t pinned_bytes = 0;
  std::array<std::string_view, 5> parts;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 3 != 0) {
      std::string bytes(random() % (random() % 50 == 0 ? 30'000 : 300), static_cast<char>('a' + random() % 26));
      in += bytes;
      if (random() % 2 == 0) {
        append(queue, bytes);
      } else {
        queue.append(std::move(bytes));
      }
    } else if (!pinned) {
      const size_t count = queue.parts(parts, random() % 20'000);
      pinned_bytes = 0;
      for (size_t i = 0; i < count; ++i) {
        pinned_bytes += static_cast<int64_t>(parts[i].size());
        out += parts[i];
      }
      queue.pin();
      pinned = true;
    } else {
      queue.unpin();
      queue.consume(pinned_bytes);
      pinned = false;
    }
    ASSERT_EQ(queue.bytes(), static_cast<int64_t>(in.size() - out.size()) + (pinned ? pinned_bytes : 0));
  }
  EXPECT_EQ(out, in.substr(0, out.size()));
  EXPECT_GT(out.size(), 1'000'000u);
}

}  // namespace
}  // namespace seraph
