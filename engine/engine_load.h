// From options to a loaded model that can run steps: checkpoint -> spec -> choices -> backend -> weights -> KV cache.
// Runs on the engine thread, so that the backend belongs to that thread from the start.
#pragma once

#include <memory>

#include "engine/base/result.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/engine.h"
#include "engine/model/decoder.h"
#include "engine/schedule/scheduler.h"
#include "engine/step_executor.h"
#include "kernels/backend.h"

namespace seraph {

/// Members in order of construction; destroyed backwards.
struct LoadedModel {
  std::unique_ptr<Checkpoint> checkpoint;  // stays open: weights may be mapped
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<StepExecutor> executor;
  SchedulerLimits limits;
  EngineInfo info;
};

Result<LoadedModel> load_model(const EngineOptions& options);

}  // namespace seraph
