#include "engine/base/text_link.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace seraph {

namespace fs = std::filesystem;

std::string follow_text_link(const std::string& path) {
  constexpr uintmax_t kLinkBytesMax = 1024;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return path;
  const uintmax_t size = fs::file_size(path, error);
  if (error || size == 0 || size > kLinkBytesMax) return path;
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const bool is_path = std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; });
  if (text.empty() || !is_path || text.front() == '/') return path;
  const fs::path target = (fs::path(path).parent_path() / text).lexically_normal();
  return fs::is_regular_file(target, error) ? target.string() : path;
}

}  // namespace seraph
