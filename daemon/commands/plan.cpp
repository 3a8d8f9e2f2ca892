#include "daemon/commands/plan.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cstdio>

#include "daemon/cli/help.h"
#include "daemon/cli/settings.h"
#include "daemon/commands/commands.h"
#include "daemon/commands/plan_roofline.h"

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
    {.name = "quantization",
     .group = G::kTool,
     .help = "Quantisation on loading, for the exact sum.",
     .aliases = "-q",
     .choices = "fp8|ifq|ifq_nf4"},
    {.name = "hidden-size", .type = T::kInt, .group = G::kTool, .help = "Width of the model.", .min = 1, .max = 1e9},
    {.name = "num-layers", .type = T::kInt, .group = G::kTool, .help = "Layers.", .min = 1, .max = 1e6},
    {.name = "num-heads", .type = T::kInt, .group = G::kTool, .help = "Attention heads.", .min = 1, .max = 1e6},
    {.name = "num-kv-heads", .type = T::kInt, .group = G::kTool, .help = "KV heads.", .min = 1, .max = 1e6},
    {.name = "max-model-len", .type = T::kInt, .group = G::kTool, .help = "Context in tokens.", .min = 1, .max = 1e12},
    {.name = "max-num-batched-tokens",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Tokens of one step.",
     .serve_default = "2048",
     .min = 1,
     .max = 1e9},
    {.name = "max-num-seqs",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Sequences of one step.",
     .serve_default = "256",
     .min = 1,
     .max = 1e6},
    {.name = "block-size",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Tokens of a KV block.",
     .serve_default = "16",
     .min = 1,
     .max = 1e6},
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
    {.name = "gpus",
     .type = T::kList,
     .group = G::kTool,
     .help = "Cards to try: sizes in GiB, or names (L20, A100, H20, ...) with what their driver reports.",
     .aliases = "card-gib",
     .serve_default = "24,40,48,80",
     .splits_commas = true},
    {.name = "roofline",
     .type = T::kList,
     .group = G::kTool,
     .help = "Instead: how fast the model can be on these GPUs (H100-SXM, L20, ..., or all), from their data sheets.",
     .splits_commas = true},
    {.name = "batch-sizes",
     .type = T::kList,
     .group = G::kTool,
     .help = "Of --roofline: sequences in a step.",
     .serve_default = "1,4,10,16,32,64,256",
     .splits_commas = true},
    {.name = "roofline-context",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Of --roofline: tokens of context of each sequence.",
     .serve_default = "1024",
     .min = 0,
     .max = 1e9},
    {.name = "prompt-tokens",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Of --roofline: tokens of the prompt whose first token is waited for.",
     .serve_default = "1024",
     .min = 1,
     .max = 1e9},
    {.name = "json", .type = T::kBool, .group = G::kTool, .help = "Print JSON.", .serve_default = "false"},
};

/// A card of the list and what both ways say about it.
struct CardPlan {
  PlanCard card;
  int64_t rule_cards = 0;
  int64_t exact_cards = 0;
  double kv_tokens = 0;  // of exact_cards cards
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
  if (settings.at("parameters-b").set) shape.linear_parameters_b = 0;
  if (settings.at("parameters-b").set || settings.at("weight-bytes").set) shape.weights_gib = 0;
  shape.quantization = settings.text("quantization");
  number("hidden-size", shape.hidden_size);
  number("num-layers", shape.num_layers);
  number("num-heads", shape.num_heads);
  number("num-kv-heads", shape.num_kv_heads);
  number("max-model-len", shape.context_tokens);
  number("max-num-batched-tokens", shape.batched_tokens);
  number("max-num-seqs", shape.num_sequences);
  number("block-size", shape.block_tokens);
  real("kv-bytes", shape.kv_bytes);
  real("gpu-memory-utilization", shape.memory_utilization);
  return shape;
}

Result<std::vector<CardPlan>> card_plans(const PlanShape& shape, const MemoryPlan& rule,
                                         const std::vector<std::string>& cards) {
  std::vector<CardPlan> out;
  for (const std::string& text : cards) {
    CardPlan plan;
    SERAPH_ASSIGN_OR_RETURN(plan.card, parse_plan_card(text));
    plan.rule_cards = plan_cards(shape, rule, plan.card.memory_gib);
    SERAPH_ASSIGN_OR_RETURN(plan.exact_cards, plan_exact_cards(shape, plan.card.memory_gib));
    if (plan.exact_cards > 0) {
      SERAPH_ASSIGN_OR_RETURN(const ExactPlan exact, plan_exact(shape, plan.exact_cards));
      plan.kv_tokens = exact.kv_tokens(plan.card.memory_gib, shape.memory_utilization);
    }
    out.push_back(std::move(plan));
  }
  return out;
}

void print_plan(const PlanShape& shape, const MemoryPlan& rule, const ExactPlan& exact,
                const std::vector<CardPlan>& cards) {
  fmt::print("{:.2f} B parameters of {:g} bytes{}, {} layers, {} heads, {} KV heads, {} tokens of context\n\n",
             shape.parameters_b, shape.bytes_per_weight,
             shape.quantization.empty() ? "" : ", quantised to " + shape.quantization + " (exact only)",
             shape.num_layers, shape.num_heads, shape.num_kv_heads, shape.context_tokens);
  const auto gib_row = [](const char* label, const std::string& by_rule, double exactly) {
    fmt::print("{:<32}{:>12}{:>12.2f}  GiB\n", label, by_rule, exactly);
  };
  fmt::print("{:<32}{:>12}{:>12}\n", "", "by rule", "exactly");
  gib_row("weights", fmt::format("{:.2f}", rule.weights_gib), exact.weights_gib);
  gib_row("KV cache of one full request", fmt::format("{:.2f}", rule.kv_gib), exact.kv_gib);
  gib_row("activations", "-", exact.activations_gib);
  gib_row(fmt::format("needed, over {:g} of the memory", shape.memory_utilization).c_str(),
          fmt::format("{:.2f}", rule.needed_gib), exact.needed_gib);
  fmt::print("{:<32}{:>12.2f}{:>12.2f}  KiB\n\n", "KV cache of one token", rule.kv_bytes_per_token / 1024,
             exact.kv_bytes_per_token / 1024);
  fmt::print("{:<12}{:>8}  {:>10}{:>12}{:>12}  {}\n", "card", "GiB", "", "by rule", "exactly",
             "tokens of KV cache on them");
  const auto shown = [](int64_t count) { return count > 0 ? std::to_string(count) : "too small"; };
  for (const CardPlan& plan : cards) {
    fmt::print("{:<12}{:>8.1f}  {:>10}{:>12}{:>12}  {}\n", plan.card.name, plan.card.memory_gib, "",
               shown(plan.rule_cards), shown(plan.exact_cards),
               plan.exact_cards > 0 ? fmt::format("{:.0f}", plan.kv_tokens) : "-");
  }
}

Json json_of(const std::string& model, const PlanShape& shape, const MemoryPlan& rule, const ExactPlan& exact,
             const std::vector<CardPlan>& cards) {
  Json by_rule(Json::Object{});
  by_rule.set("weights_gib", rule.weights_gib);
  by_rule.set("kv_gib", rule.kv_gib);
  by_rule.set("kv_bytes_per_token", rule.kv_bytes_per_token);
  by_rule.set("needed_gib", rule.needed_gib);
  Json exactly(Json::Object{});
  exactly.set("weights_gib", exact.weights_gib);
  exactly.set("kv_gib", exact.kv_gib);
  exactly.set("kv_bytes_per_token", exact.kv_bytes_per_token);
  exactly.set("activations_gib", exact.activations_gib);
  exactly.set("needed_gib", exact.needed_gib);
  Json::Array list;
  for (const CardPlan& plan : cards) {
    Json card(Json::Object{});
    card.set("name", plan.card.name);
    card.set("memory_gib", plan.card.memory_gib);
    card.set("cards_by_rule", plan.rule_cards > 0 ? Json(plan.rule_cards) : Json());
    card.set("cards_exactly", plan.exact_cards > 0 ? Json(plan.exact_cards) : Json());
    card.set("kv_tokens", plan.exact_cards > 0 ? Json(static_cast<int64_t>(plan.kv_tokens)) : Json());
    list.push_back(std::move(card));
  }
  Json out(Json::Object{});
  out.set("model", model.empty() ? Json() : Json(model));
  out.set("parameters_b", shape.parameters_b);
  out.set("context_tokens", shape.context_tokens);
  out.set("memory_utilization", shape.memory_utilization);
  out.set("rule", std::move(by_rule));
  out.set("exact", std::move(exactly));
  out.set("gpus", Json(std::move(list)));
  return out;
}

Result<RooflineQuestion> roofline_question(const Settings& settings) {
  RooflineQuestion question;
  for (const std::string& name : settings.list("roofline")) {
    if (name == "all") {
      question.gpus.assign(gpu_sheets().begin(), gpu_sheets().end());
      break;
    }
    SERAPH_ASSIGN_OR_RETURN(const GpuSheet gpu, find_gpu_sheet(name));
    question.gpus.push_back(gpu);
  }
  for (const std::string& text : settings.list("batch-sizes")) {
    int64_t batch = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), batch);
    if (error != std::errc{} || end != text.data() + text.size() || batch < 1 || batch > 1'000'000) {
      return Error{ErrorCode::kInvalidArgument, fmt::format("'{}' is no batch size", text),
                   "give numbers from 1 to 1000000", "--batch-sizes"};
    }
    question.batches.push_back(batch);
  }
  question.context_tokens = settings.number("roofline-context");
  question.prompt_tokens = settings.number("prompt-tokens");
  return question;
}

Status plan_speed(const Settings& settings, const PlanShape& shape) {
  SERAPH_ASSIGN_OR_RETURN(const RooflineQuestion question, roofline_question(settings));
  SERAPH_ASSIGN_OR_RETURN(const StepWork work, step_work(shape));
  if (settings.flag("json")) {
    fmt::print("{}\n", roofline_json(work, question, shape.memory_utilization).dump());
  } else {
    fmt::print("{}", roofline_table(work, question, shape.memory_utilization));
  }
  return {};
}

Status plan(const Settings& settings) {
  SERAPH_ASSIGN_OR_RETURN(const PlanShape shape, shape_of(settings));
  SERAPH_ASSIGN_OR_RETURN(const MemoryPlan rule, plan_memory(shape));
  if (settings.at("roofline").set) return plan_speed(settings, shape);
  SERAPH_ASSIGN_OR_RETURN(const ExactPlan exact, plan_exact(shape, 1));
  SERAPH_ASSIGN_OR_RETURN(const auto cards, card_plans(shape, rule, settings.list("gpus")));
  if (settings.flag("json")) {
    fmt::print("{}\n", json_of(settings.text("model"), shape, rule, exact, cards).dump());
  } else {
    print_plan(shape, rule, exact, cards);
  }
  return {};
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
  const Status status = plan(*settings);
  return status.ok() ? 0 : report_error("plan", status.error());
}

}  // namespace seraph
