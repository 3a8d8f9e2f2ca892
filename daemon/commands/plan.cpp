#include "daemon/commands/plan.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cstdio>

#include "daemon/cli/help.h"
#include "daemon/cli/settings.h"
#include "daemon/commands/commands.h"

namespace seraph {
namespace {

using T = OptionType;
using G = OptionGroup;

constexpr OptionRow kPlanOptions[] = {
    {.name = "model", .group = G::kTool, .help = "Folder to take the numbers from; the options below win over it."},
    {.name = "parameters-b", .type = T::kFloat, .group = G::kTool, .help = "Parameters in billions.", .min = 0},
    {.name = "weight-bytes",
     .type = T::kFloat,
     .group = G::kTool,
     .help = "Bytes of one weight: 4, 2, 1 (fp8, int8), 0.5 (4 bit). Default: the files', else 2.",
     .min = 0.1,
     .max = 8},
    {.name = "hidden-size", .type = T::kInt, .group = G::kTool, .help = "Width of the model.", .min = 1, .max = 1e9},
    {.name = "num-layers", .type = T::kInt, .group = G::kTool, .help = "Layers.", .min = 1, .max = 1e6},
    {.name = "num-heads", .type = T::kInt, .group = G::kTool, .help = "Attention heads.", .min = 1, .max = 1e6},
    {.name = "num-kv-heads", .type = T::kInt, .group = G::kTool, .help = "KV heads.", .min = 1, .max = 1e6},
    {.name = "max-model-len", .type = T::kInt, .group = G::kTool, .help = "Context in tokens.", .min = 1, .max = 1e12},
    {.name = "kv-bytes",
     .type = T::kFloat,
     .group = G::kTool,
     .help = "Bytes of one key or value element.",
     .serve_default = "2",
     .min = 0.1,
     .max = 8},
    {.name = "gpu-memory-utilization",
     .type = T::kFloat,
     .group = G::kTool,
     .help = "Share of a card's memory that may be used.",
     .serve_default = "0.9",
     .min = 0.01,
     .max = 1},
    {.name = "card-gib",
     .type = T::kList,
     .group = G::kTool,
     .help = "Card sizes to try.",
     .serve_default = "24,40,48,80",
     .splits_commas = true},
};

Result<PlanShape> shape_of(const Settings& settings) {
  PlanShape shape;
  if (const std::string& model = settings.text("model"); !model.empty()) {
    SERAPH_ASSIGN_OR_RETURN(shape, read_plan_shape(model));
  }
  const auto number = [&](const char* name, int64_t& target) {
    if (settings.at(name).set) target = settings.number(name);
  };
  const auto real = [&](const char* name, double& target) {
    if (settings.at(name).set) target = settings.real(name);
  };
  real("parameters-b", shape.parameters_b);
  real("weight-bytes", shape.bytes_per_weight);
  if (settings.at("parameters-b").set || settings.at("weight-bytes").set) shape.weights_gib = 0;
  number("hidden-size", shape.hidden_size);
  number("num-layers", shape.num_layers);
  number("num-heads", shape.num_heads);
  number("num-kv-heads", shape.num_kv_heads);
  number("max-model-len", shape.context_tokens);
  real("kv-bytes", shape.kv_bytes);
  real("gpu-memory-utilization", shape.memory_utilization);
  return shape;
}

void print_plan(const PlanShape& shape, const MemoryPlan& plan, const std::vector<std::string>& cards) {
  fmt::print("weights              {:10.2f} GiB  ({:.2f} B parameters of {:g} bytes)\n", plan.weights_gib,
             shape.parameters_b, shape.bytes_per_weight);
  fmt::print("KV cache per token   {:10.2f} KiB\n", plan.kv_bytes_per_token / 1024);
  fmt::print("KV cache, one request{:10.2f} GiB  (of {} tokens)\n", plan.kv_gib, shape.context_tokens);
  fmt::print("needed               {:10.2f} GiB  (weights and KV cache over {:g} of the memory)\n", plan.needed_gib,
             shape.memory_utilization);
  for (const std::string& text : cards) {
    double card_gib = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), card_gib);
    const int64_t count = error == std::errc{} ? plan_cards(shape, plan, card_gib) : 0;
    if (count == 0) {
      fmt::print("cards of {:>4} GiB    does not fit any number that divides {} heads\n", text, shape.num_heads);
      continue;
    }
    const double left = static_cast<double>(count) * card_gib * shape.memory_utilization - plan.weights_gib;
    fmt::print("cards of {:>4} GiB    {:10}      (KV cache for {:.0f} tokens in all)\n", text, count,
               left * 1024 * 1024 * 1024 / plan.kv_bytes_per_token);
  }
}

}  // namespace

OptionTable plan_options() {
  OptionTable table;
  table.command = "plan";
  table.positional = "model";
  table.add(kPlanOptions);
  return table;
}

int run_plan(const Args& args) {
  const OptionTable table = plan_options();
  if (asks_for_help(args)) {
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  auto settings = resolve_settings(table, Verb::kServe, Sources{args, nullptr});
  if (!settings.ok()) return report_error("plan", settings.error());
  auto shape = shape_of(*settings);
  if (!shape.ok()) return report_error("plan", shape.error());
  auto plan = plan_memory(*shape);
  if (!plan.ok()) return report_error("plan", plan.error());
  print_plan(*shape, *plan, settings->list("card-gib"));
  return 0;
}

}  // namespace seraph
