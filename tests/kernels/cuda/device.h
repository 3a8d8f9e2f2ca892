// The device of one test: on the simulator a fresh one, so that a defect in one case leaves the next alone and leaks
// show; on a GPU the process's own.
#pragma once

#include <gtest/gtest.h>

#ifdef SERAPH_CUDA_SIM
#include "kernels/sim/device.h"
#endif

namespace seraph::cuda_test {

#ifdef SERAPH_CUDA_SIM
using TestDevice = sim::Device;
#else
struct TestDevice {
  TestDevice() {}  // not trivial, so that an unused one draws no warning
};
#endif

}  // namespace seraph::cuda_test
