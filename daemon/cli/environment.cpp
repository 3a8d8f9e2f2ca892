#include <cstdlib>

#include "daemon/cli/settings.h"

namespace seraph {

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace seraph
