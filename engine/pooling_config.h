// From the files of a checkpoint to what it is good for: does it generate or pool, how hidden states become a vector,
// which head follows. config.json's architecture, the modules.json of sentence-transformers and the command line
// decide, in vLLM's way (its rules: golden/embeddings/pooling_derivation.json). Pure but for reading small files.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/request.h"

namespace seraph {

/// The command line's part.
struct PoolingChoices {
  std::string runner = "auto";   // auto | generate | pooling
  std::string convert = "auto";  // auto | none | embed | classify
  Json pooler;                   // null or an object: --pooler-config
};

/// What is done to a pooled vector, [hidden] -> [PoolingInfo::width].
struct PoolingHeadSpec {
  enum class Kind : uint8_t {
    kNone,
    kDense,   // a Dense module: a file of its own in `folder`
    kScore,   // score.weight of a ...ForSequenceClassification
    kTokens,  // rows of the generating head: of `tokens`, or the difference of two
  };
  enum class Function : uint8_t { kIdentity, kTanh, kRelu, kGelu, kSigmoid };

  Kind kind = Kind::kNone;
  std::string folder;  // kDense
  int32_t inputs = 0;  // kDense: checked against hidden_size when loaded
  bool bias = false;   // kDense
  Function function = Function::kIdentity;
  std::vector<std::string> tokens;  // kTokens
  bool difference = false;          // kTokens: one number, the second token's logit minus the first one's
};

struct PoolingPlan {
  PoolingInfo info;  // width: 0 stands for the hidden size
  PoolingHeadSpec head;
};

/// Errors: kInvalidArgument (the command line asks for what the checkpoint is not), kCorrupt and kUnsupported (files).
Result<PoolingPlan> plan_pooling(const Checkpoint& checkpoint, const PoolingChoices& choices);

}  // namespace seraph
