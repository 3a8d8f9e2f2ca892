// Config files: any text gives options or an error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/cli/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto table = seraph::server_options(seraph::Verb::kServe);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto assignments = seraph::parse_config_text(table, text, "fuzz.yaml");
  if (!assignments.ok()) return 0;
  seraph::Settings settings(table);
  for (const auto& assignment : *assignments) (void)settings.assign(assignment).ok();
  return 0;
}
