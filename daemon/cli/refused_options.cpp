// Options of vLLM that would change answers or break a promise if they were merely taken: the process does not start
// with them, and says why. `allowed` holds the values that ask for nothing.
#include "daemon/cli/option.h"

namespace seraph {
namespace {

using T = OptionType;

constexpr OptionRow refused(const char* name, OptionType type, const char* allowed, const char* why,
                            const char* aliases = "", const char* env_run = nullptr) {
  return OptionRow{.name = name,
                   .type = type,
                   .use = OptionUse::kRefused,
                   .help = why,
                   .aliases = aliases,
                   .env_run = env_run,
                   .allowed = allowed};
}

constexpr OptionRow kRefused[] = {
    refused("quantization", T::kString, "",
            "quantisation is not in this build yet; serve the checkpoint in float32, bfloat16 or float16.", "-q",
            "QUANTIZATION"),
    refused("quantization-config", T::kString, "", "quantisation is not in this build yet."),
    refused("tensor-parallel-size", T::kInt, "0|1", "one device computes; several are not in this build yet.", "-tp",
            "TP"),
    refused("pipeline-parallel-size", T::kInt, "0|1", "one device computes; several are not in this build yet.", "-pp"),
    refused("data-parallel-size", T::kInt, "0|1", "one device computes; several are not in this build yet.", "-dp"),
    refused("nnodes", T::kInt, "0|1", "one machine computes; several are not in this build yet.", "-n"),
    refused("decode-context-parallel-size", T::kInt, "0|1", "one device computes; several are not in this build yet.",
            "-dcp"),
    refused("prefill-context-parallel-size", T::kInt, "0|1", "one device computes; several are not in this build yet.",
            "-pcp"),
    refused("api-server-count", T::kInt, "0|1", "one process serves; it needs no copies.", "-asc"),
    refused("default-mm-loras", T::kJson, "", "only text is served, and adapters are named by requests."),
    refused("qlora-adapter-name-or-path", T::kString, "", "adapters are given with --lora-modules."),
    refused("prompt-adapters", T::kList, "", "prompt adapters are not offered."),
    refused("enable-prompt-adapter", T::kBool, "false", "prompt adapters are not offered."),
    refused("speculative-model", T::kString, "", "draft models are not offered; --use-lookahead needs none."),
    refused("speculative-config", T::kString, "", "draft models are not offered; --use-lookahead needs none.", "-sc"),
    refused("spec-model", T::kString, "", "draft models are not offered; --use-lookahead needs none."),
    refused("spec-method", T::kString, "ngram", "draft models are not offered; --use-lookahead needs none."),
    refused("model-class-overrides", T::kJson, "", "Python classes cannot be loaded."),
    refused("hf-config-path", T::kString, "", "config.json is read from the model folder."),
    refused("disable-sliding-window", T::kBool, "false", "attention follows the checkpoint."),
    refused("skip-tokenizer-init", T::kBool, "false", "the server needs its tokenizer."),
    refused("tokens-only", T::kBool, "false", "the token-only server is not offered."),
    refused("middleware", T::kList, "", "Python middleware cannot be loaded."),
    refused("logits-processors", T::kList, "", "Python logits processors cannot be loaded."),
    refused("io-processor-plugin", T::kString, "", "Python plugins cannot be loaded."),
    refused("tool-parser-plugin", T::kString, "", "Python plugins cannot be loaded."),
    refused("reasoning-parser-plugin", T::kString, "", "Python plugins cannot be loaded."),
    refused("tool-server", T::kString, "", "tool servers are not offered."),
    refused("reasoning-config", T::kJson, "", "other tags than a parser's own are not offered."),
    refused("grpc", T::kBool, "false", "the server speaks HTTP only."),
    refused("grpc-port", T::kInt, "", "the server speaks HTTP only."),
    refused("headless", T::kBool, "false", "engine and HTTP server are one process."),
    refused("enable-prompt-embeds", T::kBool, "false", "prompts are text or token ids."),
    refused("watermark-config", T::kJson, "", "answers carry no watermark."),
    refused("diffusion-config", T::kJson, "", "diffusion models are not offered.", "-dc"),
    refused("kv-transfer-config", T::kJson, "", "moving KV blocks between servers is not offered."),
    refused("ec-transfer-config", T::kJson, "", "moving encoder results between servers is not offered."),
    refused("weight-transfer-config", T::kJson, "", "changing weights while running is not offered."),
    refused("max-num-queued-tokens", T::kInt, "0", "admission by tokens is not offered; see --max-num-queued-reqs."),
    refused("enable-mm-embeds", T::kBool, "false", "only text is served."),
    refused("logits-processor-pattern", T::kString, "", "Python logits processors cannot be loaded."),
};

}  // namespace

std::span<const OptionRow> refused_options() { return kRefused; }

}  // namespace seraph
