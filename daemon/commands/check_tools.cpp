#include "daemon/commands/check_tools.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "daemon/commands/commands.h"
#include "daemon/commands/json_lines.h"
#include "engine/text/json_scanner.h"
#include "engine/text/reasoning_parser.h"

namespace seraph {
namespace {

// Texts of up to this size are cut at every byte; longer ones at this many places, evenly spread.
constexpr size_t kCutsMax = 4096;

struct Case {
  OutputFormat format;
  Json tools;
  std::string text;
};

Error wrong(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

Result<std::string> text_member(const Json& object, std::string_view name, const std::string& fallback) {
  const Json* member = object.find(name);
  if (member == nullptr || member->is_null()) return fallback;
  if (!member->is_string()) return wrong(fmt::format("{} must be a string", name));
  return member->as_string();
}

Result<Case> read_case(const CheckToolsArgs& args, const Json& object) {
  Case read;
  if (!object.is_object()) return wrong("a case must be a JSON object");
  const Json* text = object.find("text");
  if (text == nullptr || !text->is_string()) return wrong("a case needs \"text\", a string");
  read.text = text->as_string();
  SERAPH_ASSIGN_OR_RETURN(read.format.tool_parser, text_member(object, "parser", args.parser));
  SERAPH_ASSIGN_OR_RETURN(read.format.reasoning_parser, text_member(object, "reasoning_parser", args.reasoning_parser));
  if (read.format.tool_parser.empty() && read.format.reasoning_parser.empty()) {
    return wrong("a case needs \"parser\" or \"reasoning_parser\", or --parser names one");
  }
  if (const Json* tools = object.find("tools")) read.tools = *tools;
  const Json* opens = object.find("prompt_opens_think");
  if (opens != nullptr && !opens->is_null() && !opens->is_bool()) {
    return wrong("prompt_opens_think must be true or false");
  }
  if (opens != nullptr && opens->is_bool() && opens->as_bool()) read.format.start = ReasoningStart::kInside;
  return read;
}

/// The text cut into pieces of `piece_bytes` after a first one of `first_bytes`.
Result<ParsedText> parse(const Case& tools_case, ParseTiming timing, size_t first_bytes, size_t piece_bytes) {
  OutputFormat format = tools_case.format;
  format.timing = timing;
  SERAPH_ASSIGN_OR_RETURN(const std::unique_ptr<OutputParser> parser, OutputParser::make(format, tools_case.tools));
  ParsedText parsed;
  TextDeltas deltas;
  const std::string_view text = tools_case.text;
  size_t from = 0;
  size_t size = first_bytes;
  while (from < text.size()) {
    parser->push(text.substr(from, size), deltas);
    parsed.add(deltas);
    deltas.clear();
    from += std::min(size, text.size() - from);
    size = piece_bytes;
  }
  parser->finish(deltas);
  parsed.add(deltas);
  return parsed;
}

/// "" when every cutting gives what the whole text gives, else which does not.
Result<std::string> compare_cuts(const Case& tools_case, ParseTiming timing, const ParsedText& whole) {
  const size_t size = tools_case.text.size();
  const char* when = timing == ParseTiming::kWritten ? "as a stream" : "as a whole answer";
  for (const size_t piece : {1, 2, 3, 7}) {
    SERAPH_ASSIGN_OR_RETURN(const ParsedText cut, parse(tools_case, timing, piece, piece));
    if (cut != whole) return fmt::format("pieces of {} bytes, {}, give other deltas than the whole text", piece, when);
  }
  const size_t stride = size / kCutsMax + 1;
  for (size_t at = 1; at < size; at += stride) {
    SERAPH_ASSIGN_OR_RETURN(const ParsedText cut, parse(tools_case, timing, at, size));
    if (cut != whole) return fmt::format("a cut after {} bytes, {}, gives other deltas than the whole text", at, when);
  }
  return std::string();
}

/// A stream reports the same calls, and perhaps the beginnings of some that broke off.
std::string compare_timings(const ParsedText& decided, const ParsedText& written) {
  bool broke_off = false;
  for (const ParsedText::Call& call : written.calls) broke_off = broke_off || !is_json_value(call.arguments);
  if (written.calls.size() < decided.calls.size()) return "a stream reports fewer calls than a whole answer";
  if (!broke_off && written.calls == decided.calls && written.content != decided.content) {
    return "a stream has other content than a whole answer";
  }
  return "";
}

Result<Json> answer_case(const CheckToolsArgs& args, const Json& object) {
  SERAPH_ASSIGN_OR_RETURN(const Case tools_case, read_case(args, object));
  const size_t size = tools_case.text.size();
  SERAPH_ASSIGN_OR_RETURN(const ParsedText decided, parse(tools_case, ParseTiming::kDecided, size, size));
  Json answer;
  answer.set("content", decided.content.empty() ? Json() : Json(decided.content));
  answer.set("reasoning_content", decided.reasoning.empty() ? Json() : Json(decided.reasoning));
  Json::Array calls;
  for (const ParsedText::Call& call : decided.calls) {
    Json one;
    one.set("name", call.name);
    one.set("arguments", call.arguments);
    calls.push_back(std::move(one));
  }
  answer.set("tool_calls", std::move(calls));
  if (!args.every_split) return answer;
  SERAPH_ASSIGN_OR_RETURN(const ParsedText written, parse(tools_case, ParseTiming::kWritten, size, size));
  SERAPH_ASSIGN_OR_RETURN(std::string difference, compare_cuts(tools_case, ParseTiming::kDecided, decided));
  if (difference.empty()) {
    SERAPH_ASSIGN_OR_RETURN(difference, compare_cuts(tools_case, ParseTiming::kWritten, written));
  }
  const bool undecided = !tools_case.format.reasoning_parser.empty();  // a stream cannot wait for a lone closing tag
  if (difference.empty() && !undecided) difference = compare_timings(decided, written);
  if (!difference.empty()) answer.set("error", difference);
  return answer;
}

int run_lines(const CheckToolsArgs& args) {
  std::ifstream file(args.jsonl_path, std::ios::binary);
  if (!file) {
    return report_error("check tools", Error{ErrorCode::kNotFound, "cannot read " + args.jsonl_path,
                                             "check the path and its permissions"});
  }
  int status = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto tools_case = Json::parse(line);
    Json answer;
    if (tools_case.ok()) {
      answer = check_tools_answer(args, *tools_case);
    } else {
      answer.set("error", tools_case.error().text());
    }
    if (answer.find("error") != nullptr) status = answer.find("tool_calls") != nullptr ? std::max(status, 1) : 2;
    print_json_line(answer);
  }
  return status;
}

}  // namespace

Json check_tools_answer(const CheckToolsArgs& args, const Json& tools_case) {
  auto answer = answer_case(args, tools_case);
  if (answer.ok()) return std::move(*answer);
  Json refused;
  refused.set("error", answer.error().text());
  return refused;
}

int run_check_tools(const CheckToolsArgs& args) {
  if (!args.jsonl_path.empty()) return run_lines(args);
  std::ostringstream text;
  if (args.text_path.empty() || args.text_path == "-") {
    text << std::cin.rdbuf();
  } else {
    std::ifstream file(args.text_path, std::ios::binary);
    if (!file) {
      return report_error("check tools", Error{ErrorCode::kNotFound, "cannot read " + args.text_path,
                                               "check the path and its permissions"});
    }
    text << file.rdbuf();
  }
  Json tools_case;
  tools_case.set("text", text.str());
  const Json answer = check_tools_answer(args, tools_case);
  print_json_line(answer);
  return answer.find("error") == nullptr ? 0 : answer.find("tool_calls") != nullptr ? 1 : 2;
}

}  // namespace seraph
