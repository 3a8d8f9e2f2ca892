#include "engine/checkpoint/mapped_file.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace seraph {
namespace {

// Linux cuts one request for read-ahead at the disk's preferred size (often 128 KiB to 1.25 MiB), so the
// requests are small and many.
constexpr int64_t kRequestBytes = 128 * 1024;
// How far the requests run ahead of the pages being touched: enough for a fast disk's queue.
constexpr int64_t kAheadBytes = 16 * 1024 * 1024;
constexpr int64_t kPageBytes = 4096;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

Error system_error(const std::string& path, const char* what) {
  const int code = errno;
  return Error{code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(code)),
               code == EACCES ? "let the user that runs seraph read the model folder" : ""};
}

}  // namespace

Result<std::unique_ptr<MappedFile>> MappedFile::open(const std::string& path) {
  // Without O_NONBLOCK a pipe of that name would block until somebody writes to it.
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return system_error(path, "open");
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return system_error(path, "stat");
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kCorrupt, fmt::format("{} is not a file", path), ""};
  if (info.st_size == 0) return std::unique_ptr<MappedFile>(new MappedFile(path, nullptr, 0));
  void* data = ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return system_error(path, "map");
  return std::unique_ptr<MappedFile>(new MappedFile(path, static_cast<const uint8_t*>(data), info.st_size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), static_cast<size_t>(size_));
}

void MappedFile::will_need(int64_t begin, int64_t count) const {
  const int64_t from = begin / kPageBytes * kPageBytes;
  const int64_t to = std::min(begin + count, size_);
  if (from < to) ::madvise(const_cast<uint8_t*>(data_) + from, static_cast<size_t>(to - from), MADV_WILLNEED);
}

void MappedFile::dont_need(int64_t begin, int64_t count) const {
  const int64_t from = (begin + kPageBytes - 1) / kPageBytes * kPageBytes;
  const int64_t to = std::min(begin + count, size_) / kPageBytes * kPageBytes;
  if (from < to) ::madvise(const_cast<uint8_t*>(data_) + from, static_cast<size_t>(to - from), MADV_DONTNEED);
}

ReadAhead::ReadAhead(std::vector<const MappedFile*> files) : files_(std::move(files)), thread_([this] { run(); }) {}

ReadAhead::~ReadAhead() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void ReadAhead::run() {
  for (const MappedFile* file : files_) {
    const auto bytes = file->bytes();
    const auto size = static_cast<int64_t>(bytes.size());
    int64_t requested = 0;
    for (int64_t at = 0; at < size; at += kRequestBytes) {
      for (; requested < std::min(size, at + kAheadBytes); requested += kRequestBytes) {
        file->will_need(requested, kRequestBytes);
      }
      if (stop_.load(std::memory_order_relaxed)) return;
      // Touching a byte of each page paces the requests by the disk and maps the pages for the loader.
      for (int64_t page = at; page < std::min(size, at + kRequestBytes); page += kPageBytes) {
        static_cast<void>(*static_cast<const volatile uint8_t*>(bytes.data() + page));
      }
    }
  }
}

}  // namespace seraph
