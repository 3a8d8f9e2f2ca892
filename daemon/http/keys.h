// Bearer keys. Only SHA-256 digests are kept, and every key is compared in constant time, so that neither memory
// nor timing gives one away. Immutable after construction.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seraph {

class KeyRing {
 public:
  explicit KeyRing(const std::vector<std::string>& keys);

  /// No key is set: everybody may enter.
  bool empty() const { return digests_.empty(); }

  /// The index of the key in "Bearer KEY" (scheme in any case, exactly one space, no trailing space); -1: none.
  int32_t find(std::string_view authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  std::vector<Digest> digests_;
};

}  // namespace seraph
