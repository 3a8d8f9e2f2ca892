// The card that a program of the kit finds.
#pragma once

#include <string>

#include "kernels/cuda/runtime.h"

namespace seraph::gpu {

/// As ctest and automake have it: skipped.
constexpr int kExitNoCard = 77;

struct Card {
  bool found = false;
  std::string text = {};  // its name and generation, or one sentence that says why there is none
  cuda::DeviceProperties properties = {};
};

inline Card find_card() {
  int32_t count = 0;
  cuda::Status status = cuda::device_count(count);
  if (status.ok() && count == 0) return {false, "no CUDA device is visible"};
  Card card;
  if (status.ok()) status = cuda::set_device(0);
  if (status.ok()) status = cuda::device_properties(0, card.properties);
  if (!status.ok()) return {false, cuda::describe(status)};
  card.found = true;
  card.text = card.properties.name + ", sm_" + std::to_string(card.properties.sm_version) + ", " +
              std::to_string(card.properties.num_sms) + " multiprocessors";
  return card;
}

}  // namespace seraph::gpu
