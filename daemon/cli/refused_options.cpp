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
            "Online and packed quantisation are not offered yet; serve the checkpoint in float32, bfloat16 or float16.",
            "-q", "QUANTIZATION"),
    refused("quantization-config", T::kString, "", "Quantisation is not offered yet."),
    refused("tensor-parallel-size", T::kInt, "0|1", "One device computes; several are not offered yet.", "-tp", "TP"),
    refused("pipeline-parallel-size", T::kInt, "0|1", "One device computes; several are not offered yet.", "-pp"),
    refused("data-parallel-size", T::kInt, "0|1", "One device computes; several are not offered yet.", "-dp"),
    refused("nnodes", T::kInt, "0|1", "One machine computes; several are not offered yet.", "-n"),
    refused("decode-context-parallel-size", T::kInt, "0|1", "One device computes; several are not offered yet.",
            "-dcp"),
    refused("prefill-context-parallel-size", T::kInt, "0|1", "One device computes; several are not offered yet.",
            "-pcp"),
    refused("api-server-count", T::kInt, "0|1", "One process serves; it needs no copies.", "-asc"),
    refused("enable-lora", T::kBool, "false", "Adapters are not offered yet."),
    refused("lora-modules", T::kList, "", "Adapters are not offered yet."),
    refused("default-mm-loras", T::kJson, "", "Adapters are not offered yet."),
    refused("qlora-adapter-name-or-path", T::kString, "", "Adapters are not offered yet."),
    refused("prompt-adapters", T::kList, "", "Prompt adapters are not offered."),
    refused("enable-prompt-adapter", T::kBool, "false", "Prompt adapters are not offered."),
    refused("speculative-model", T::kString, "", "Draft models are not offered; --use-lookahead needs none."),
    refused("speculative-config", T::kString, "", "Draft models are not offered; --use-lookahead needs none.", "-sc"),
    refused("spec-model", T::kString, "", "Draft models are not offered; --use-lookahead needs none."),
    refused("spec-method", T::kString, "ngram", "Draft models are not offered; --use-lookahead needs none."),
    refused("kv-cache-dtype", T::kString, "auto",
            "Keys and values are kept in the type that the device chooses for --dtype."),
    refused("rope-scaling", T::kJson, "", "The rotary scaling is the one of config.json; change it there."),
    refused("rope-theta", T::kFloat, "", "The rotary base is the one of config.json; change it there."),
    refused("hf-overrides", T::kJson, "", "Overriding config.json is not offered; change the file."),
    refused("model-class-overrides", T::kJson, "", "Python classes cannot be loaded."),
    refused("hf-config-path", T::kString, "", "Config.json is read from the model folder."),
    refused("disable-sliding-window", T::kBool, "false", "Attention follows the checkpoint."),
    refused("skip-tokenizer-init", T::kBool, "false", "The server needs its tokenizer."),
    refused("tokens-only", T::kBool, "false", "The token-only server is not offered."),
    refused("middleware", T::kList, "", "Python middleware cannot be loaded."),
    refused("logits-processors", T::kList, "", "Python logits processors cannot be loaded."),
    refused("io-processor-plugin", T::kString, "", "Python plugins cannot be loaded."),
    refused("tool-parser-plugin", T::kString, "", "Python plugins cannot be loaded."),
    refused("reasoning-parser-plugin", T::kString, "", "Python plugins cannot be loaded."),
    refused("tool-server", T::kString, "", "Tool servers are not offered."),
    refused("reasoning-parser", T::kString, "", "Splitting off the reasoning of an answer is not offered yet."),
    refused("enable-reasoning", T::kBool, "false", "Splitting off the reasoning of an answer is not offered yet."),
    refused("reasoning-config", T::kJson, "", "Splitting off the reasoning of an answer is not offered yet."),
    refused("ssl-keyfile", T::kString, "", "TLS is not offered yet; put a proxy in front."),
    refused("ssl-certfile", T::kString, "", "TLS is not offered yet; put a proxy in front."),
    refused("ssl-ca-certs", T::kString, "", "TLS is not offered yet; put a proxy in front."),
    refused("ssl-cert-reqs", T::kInt, "0", "TLS is not offered yet; put a proxy in front."),
    refused("grpc", T::kBool, "false", "The server speaks HTTP only."),
    refused("grpc-port", T::kInt, "", "The server speaks HTTP only."),
    refused("headless", T::kBool, "false", "Engine and HTTP server are one process."),
    refused("runner", T::kString, "auto|generate", "Embedding and scoring are not offered yet."),
    refused("convert", T::kString, "auto|none", "Embedding and scoring are not offered yet."),
    refused("task", T::kString, "auto|generate", "Embedding and scoring are not offered yet."),
    refused("pooler-config", T::kJson, "", "Embedding and scoring are not offered yet."),
    refused("override-pooler-config", T::kJson, "", "Embedding and scoring are not offered yet."),
    refused("enable-prompt-embeds", T::kBool, "false", "Prompts are text or token ids."),
    refused("watermark-config", T::kJson, "", "Answers carry no watermark."),
    refused("diffusion-config", T::kJson, "", "Diffusion models are not offered.", "-dc"),
    refused("kv-transfer-config", T::kJson, "", "Moving KV blocks between servers is not offered."),
    refused("ec-transfer-config", T::kJson, "", "Moving encoder results between servers is not offered."),
    refused("weight-transfer-config", T::kJson, "", "Changing weights while running is not offered."),
    refused("max-num-queued-tokens", T::kInt, "0", "Admission by tokens is not offered; see --max-num-queued-reqs."),
    refused("enable-sleep-mode", T::kBool, "false", "Sleeping is not offered."),
    refused("enable-mm-embeds", T::kBool, "false", "Only text is served."),
    refused("logits-processor-pattern", T::kString, "", "Python logits processors cannot be loaded."),
};

}  // namespace

std::span<const OptionRow> refused_options() { return kRefused; }

}  // namespace seraph
