#include "daemon/http/keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace seraph {
namespace {

constexpr std::string_view kScheme = "bearer ";

std::array<unsigned char, 32> digest_of(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

bool has_scheme(std::string_view authorization) {
  if (authorization.size() <= kScheme.size()) return false;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    const char c = authorization[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower != kScheme[i]) return false;
  }
  return true;
}

}  // namespace

KeyRing::KeyRing(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    digests_.push_back(digest_of(key));
  }
}

int32_t KeyRing::find(std::string_view authorization) const {
  return has_scheme(authorization) ? find_bare(authorization.substr(kScheme.size())) : -1;
}

int32_t KeyRing::find_bare(std::string_view key) const {
  if (digests_.empty() || key.empty()) {
    return -1;
  }
  const Digest presented = digest_of(key);
  int32_t found = -1;
  // No early exit: the time must not say which key, or how many, came close.
  for (size_t i = 0; i < digests_.size(); ++i) {
    const bool equal = CRYPTO_memcmp(digests_[i].data(), presented.data(), presented.size()) == 0;
    found = equal && found < 0 ? static_cast<int32_t>(i) : found;
  }
  return found;
}

std::string KeyRing::owner(int32_t index) const {
  if (index < 0) return {};
  const Digest& key = digests_[static_cast<size_t>(index)];
  // Hashed once more: what authorises is not written to disk, not even as a digest.
  const Digest digest = digest_of({reinterpret_cast<const char*>(key.data()), key.size()});
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < 8; ++i) {
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

}  // namespace seraph
