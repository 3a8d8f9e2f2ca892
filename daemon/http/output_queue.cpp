#include "daemon/http/output_queue.h"

#include "engine/base/check.h"

namespace seraph {
namespace {

constexpr size_t kSegmentBytes = 16 << 10;  // a fuller segment is not appended to
constexpr size_t kCopyBytes = 4 << 10;      // a smaller body is copied: one segment, one part of the writev

}  // namespace

std::string& OutputQueue::tail() {
  if (segments_.size() <= pinned_ || segments_.back().size() >= kSegmentBytes) {
    segments_.emplace_back();
  }
  tail_size_ = segments_.back().size();
  return segments_.back();
}

void OutputQueue::commit() {
  bytes_ += static_cast<int64_t>(segments_.back().size() - tail_size_);
  tail_size_ = segments_.back().size();
}

void OutputQueue::append(std::string&& body) {
  if (body.size() < kCopyBytes) {
    tail() += body;
    commit();
    return;
  }
  bytes_ += static_cast<int64_t>(body.size());
  segments_.push_back(std::move(body));
  tail_size_ = segments_.back().size();
}

size_t OutputQueue::parts(std::span<std::string_view> out, int64_t bytes_max) const {
  size_t count = 0;
  size_t offset = head_offset_;
  for (const std::string& segment : segments_) {
    if (count == out.size() || bytes_max <= 0) break;
    const std::string_view part = std::string_view(segment).substr(offset, static_cast<size_t>(bytes_max));
    offset = 0;
    if (part.empty()) continue;
    out[count++] = part;
    bytes_max -= static_cast<int64_t>(part.size());
  }
  return count;
}

void OutputQueue::consume(int64_t count) {
  SERAPH_CHECK(count <= bytes_ && pinned_ == 0, "only queued, unpinned bytes can have been sent");
  bytes_ -= count;
  while (count > 0) {
    const auto left = static_cast<int64_t>(segments_.front().size() - head_offset_);
    if (count < left) {
      head_offset_ += static_cast<size_t>(count);
      return;
    }
    count -= left;
    head_offset_ = 0;
    if (segments_.size() == 1 && segments_.front().capacity() <= 2 * kSegmentBytes) {
      segments_.front().clear();  // its memory serves the next answer
    } else {
      segments_.pop_front();
    }
  }
}

}  // namespace seraph
