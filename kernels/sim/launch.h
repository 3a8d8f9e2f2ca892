// Part of launch.h for the simulator: a launch becomes a queued closure that owns copies of the arguments.
#pragma once

#include <functional>

namespace seraph::sim {
cuda::Status enqueue_launch(const cuda::LaunchConfig& config, std::function<void()> body);
}

namespace seraph::cuda {

template <typename... Parameters, typename... Arguments>
Status launch(void (*kernel)(Parameters...), const LaunchConfig& config, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  return sim::enqueue_launch(config, [kernel, values] { std::apply(kernel, values); });
}

}  // namespace seraph::cuda
