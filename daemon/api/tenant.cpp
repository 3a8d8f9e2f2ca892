#include "daemon/api/tenant.h"

#include <openssl/sha.h>

#include <algorithm>

namespace seraph {

std::array<uint8_t, 16> tenant_salt(int32_t key_index, const std::string& cache_salt) {
  std::array<uint8_t, 16> out{};
  if (key_index < 0 && cache_salt.empty()) return out;
  const std::string text = std::to_string(key_index) + '\n' + cache_salt;
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

}  // namespace seraph
