#include "engine/checkpoint/safetensors.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

Result<std::vector<SafetensorsEntry>> parse(const std::string& header, int64_t data_bytes, int64_t claimed = -1) {
  std::string bytes(8, '\0');
  const uint64_t length = claimed < 0 ? header.size() : static_cast<uint64_t>(claimed);
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i));
  bytes += header;
  const auto size = static_cast<int64_t>(bytes.size()) + data_bytes;
  return parse_safetensors_header({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, size);
}

void expect_refused(const std::string& header, int64_t data_bytes, const std::string& word) {
  const auto entries = parse(header, data_bytes);
  ASSERT_FALSE(entries.ok()) << header;
  EXPECT_NE(entries.error().message.find(word), std::string::npos) << entries.error().text();
  EXPECT_FALSE(entries.error().remedy.empty());
}

TEST(Safetensors, ListsTensorsInFileOrderWithTheirPlaces) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[6,14]},)"
      R"("a":{"dtype":"BF16","shape":[1,3],"data_offsets":[0,6]},"e":{"dtype":"I64","shape":[0,4],"data_offsets":[14,14]},)"
      R"("s":{"dtype":"U8","shape":[],"data_offsets":[14,15]}}   )";
  const auto entries = parse(header, 15);
  ASSERT_TRUE(entries.ok()) << entries.error().text();
  ASSERT_EQ(entries->size(), 4U);
  const auto begin = static_cast<int64_t>(8 + header.size());
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[0].shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ((*entries)[0].begin, begin);
  EXPECT_EQ((*entries)[1].name, "b");
  EXPECT_EQ((*entries)[1].end, begin + 14);
  EXPECT_EQ((*entries)[3].dtype, "U8");
  EXPECT_TRUE(parse("{}", 0).ok());
}

TEST(Safetensors, RefusesHeadersThatDoNotFitTheFile) {
  EXPECT_FALSE(parse_safetensors_header({}, 0).ok());
  EXPECT_FALSE(parse("{}", 0, 3).ok());
  EXPECT_FALSE(parse("{}", 0, int64_t{1} << 62).ok());
  EXPECT_NE(parse("{}", 0, 200'000'000).error().message.find("limit is 100000000"), std::string::npos);
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n";
  const auto lfs = parse_safetensors_header({reinterpret_cast<const uint8_t*>(pointer.data()), pointer.size()},
                                            static_cast<int64_t>(pointer.size()));
  ASSERT_FALSE(lfs.ok());
  EXPECT_NE(lfs.error().text().find("git lfs pull"), std::string::npos);
}

TEST(Safetensors, RefusesTensorsThatContradictTheirBytes) {
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  EXPECT_TRUE(parse(one("F16", "[2,2]", "[0,8]"), 8).ok());
  expect_refused(one("F16", "[2,2]", "[0,8]"), 7, "truncated");
  expect_refused(one("F16", "[2,2]", "[0,8]"), 9, "the file has");
  expect_refused(one("F16", "[2,2]", "[1,9]"), 9, "belong to no tensor");
  expect_refused(one("F16", "[2,2]", "[0,6]"), 6, "do not hold");
  expect_refused(one("F16", "[2,2]", "[8,0]"), 8, "begin <= end");
  expect_refused(one("F16", "[2,2]", "[0,8,8]"), 8, "data_offsets");
  expect_refused(one("F16", "[2,2]", "[-8,0]"), 8, "at least 0");
  expect_refused(one("F16", "[2,2]", "[0,18446744073709551615]"), 8, "at least 0");
  expect_refused(one("F16", "[4294967296,4294967296,4294967296]", "[0,8]"), 8, "do not hold");
  expect_refused(one("F16", "[2.5]", "[0,5]"), 5, "whole number");
  expect_refused(one("F16", "{}", "[0,2]"), 2, "shape");
  expect_refused(one("F16", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,2]"), 2, "shape");
  expect_refused(one("F4", "[3]", "[0,1]"), 1, "do not hold");
  expect_refused(one("Q4_K", "[2]", "[0,4]"), 4, "unknown dtype");
  EXPECT_EQ(parse(one("Q4_K", "[2]", "[0,4]"), 4).error().code, ErrorCode::kUnsupported);
}

TEST(Safetensors, RefusesOverlapsAndDuplicateNames) {
  const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  expect_refused("{" + a + R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6, "overlaps");
  expect_refused("{" + a + "," + a + "}", 4, "twice");
  expect_refused(R"({"__metadata__":{},"__metadata__":{}})", 0, "twice");
}

TEST(Safetensors, RefusesWhatIsNoHeader) {
  for (const char* header : {"", "[]", "{", "null", "{\"a\":1}", "{\"a\":{}}", "{\"__metadata__\":{\"a\":1}}",
                             "{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,0]}}", "\xff\xfe"}) {
    EXPECT_FALSE(parse(header, 0).ok()) << header;
  }
}

}  // namespace
}  // namespace seraph
