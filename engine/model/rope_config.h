// Reads the rotary embedding of a config.json in both dialects: rope_theta with rope_scaling, and the
// rope_parameters of transformers 5.
#pragma once

#include "engine/checkpoint/config_reader.h"
#include "engine/model/spec.h"

namespace seraph {

/// Sets `spec.rope` from the config and raises `spec.max_positions` to what the scaling reaches.
/// REQUIRES: spec.head_dim and spec.max_positions (the config's max_position_embeddings) are set.
void read_rope(ConfigReader& config, DecoderSpec& spec);

}  // namespace seraph
