// Writes PEFT adapters: a safetensors file with LoRA matrices, and its adapter_config.json.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace seraph {

/// A tensor of float32 values; a second dimension of 0 makes a vector.
struct PeftTensor {
  std::string name;
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<float> values = {};
  std::string dtype = "F32";  // as the header says; the bytes are float32 in any case
};

inline std::vector<uint8_t> peft_file(const std::vector<PeftTensor>& tensors) {
  std::string header = "{";
  std::string data;
  for (const PeftTensor& tensor : tensors) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    const std::string shape = std::to_string(tensor.rows) + (tensor.cols > 0 ? "," + std::to_string(tensor.cols) : "");
    header += (header.size() > 1 ? ",\"" : "\"") + tensor.name + "\":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":[" +
              shape + "],\"data_offsets\":[" + std::to_string(begin) + ',' + std::to_string(data.size()) + "]}";
  }
  header += '}';
  while (header.size() % 8 != 0) header += ' ';
  std::vector<uint8_t> out(8);
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<uint8_t>(header.size() >> (8 * i));
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

/// lora_A and lora_B of a module with random values.
inline void add_lora(std::vector<PeftTensor>& out, const std::string& module, int64_t rank, int64_t inputs,
                     int64_t outputs, uint32_t seed = 1) {
  std::mt19937 random(seed);
  const auto values = [&random](int64_t count) {
    std::vector<float> list(static_cast<size_t>(count));
    for (float& value : list) value = static_cast<float>(random() >> 8) * 0x1p-25F - 0.25F;
    return list;
  };
  out.push_back({module + ".lora_A.weight", rank, inputs, values(rank * inputs)});
  out.push_back({module + ".lora_B.weight", outputs, rank, values(outputs * rank)});
}

inline void write_peft_folder(const std::filesystem::path& dir, const std::string& config,
                              const std::vector<PeftTensor>& tensors) {
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "adapter_config.json") << config;
  const std::vector<uint8_t> file = peft_file(tensors);
  std::ofstream(dir / "adapter_model.safetensors", std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
}

}  // namespace seraph
