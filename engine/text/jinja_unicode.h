// Code points, and Python's character classes and case mappings (utf8proc's data, plus what it lacks: the
// one-to-many mappings and digit classes). Invalid UTF-8 bytes count as one code point each. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace seraph::jinja {

/// Reads the code point at `at` and moves past it. REQUIRES: at < text.size(). An invalid byte gives itself.
char32_t next_code_point(std::string_view text, size_t& at);
/// The start of the code point that ends at `end`. REQUIRES: end > 0.
size_t previous_start(std::string_view text, size_t end);
void append_code_point(std::string& out, char32_t c);
int64_t count_code_points(std::string_view text);
/// Byte offset of code point number `index` (or the end).
size_t byte_offset(std::string_view text, int64_t index);

bool is_space(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);
bool is_printable(char32_t c);
/// Letters, digits and underscore, as \w of Python's re.
bool is_word(char32_t c);
bool is_identifier(std::string_view text);
inline bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }
inline bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }
/// A line break of str.splitlines().
bool is_line_break(char32_t c);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);
std::string case_fold(std::string_view text);

enum Sides { kLeft = 1, kRight = 2, kBoth = 3 };
std::string_view strip_space(std::string_view text, Sides sides);
std::string_view strip_chars(std::string_view text, std::string_view chars, Sides sides);

}  // namespace seraph::jinja
