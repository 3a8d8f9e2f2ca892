#include "daemon/commands/commands.h"

namespace seraph {

int run_lora(const Args&) {
  return report_error("lora", Error{ErrorCode::kUnsupported, "adapters are not offered yet",
                                    "merge the adapter into its base model and serve the result"});
}

}  // namespace seraph
