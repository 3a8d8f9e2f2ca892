#include "daemon/api/models.h"

#include <vector>

namespace seraph {
namespace {

struct Card {
  std::string_view id, root;
  const std::string* parent = nullptr;  // of an adapter, which has no length of its own
};

std::string card_json(const Card& card, const EngineInfo& info, int64_t created,
                      const std::function<uint64_t()>& random) {
  const std::string when = std::to_string(created);
  std::string out = "{\"id\":";
  append_json_string(out, card.id);
  out += ",\"object\":\"model\",\"created\":" + when + ",\"owned_by\":\"vllm\",\"root\":";
  append_json_string(out, card.root);
  out += ",\"parent\":";
  if (card.parent != nullptr) {
    append_json_string(out, *card.parent);
    out += ",\"max_model_len\":null";
  } else {
    out += "null,\"max_model_len\":" + std::to_string(info.max_model_len);
  }
  out +=
      ",\"permission\":[{\"id\":\"modelperm-" + hex16(random()) +
      "\",\"object\":\"model_permission\",\"created\":" + when +
      ",\"allow_create_engine\":false,\"allow_sampling\":true,\"allow_logprobs\":true,\"allow_search_indices\":false,"
      "\"allow_view\":true,\"allow_fine_tuning\":false,\"organization\":\"*\",\"group\":null,\"is_blocking\":false}]}";
  return out;
}

/// Every card in order.
std::vector<Card> cards(const ApiOptions& options, const std::vector<AdapterModule>& adapters) {
  std::vector<Card> out;
  for (const std::string& name : options.served_model_names) {
    out.push_back({.id = name, .root = options.model_path.empty() ? name : options.model_path});
  }
  for (const AdapterModule& adapter : adapters) {
    const bool named = !adapter.base_model_name.empty();
    out.push_back({.id = adapter.name,
                   .root = adapter.path,
                   .parent = named ? &adapter.base_model_name : &options.served_model_names.front()});
  }
  return out;
}

}  // namespace

std::optional<std::string> models_answer(std::string_view name, const ApiOptions& options,
                                         const std::vector<AdapterModule>& adapters, const EngineInfo& info,
                                         int64_t created, const std::function<uint64_t()>& random) {
  if (name.empty()) return models_json(options, adapters, info, created, random);
  return model_json(name, options, adapters, info, created, random);
}

std::string hex16(uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4) out[static_cast<size_t>(i)] = kDigits[value & 15];
  return out;
}

std::string models_json(const ApiOptions& options, const std::vector<AdapterModule>& adapters, const EngineInfo& info,
                        int64_t created, const std::function<uint64_t()>& random) {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (const Card& card : cards(options, adapters)) {
    if (out.back() != '[') out += ',';
    out += card_json(card, info, created, random);
  }
  return out + "]}";
}

std::optional<std::string> model_json(std::string_view name, const ApiOptions& options,
                                      const std::vector<AdapterModule>& adapters, const EngineInfo& info,
                                      int64_t created, const std::function<uint64_t()>& random) {
  for (const Card& card : cards(options, adapters)) {
    if (card.id == name) return card_json(card, info, created, random);
  }
  return std::nullopt;
}

}  // namespace seraph
