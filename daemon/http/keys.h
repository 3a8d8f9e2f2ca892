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
  /// The same for a header that holds nothing but the key (x-api-key, as Anthropic's clients send it).
  int32_t find_bare(std::string_view key) const;

  /// A name for what belongs to the key: the same in every run, and no way back to the key. "" for -1.
  std::string owner(int32_t index) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  std::vector<Digest> digests_;
};

}  // namespace seraph
