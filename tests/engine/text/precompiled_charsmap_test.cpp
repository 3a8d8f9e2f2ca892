#include "engine/text/precompiled_charsmap.h"

#include <gtest/gtest.h>

#include <cstring>

namespace seraph::text {
namespace {

// A trie that maps "A" to "a": the root's offset leads to unit 'A' ^ 256, whose value unit holds position 0.
std::string map_of_one_letter() {
  std::vector<uint32_t> units(1024, 0x80000000U);
  units[0] = 256U << 10;
  units[256 ^ 'A'] = ((512U ^ (256 ^ 'A')) << 10) | (1U << 8) | 'A';
  units[512] = 0x80000000U;
  std::string bytes(4, '\0');
  const uint32_t size = static_cast<uint32_t>(units.size() * 4);
  std::memcpy(bytes.data(), &size, 4);
  bytes.append(reinterpret_cast<const char*>(units.data()), size);
  return bytes + std::string("a\0", 2);
}

TEST(PrecompiledCharsmap, ReplacesWhatItKnows) {
  const auto map = PrecompiledCharsmap::parse(map_of_one_letter());
  ASSERT_TRUE(map.ok()) << map.error().text();
  EXPECT_EQ(map->apply("bAnAnA \xE4\xBD\xA0"), "banana \xE4\xBD\xA0");
  EXPECT_EQ(map->apply(std::string_view("\0A", 2)), std::string_view("\0a", 2));
}

TEST(PrecompiledCharsmap, ShortOrForeignBytesAreErrors) {
  EXPECT_FALSE(PrecompiledCharsmap::parse("abc").ok());
  EXPECT_FALSE(PrecompiledCharsmap::parse(std::string("\xFF\xFF\x00\x00", 4)).ok());
  EXPECT_FALSE(PrecompiledCharsmap::parse_base64("!").ok());
}

}  // namespace
}  // namespace seraph::text
