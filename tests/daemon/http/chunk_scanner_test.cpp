#include "daemon/http/chunk_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace seraph {
namespace {

constexpr std::string_view kBody = "4;a=b\r\nWiki\r\nB\r\npedia\r\n\nwww\r\n0\r\nTrailer: x\r\n\r\n";

TEST(ChunkScanner, FindsTheEndOfTheBodyHoweverItIsCut) {
  const std::string bytes = std::string(kBody) + "GET / HTTP/1.1\r\n";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    ChunkScanner scanner;
    size_t read = scanner.scan(std::string_view(bytes).substr(0, cut));
    EXPECT_EQ(scanner.done(), cut >= kBody.size()) << cut;
    read += scanner.scan(std::string_view(bytes).substr(read));
    EXPECT_TRUE(scanner.done()) << cut;
    EXPECT_EQ(read, kBody.size()) << cut;
  }
}

TEST(ChunkScanner, LinesEndInCrLfAndNothingElse) {
  for (const char* bytes : {"0\n\r\n", "0\r\n\n", "0\r\n\r\r\n", "0\r\nX: a\n\n", "0\r\nX: a\r\r\n", "1\r\na\n",
                            "1\r\na\r\r", "1\r\nab", "0;a\rb\r\n", "0;a\nb\r\n", "\r\n", "fffffffffffffffff\r\n"}) {
    ChunkScanner scanner;
    scanner.scan(bytes);
    EXPECT_TRUE(scanner.failed()) << bytes;
  }
}

}  // namespace
}  // namespace seraph
