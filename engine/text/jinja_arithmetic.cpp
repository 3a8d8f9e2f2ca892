// Python's + - * / // % ** and unary signs.
#include <cmath>
#include <limits>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"

namespace seraph::jinja {
namespace {

bool is_number(const Value& value) { return value.is_integral() || value.is(Type::kFloat); }
BigInt big_of(const Value& value) {
  return value.is(Type::kBig) ? value.as<BigObject>().value : BigInt(value.as_int());
}

double float_of(const Value& value) {
  if (value.is(Type::kFloat)) return value.as_float();
  if (!value.is(Type::kBig)) return static_cast<double>(value.as_int());
  const double out = value.as<BigObject>().value.to_double();
  if (std::isinf(out)) fail("OverflowError: int too large to convert to float");
  return out;
}

std::string_view symbol(char op) {
  switch (op) {
    case '-':
      return "-";
    case '*':
      return "*";
    case '/':
      return "/";
    case 'f':
      return "//";
    case '%':
      return "%";
    case 'p':
      return "** or pow()";
    default:
      return "+";
  }
}

[[noreturn]] void fail_operands(char op, const Value& a, const Value& b) {
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  if (op == '+' && a.is_str()) fail("TypeError: can only concatenate str (not \"" + type_name(b) + "\") to str");
  if (op == '+' && a.is(Type::kList))
    fail("TypeError: can only concatenate list (not \"" + type_name(b) + "\") to list");
  fail("TypeError: unsupported operand type(s) for " + std::string(symbol(op)) + ": '" + type_name(a) + "' and '" +
       type_name(b) + "'");
}

double floor_mod(double a, double b) {
  double mod = std::fmod(a, b);
  if (mod != 0) return (b < 0) != (mod < 0) ? mod + b : mod;
  return std::copysign(0.0, b);
}

double floor_div(double a, double b) {
  const double mod = std::fmod(a, b);
  double quotient = (a - mod) / b;
  if (mod != 0 && (b < 0) != (mod < 0)) quotient -= 1.0;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

Value float_power(double base, double exponent) {
  if (base == 0 && exponent < 0) fail("ZeroDivisionError: 0.0 cannot be raised to a negative power");
  if (base < 0 && std::isfinite(base) && exponent != std::floor(exponent)) {
    fail("TypeError: a negative number to a fractional power is complex, which templates cannot use");
  }
  const double out = std::pow(base, exponent);
  if (std::isinf(out) && std::isfinite(base) && std::isfinite(exponent))
    fail("OverflowError: numerical result out of range");
  return out;
}

Value float_operator(char op, double a, double b) {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case 'p':
      return float_power(a, b);
    default:
      break;
  }
  if (b == 0) {
    fail(op == '/'   ? "ZeroDivisionError: float division by zero"
         : op == 'f' ? "ZeroDivisionError: float floor division by zero"
                     : "ZeroDivisionError: float modulo");
  }
  if (op == '/') return a / b;
  return op == 'f' ? floor_div(a, b) : floor_mod(a, b);
}

Value int_divide(const Value& a, const Value& b) {
  // Both below 2**53 divide exactly as doubles do; larger ones go through their doubles, as near as matters here.
  const double divisor = float_of(b);
  if (divisor == 0) fail("ZeroDivisionError: division by zero");
  return float_of(a) / divisor;
}

Value int_power(Interpreter& in, const Value& a, const Value& b) {
  const BigInt exponent = big_of(b);
  if (exponent.is_negative()) return float_power(float_of(a), float_of(b));
  const BigInt base = big_of(a);
  if (!exponent.fits_int64() && base.bits() > 1) fail("integers are limited to 65536 bits");
  const uint64_t times = exponent.fits_int64() ? static_cast<uint64_t>(exponent.to_int64()) : exponent.is_odd() ? 1 : 2;
  in.count_steps(static_cast<int64_t>(base.bits() * std::min<uint64_t>(times, BigInt::kBitsMax) / 256));
  return make_int(in.heap(), BigInt::pow(base, times));
}

Value int_operator(Interpreter& in, char op, const Value& a, const Value& b) {
  if (op == '/') return int_divide(a, b);
  if (op == 'p') return int_power(in, a, b);
  if (!a.is(Type::kBig) && !b.is(Type::kBig)) {
    const int64_t x = a.as_int();
    const int64_t y = b.as_int();
    int64_t out = 0;
    if (op == '+' && !__builtin_add_overflow(x, y, &out)) return out;
    if (op == '-' && !__builtin_sub_overflow(x, y, &out)) return out;
    if (op == '*' && !__builtin_mul_overflow(x, y, &out)) return out;
    const bool overflows = x == std::numeric_limits<int64_t>::min() && y == -1;
    if ((op == 'f' || op == '%') && y != 0 && !overflows) {
      const int64_t rest = x % y;
      const bool adjust = rest != 0 && (rest < 0) != (y < 0);
      return op == 'f' ? Value(x / y - (adjust ? 1 : 0)) : Value(adjust ? rest + y : rest);
    }
  }
  const BigInt x = big_of(a);
  const BigInt y = big_of(b);
  in.count_steps(static_cast<int64_t>((x.bits() + y.bits()) / 64));
  switch (op) {
    case '+':
      return make_int(in.heap(), x + y);
    case '-':
      return make_int(in.heap(), x - y);
    case '*':
      return make_int(in.heap(), x * y);
    default:
      break;
  }
  if (y.is_zero()) fail("ZeroDivisionError: integer division or modulo by zero");
  in.count_steps(static_cast<int64_t>(x.bits() * y.bits() / 4096));
  BigInt quotient;
  BigInt remainder;
  BigInt::divmod(x, y, quotient, remainder);
  return make_int(in.heap(), op == 'f' ? quotient : remainder);
}

Value repeat(Interpreter& in, const Value& value, int64_t times) {
  const int64_t size = value.is_str() ? static_cast<int64_t>(str_of(value).size()) : length_of(value);
  const int64_t count = std::max<int64_t>(times, 0);
  if (count != 0 && size > std::numeric_limits<int64_t>::max() / 32 / count)
    fail("MemoryError: this repetition is too large");
  if (value.is_str()) {
    in.check_text(size * count);
    std::string out;
    out.reserve(static_cast<size_t>(size * count));
    for (int64_t i = 0; i < count && size != 0; ++i) out += str_of(value);
    return in.str(std::move(out), is_markup(value));
  }
  in.check_text(size * count * static_cast<int64_t>(sizeof(Value)));
  in.count_steps(size * count / 8);
  const auto& items = value.as<ListObject>().items();
  std::vector<Value> out;
  out.reserve(static_cast<size_t>(size * count));
  for (int64_t i = 0; i < count && size != 0; ++i) out.insert(out.end(), items.begin(), items.end());
  return value.is(Type::kList) ? in.list(std::move(out)) : make_tuple(in.heap(), std::move(out));
}

bool is_repeatable(const Value& value) { return value.is_str() || value.is_sequence_object(); }

}  // namespace

Value add(Interpreter& in, const Value& a, const Value& b) {
  if (a.is_str() && b.is_str()) {
    in.check_text(static_cast<int64_t>(str_of(a).size() + str_of(b).size()));
    std::string out;
    if (is_markup(a) || is_markup(b)) {
      out = is_markup(a) ? std::string(str_of(a)) : escape_html(str_of(a));
      out += is_markup(b) ? std::string(str_of(b)) : escape_html(str_of(b));
      return in.str(std::move(out), true);
    }
    out.reserve(str_of(a).size() + str_of(b).size());
    out += str_of(a);
    out += str_of(b);
    return in.str(std::move(out));
  }
  if (a.is_sequence_object() && a.type() == b.type()) {
    const auto& x = a.as<ListObject>().items();
    const auto& y = b.as<ListObject>().items();
    in.count_steps(static_cast<int64_t>((x.size() + y.size()) / 8));
    std::vector<Value> out;
    out.reserve(x.size() + y.size());
    out.insert(out.end(), x.begin(), x.end());
    out.insert(out.end(), y.begin(), y.end());
    return a.is(Type::kList) ? in.list(std::move(out)) : make_tuple(in.heap(), std::move(out));
  }
  return binary_operator(in, '+', a, b);
}

Value binary_operator(Interpreter& in, char op, const Value& a, const Value& b) {
  if (is_number(a) && is_number(b)) {
    if (a.is(Type::kFloat) || b.is(Type::kFloat)) return float_operator(op, float_of(a), float_of(b));
    return int_operator(in, op, a, b);
  }
  if (op == '%' && a.is_str()) return format_percent(in, a, b);
  if (op == '*' && is_repeatable(a) && (b.is(Type::kInt) || b.is(Type::kBool))) return repeat(in, a, b.as_int());
  if (op == '*' && is_repeatable(b) && (a.is(Type::kInt) || a.is(Type::kBool))) return repeat(in, b, a.as_int());
  if (op == '*' && is_repeatable(a) && !b.is_undefined()) {
    fail("TypeError: can't multiply sequence by non-int of type '" + type_name(b) + "'");
  }
  fail_operands(op, a, b);
}

Value negate(Interpreter& in, const Value& value, bool minus) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is(Type::kFloat)) return minus ? -value.as_float() : value.as_float();
  if (!value.is_integral()) {
    fail(std::string("TypeError: bad operand type for unary ") + (minus ? "-" : "+") + ": '" + type_name(value) + "'");
  }
  if (!minus) return value.is(Type::kBig) ? value : Value(value.as_int());
  return make_int(in.heap(), -big_of(value));
}

}  // namespace seraph::jinja
