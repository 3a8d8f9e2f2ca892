// The options of adapters (LoRA).
#include "daemon/cli/option.h"

namespace seraph {
namespace {

using T = OptionType;
using G = OptionGroup;

constexpr OptionRow kAdapters[] = {
    {.name = "enable-lora",
     .type = T::kBool,
     .group = G::kApi,
     .help = "Serve adapters (PEFT folders of LoRA matrices); a request names one as its model.",
     .serve_default = "false"},
    {.name = "lora-modules",
     .type = T::kList,
     .group = G::kApi,
     .help =
         "Adapters to serve from the start: NAME=FOLDER, or {\"name\": ..., \"path\": ..., \"base_model_name\": ...}. "
         "Switches --enable-lora on."},
    {.name = "allow-runtime-lora-updating",
     .type = T::kBool,
     .group = G::kApi,
     .help = "POST /v1/load_lora_adapter and /v1/unload_lora_adapter exist. Not set: they do when a key is set or the "
             "server listens on loopback.",
     .env_always = "VLLM_ALLOW_RUNTIME_LORA_UPDATING"},
    {.name = "max-loras",
     .type = T::kInt,
     .group = G::kEngine,
     .help = "Different adapters in one step; memory for so many is taken at the start.",
     .serve_default = "1",
     .min = 1,
     .max = 1024},
    {.name = "max-lora-rank",
     .type = T::kInt,
     .group = G::kEngine,
     .help = "Largest rank of an adapter.",
     .serve_default = "16",
     .min = 1,
     .max = 512},
    {.name = "max-cpu-loras",
     .type = T::kInt,
     .group = G::kEngine,
     .help = "Adapters kept in main memory; others are read again when a request names them. 0: as --max-loras.",
     .serve_default = "0",
     .min = 0,
     .max = 1 << 20},
};

}  // namespace

std::span<const OptionRow> adapter_options() { return kAdapters; }

}  // namespace seraph
