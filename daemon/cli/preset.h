// The presets of model families: which chat template, tool parser, stop ids and limits `run` takes when MODEL_ID or
// CONV_TEMPLATE says what model it is. Data and one pure function; settings.cpp applies what is found, weaker than
// anything a user said.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace seraph {

struct PresetValue {
  const char* option = nullptr;  // name of an option row; null ends the list
  const char* text = "";
};

/// A preset fits when CONV_TEMPLATE is one of its names, or MODEL_ID holds every word of `all_of`, one of `any_of`
/// (when there are any) and none of `none_of`. Case does not matter; an empty `all_of` and `any_of` fits no MODEL_ID.
struct FamilyPreset {
  const char* name = "";
  const char* conv_templates = "";  // "qwen|qwen-7b-chat"
  const char* all_of = "";
  const char* any_of = "";
  const char* none_of = "";
  std::array<PresetValue, 6> values = {};
  const char* note = "";  // what the preset cannot do
};

/// In the order in which they are tried.
std::span<const FamilyPreset> family_presets();

struct PresetMatch {
  const FamilyPreset* preset = nullptr;
  std::string why = {};  // "MODEL_ID Llama-3.1-8B-Instruct contains llama-3.1 and instruct"
};

/// The first preset that fits; either argument may be empty.
std::optional<PresetMatch> find_preset(std::string_view conv_template, std::string_view model_id);

/// Every CONV_TEMPLATE there is, for messages.
std::string preset_names();

}  // namespace seraph
