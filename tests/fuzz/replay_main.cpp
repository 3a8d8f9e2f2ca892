// Runs a fuzz target over the files of its corpus: what ctest does on every machine. With SERAPH_FUZZ the same
// target is linked with libFuzzer instead and searches for new inputs.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int num_files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      // Every prefix of a small input and a few bit flips: cheap neighbours that find what a fixed corpus misses.
      const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
      LLVMFuzzerTestOneInput(data, bytes.size());
      for (size_t n = 0; n < bytes.size() && bytes.size() <= 512; ++n) LLVMFuzzerTestOneInput(data, n);
      std::vector<uint8_t> flipped(data, data + bytes.size());
      for (size_t n = 0; n < 64 && !flipped.empty(); ++n) {
        const size_t at = (n * 2654435761U) % flipped.size();
        flipped[at] ^= static_cast<uint8_t>(1U << (n % 8));
        LLVMFuzzerTestOneInput(flipped.data(), flipped.size());
      }
      ++num_files;
    }
  }
  std::printf("%d corpus files replayed\n", num_files);
  return num_files > 0 ? 0 : 1;
}
