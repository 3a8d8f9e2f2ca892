// The post-processors of tokenizer.json, for one sequence: ids in front of the text's and ids behind.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph::text {

struct PostProcessor {
  std::vector<int32_t> before, after;
  /// Reads the value of the key "post_processor".
  static Result<PostProcessor> parse(const Json& spec);
};

}  // namespace seraph::text
