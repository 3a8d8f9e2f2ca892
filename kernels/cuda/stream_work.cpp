#include "kernels/cuda/stream_work.h"

namespace seraph::cuda {
namespace {

// A fault that comes while memory is given back was or will be seen by the next call on the stream.
void free_device(void* data, int64_t /*bytes*/) { static_cast<void>(release(data).ok()); }
void free_pinned(void* data, int64_t /*bytes*/) { static_cast<void>(release_pinned(data).ok()); }

}  // namespace

StreamWork::~StreamWork() {
  if (open_) static_cast<void>(destroy_stream(stream_).ok());
}

bool StreamWork::open() {
  open_ = check(create_stream(stream_));
  return open_;
}

bool StreamWork::check(const Status& status) {
  if (!status.ok() && fault_.empty()) fault_ = describe(status);
  return status.ok();
}

Buffer StreamWork::allocate(int64_t bytes) {
  void* data = nullptr;
  if (failed() || bytes <= 0) return {};
  const Status status = cuda::allocate(&data, bytes);
  if (status.code == kErrorOutOfMemory) return {};
  if (!check(status)) return {};
  Buffer buffer(data, bytes, free_device);
  fill_zero(data, bytes);
  return buffer;
}

Buffer StreamWork::allocate_pinned(int64_t bytes) {
  void* data = nullptr;
  if (failed() || bytes <= 0) return {};
  const Status status = cuda::allocate_pinned(&data, bytes);
  if (status.code == kErrorOutOfMemory) return {};
  if (!check(status)) return {};
  return Buffer(data, bytes, free_pinned);
}

bool StreamWork::reserve(Buffer& buffer, int64_t bytes) {
  if (buffer.bytes() >= bytes) return true;
  buffer = Buffer();
  buffer = allocate(bytes);
  return buffer.data() != nullptr;
}

void StreamWork::copy(void* to, const void* from, int64_t bytes, CopyKind kind) {
  if (!failed() && bytes > 0) check(copy_async(to, from, bytes, kind, stream_));
}

void StreamWork::fill_zero(void* data, int64_t bytes) {
  if (!failed() && bytes > 0) check(fill_async(data, 0, bytes, stream_));
}

}  // namespace seraph::cuda
