#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "daemon/cli/settings.h"

namespace seraph {
namespace {

Error usage_error(std::string message, std::string remedy = {}, std::string param = {}) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), std::move(remedy), std::move(param)};
}

/// "--max_model_len=8" in its parts. Only the name's underscores become dashes, never the value's.
struct Spelling {
  std::string name;
  std::string path;                  // of --name.path
  std::optional<std::string> value;  // after '='
};

Spelling split_spelling(std::string_view arg) {
  Spelling spelling;
  const size_t equals = arg.find('=');
  if (equals != std::string_view::npos) spelling.value = std::string(arg.substr(equals + 1));
  const std::string_view name = arg.substr(0, equals);
  const size_t dot = name.find('.');
  spelling.name = std::string(name.substr(0, dot));
  if (dot != std::string_view::npos) spelling.path = std::string(name.substr(dot + 1));
  std::replace(spelling.name.begin(), spelling.name.end(), '_', '-');
  return spelling;
}

/// "-5" and "-1" are values, "-tp" and "--x" are options.
bool looks_like_option(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return false;
  return !(word[1] >= '0' && word[1] <= '9') && word[1] != '.';
}

class Parser {
 public:
  Parser(const OptionTable& table, const std::vector<std::string>& args) : table_(table), args_(args) {}

  Result<std::vector<Assignment>> parse() {
    while (next_ < args_.size()) {
      const std::string& arg = args_[next_++];
      if (only_words_ || !looks_like_option(arg)) {
        SERAPH_RETURN_IF_ERROR(take_bare_word(arg));
      } else if (arg == "--") {
        only_words_ = true;
      } else if (arg.starts_with("--")) {
        SERAPH_RETURN_IF_ERROR(take_long(arg));
      } else {
        SERAPH_RETURN_IF_ERROR(take_short(arg));
      }
    }
    // The model given by position is stronger than --model, wherever it stands.
    if (bare_word_.row != nullptr) found_.push_back(std::move(bare_word_));
    return std::move(found_);
  }

 private:
  Status take_bare_word(const std::string& word) {
    const OptionRow* row = table_.positional.empty() ? nullptr : table_.find(table_.positional);
    if (row == nullptr || bare_word_.row != nullptr) return usage_error("unrecognized arguments: " + word);
    bare_word_ = Assignment{.row = row, .words = {word}, .origin = Origin::kCommandLine, .where = "command line"};
    return {};
  }

  Status take_long(const std::string& arg) {
    const Spelling spelling = split_spelling(std::string_view(arg).substr(2));
    bool negated = false;
    auto row = find_long(spelling, negated, arg);
    if (!row.ok()) return row.error();
    return take_values(**row, spelling, negated);
  }

  Result<const OptionRow*> find_long(const Spelling& spelling, bool& negated, const std::string& arg) const {
    if (const OptionRow* row = table_.find(spelling.name)) return row;
    if (spelling.name.starts_with("no-")) {
      const OptionRow* row = table_.find(std::string_view(spelling.name).substr(3));
      if (row != nullptr && row->type == OptionType::kBool) {
        negated = true;
        return row;
      }
    }
    const auto matches = spelling.name.empty() ? std::vector<const OptionRow*>{} : table_.find_prefix(spelling.name);
    if (matches.size() == 1) return matches.front();
    if (matches.size() > 1) {
      std::string names;
      for (const OptionRow* match : matches) names += (names.empty() ? "" : ", ") + option_flag(*match);
      return usage_error(fmt::format("ambiguous option: --{} could match {}", spelling.name, names));
    }
    std::string unknown = arg;
    if (next_ < args_.size() && !looks_like_option(args_[next_])) unknown += " " + args_[next_];
    const std::string nearest = table_.nearest(spelling.name);
    return usage_error("unrecognized arguments: " + unknown,
                       nearest.empty() ? fmt::format("seraph help {} lists all options", table_.command)
                                       : fmt::format("did you mean {}?", nearest),
                       "--" + spelling.name);
  }

  Status take_short(const std::string& arg) {
    const size_t equals = arg.find('=');
    Spelling spelling;
    if (equals != std::string::npos) spelling.value = arg.substr(equals + 1);
    if (const OptionRow* row = table_.find_short(std::string_view(arg).substr(0, equals))) {
      return take_values(*row, spelling, false);
    }
    // -O3: the level is glued to the letter.
    if (const OptionRow* row = table_.find_short(arg.substr(0, 2)); row != nullptr && arg.starts_with("-O")) {
      spelling.value = arg.substr(2);
      return take_values(*row, spelling, false);
    }
    return usage_error("unrecognized arguments: " + arg,
                       fmt::format("seraph help {} lists all options", table_.command), arg);
  }

  Status take_values(const OptionRow& row, const Spelling& spelling, bool negated) {
    Assignment assignment{.row = &row, .origin = Origin::kCommandLine, .where = "command line"};
    if (!spelling.path.empty()) {
      if (row.type != OptionType::kJson && row.use != OptionUse::kAccepted) {
        return usage_error(fmt::format("argument --{}: {} takes no members", spelling.name, option_flag(row)));
      }
      assignment.json_path = spelling.path;
    }
    if (spelling.value) {
      assignment.words = {*spelling.value};
    } else if (row.type == OptionType::kBool) {
      // The next word belongs to the switch only if it can be nothing else; it may be the model's folder.
      const bool takes_next = next_ < args_.size() && parse_bool(args_[next_]).has_value();
      assignment.words = {takes_next ? args_[next_++] : "true"};
    } else if (row.type == OptionType::kList) {
      while (next_ < args_.size() && !looks_like_option(args_[next_])) assignment.words.push_back(args_[next_++]);
      if (assignment.words.empty()) {
        return usage_error(fmt::format("argument {}: expected at least one argument", option_flag(row)));
      }
    } else {
      if (next_ >= args_.size() || looks_like_option(args_[next_])) {
        return usage_error(fmt::format("argument {}: expected one argument", option_flag(row)));
      }
      assignment.words = {args_[next_++]};
    }
    if (negated) {
      const auto flag = parse_bool(assignment.words.front());
      if (!flag) return usage_error(fmt::format("argument --no-{}: takes true or false", row.name));
      assignment.words = {*flag ? "false" : "true"};
    }
    found_.push_back(std::move(assignment));
    return {};
  }

  const OptionTable& table_;
  const std::vector<std::string>& args_;
  size_t next_ = 0;
  bool only_words_ = false;
  Assignment bare_word_;
  std::vector<Assignment> found_;
};

}  // namespace

Result<std::vector<Assignment>> parse_command_line(const OptionTable& table, const std::vector<std::string>& args) {
  return Parser(table, args).parse();
}

}  // namespace seraph
