// Every operation of a backend on a GPU: a launcher per operation, each with plain arguments and a contract in the
// header named here. A backend class is a thin layer over them: it copies lists that live on the host (ids, slots,
// block tables, sampling rows) to the device, keeps the workspaces, and turns a Status into a DeviceStatus.
#pragma once

#include "kernels/cuda/attention_decode.h"   // rows of decode steps and drafts, over a paged cache
#include "kernels/cuda/attention_prefill.h"  // chunks of prompts, over a paged cache
#include "kernels/cuda/copy_kv_blocks.h"     // whole KV blocks
#include "kernels/cuda/feed_tokens.h"        // ids drawn by the step before
#include "kernels/cuda/gather_rows.h"        // embedding, and rows that need logits
#include "kernels/cuda/linear_skinny.h"      // products of up to 64 rows; weights at load time
#include "kernels/cuda/lora.h"               // adapters of any linear, a slot per row
#include "kernels/cuda/rms_norm.h"           // with the residual add
#include "kernels/cuda/rope_cache.h"         // q and k norms, rotation, KV write
#include "kernels/cuda/sample.h"             // logits to tokens and logprobs
#include "kernels/cuda/silu_mul.h"           // the gate, behind products of more rows
#include "kernels/cuda/swap_kv_blocks.h"     // KV blocks to pinned host memory and back
