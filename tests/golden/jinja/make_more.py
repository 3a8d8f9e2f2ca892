#!/usr/bin/env python3
"""Makes Jinja cases and records what transformers' template environment answers: more.jsonl beside cases.jsonl.

usage: make_more.py [--seed N] [--per-group N] > more.jsonl      (needs transformers and jinja2; a tool, not a dependency)
Each line: {"id", "group", "template", "context" (index into contexts.json), "output" | "error"}.
"""
import argparse
import copy
import datetime
import json
import os
import random
import re

import transformers.utils.chat_template_utils as utils

HERE = os.path.dirname(os.path.abspath(__file__))
META = json.load(open(os.path.join(HERE, "contexts.json")))


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromisoformat(META["clock"])


utils.datetime = Clock
compile_template = getattr(utils._cached_compile_jinja_template, "__wrapped__", utils._cached_compile_jinja_template)

NUMBERS = ["0", "1", "-1", "7", "-3", "2.5", "-0.5", "1e20", "0.1", "true", "false", "a", "b", "neg", "big", "2**70", "10", "100000"]
TEXTS = ["''", "'a'", "'Hello World'", "'  pad\\t'", "'a,b,,c'", "'ÄÖ ß'", "u", "s", "'x\\ny\\r\\nz'", "'123'", "'3.5'", "'<a & b>'",
         "'the quick-brown fox jumps'", "'\\u00e9\\U0001f642'", "'ab' * 3", "'UPPER lower'", "'\\x00\\x7f'", "\"it's\"", "'{}'", "'%s'"]
LISTS = ["[]", "[1]", "l", "words", "[1, 'a', none]", "(1, 2)", "()", "nest", "people", "range(4)", "['b', 'A', 'c']", "[[1, 2], [3, 4]]",
         "['a', '', 'b']", "m", "d.items()", "d", "d.keys()", "d.values()", "{'b': 2, 'a': 1}", "{}", "[3, 1.5, true]", "l|map('string')"]
OTHERS = ["none", "undefd", "namespace(x=1)", "d.nosuch"]
ALL = NUMBERS + TEXTS + LISTS + OTHERS
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence", "callable",
         "odd", "even", "lower", "upper", "true", "false", "escaped", "divisibleby(2)", "divisibleby 3", "eq(1)", "in([1, 'a'])", "sameas(none)",
         "gt(1)", "lt(2.5)", "ne('a')", "filter", "test"]
FILTERS = ["abs", "batch(2)|list", "batch(2, 'x')|list", "capitalize", "center(9)", "count", "default('D')", "default('D', true)", "dictsort",
           "dictsort(by='value')", "dictsort(true, 'key', true)", "escape", "filesizeformat", "filesizeformat(true)", "first", "float", "float(1.5)",
           "forceescape", "indent", "indent(2, true)", "indent('>', blank=true)", "int", "int(7)", "int(0, 16)", "items|list", "join", "join('-')",
           "join(',', 'n')", "last", "length", "list", "lower", "map('upper')|list", "map('int')|list", "map(attribute='n')|list",
           "map(attribute='n', default='?')|list", "map('default', 'z')|list", "max", "min", "max(attribute='age')", "pprint", "reject('odd')|list",
           "reject|list", "select|list", "select('string')|list", "selectattr('age')|list", "selectattr('age', 'gt', 25)|list",
           "rejectattr('n', 'in', 'Al')|list", "replace('a', 'X')", "replace('l', 'LL', 1)", "replace(1, 2)", "reverse|list", "round", "round(1)",
           "round(1, 'floor')", "round(0, 'ceil')", "round(-1)", "safe", "slice(2)|list", "slice(3, 'f')|list", "sort", "sort(reverse=true)",
           "sort(case_sensitive=true)", "sort(attribute='age')|list", "sort(attribute='c,age')|list", "string", "striptags", "sum", "sum(start=2)",
           "sum('age')", "title", "trim", "trim('a ')", "truncate(9)", "truncate(5, true, '~')", "truncate(6, false, '..', 0)", "unique|list",
           "unique(true)|list", "unique(attribute='age')|list", "upper", "urlencode", "wordcount", "wordwrap(6)", "wordwrap(5, false)", "xmlattr",
           "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "tojson(separators=(';', '='))", "groupby('age')|list",
           "groupby('c', default='q')|map('first')|list", "attr('upper')", "e|length", "format(1)", "format(a=1)", "nosuch"]
METHODS = ["upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "strip()", "lstrip()", "rstrip('d ')", "strip('Hd')", "split()",
           "split(',')", "split(' ', 1)", "split(none, 1)", "rsplit(none, 1)", "rsplit(' ', 1)", "split(sep='a', maxsplit=2)", "splitlines()", "splitlines(true)",
           "partition(' ')", "rpartition('l')", "find('l')", "rfind('l')", "find('l', 3)", "find('', 3)", "index('o')", "count('l')", "count('')", "count('l', 2, -1)",
           "replace('l', '')", "replace('', '-', 3)", "startswith('He')", "startswith(('a', 'b'))", "endswith('d', 0, -1)", "endswith(('d', 1))", "isalpha()",
           "isdigit()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isidentifier()", "isprintable()", "isascii()", "isnumeric()", "isdecimal()",
           "center(15, '*')", "center(14)", "ljust(13, '.')", "rjust(13)", "zfill(13)", "expandtabs(4)", "removeprefix('He')", "removesuffix('ld')", "join(['x', 'y'])",
           "join('ab')", "format(1, x=2)", "encode()", "translate({97: 'A', 98: none})", "nosuch()", "append(1)", "index(1)", "items()|list", "get('z')",
           "get('zz', 4)", "keys()|list", "copy()", "pop()", "bit_length()", "is_integer()", "__len__()", "__class__", "_private", "x", "n", "0", "real"]
SPECS = ["", "5", "<7", ">7", "^9", "*^11", "05", "+", "+d", "d", "x", "#x", "X", "b", "#o", "o", "c", ",", "_", "_x", "010,", ".3", ".0f", ".2f", "8.3f", "+.1e", "e",
         "g", "G", ".3g", "%", ".1%", "n", "s", ".2s", "=8", "<<5", " d", "-d", "06.1f", "012,.2f", ".2", ".10", "#.0f", "#g", "z", "r", "5d5", ".", "é^7"]
PERCENTS = ["%s", "%r", "%d", "%5d", "%-5d|", "%05d", "%+d", "% d", "%x", "%#X", "%o", "%#o", "%c", "%f", "%.2f", "%8.3f", "%e", "%g", "%.3g", "%G", "%%", "%5s|", "%-8s|",
            "%.2s", "%i", "%u", "%q", "%", "%(z)s", "%*d", "%.0f", "%#.0f", "%5%", "%ld", "%.5d", "%a"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
SLICES = ["", "0", "1", "-1", "2", "-2", "5", "-9", "none", "a", "neg", "undefd", "1.5"]


def expression(rng, depth=2):
    """A random expression; most are valid Python, many fail at run time."""
    if depth <= 0 or rng.random() < 0.25:
        return rng.choice(ALL)
    kind = rng.randrange(9)
    inner = lambda: expression(rng, depth - 1)
    if kind == 0:
        return f"({inner()} {rng.choice(OPERATORS)} {inner()})"
    if kind == 1:
        return f"({inner()})|{rng.choice(FILTERS)}"
    if kind == 2:
        return f"({inner()}).{rng.choice(METHODS)}"
    if kind == 3:
        return f"({inner()} is {rng.choice(['', 'not '])}{rng.choice(TESTS)})"
    if kind == 4:
        return f"({inner()} if {inner()} else {inner()})"
    if kind == 5:
        return f"({inner()})[{rng.choice(SLICES)}:{rng.choice(SLICES)}{rng.choice(['', ':2', ':-1', ':' + rng.choice(SLICES)])}]"
    if kind == 6:
        return f"[{inner()}, {inner()}]"
    if kind == 7:
        return f"({inner()})[{inner()}]"
    return f"(not {inner()})"


def statements(rng, depth=3):
    """A random program over few names, so that scopes meet."""
    names = ["x", "y", "a", "ns", "loop", "f"]
    name = lambda: rng.choice(names[:3])
    value = lambda: rng.choice(["1", "x", "y", "a", "x ~ 'k'", "y|default('u')", "loop.index", "ns.v", "f(x)", "[x, y]", "'q'", "undefd"])
    body = lambda: "".join(statements(rng, depth - 1) for _ in range(rng.randrange(1, 3)))
    kind = rng.randrange(15 if depth > 0 else 4)
    if kind == 0:
        return "{{ " + value() + " }};"
    if kind == 1:
        return "{% set " + name() + " = " + value() + " %}"
    if kind == 2:
        return "{{ x }}-{{ y }};"
    if kind == 3:
        return "{% set ns.v = " + value() + " %}"
    if kind == 4:
        return "{% if " + rng.choice(["x", "y", "a == 1", "loop.first", "not x"]) + " %}" + body() + rng.choice(["", "{% else %}" + body(), "{% elif y %}" + body()]) + "{% endif %}"
    if kind == 5:
        return "{% for " + rng.choice(["x", "y", "z", "x, y"]) + " in " + rng.choice(["l", "[1, 2]", "[[1, 2], [3, 4]]", "d.items()", "'ab'", "[]"]) + \
            rng.choice(["", "", " if x != 1", " if loop.first", " if not ns.v"]) + " %}" + body() + rng.choice(["", "{% else %}" + body()]) + "{% endfor %}"
    if kind == 6:
        return "{% macro f(x" + rng.choice(["", ", y=1", "=a", ", y=x"]) + ") %}" + body() + rng.choice(["", "{{ caller() if caller }}", "{{ varargs }}{{ kwargs }}"]) + "{% endmacro %}"
    if kind == 7:
        return "{% call" + rng.choice(["", "(y)"]) + " f(" + value() + ") %}" + body() + "{% endcall %}"
    if kind == 8:
        return "{% set " + name() + " %}" + body() + "{% endset %}"
    if kind == 9:
        return "{% with " + name() + " = " + value() + " %}" + body() + "{% endwith %}"
    if kind == 10:
        return "{% filter upper %}" + body() + "{% endfilter %}"
    if kind == 11:
        return "{% set ns = namespace(v=" + value() + ") %}"
    if kind == 12:
        return "{% " + rng.choice(["break", "continue"]) + " %}"
    if kind == 13:
        return "{% block b" + str(rng.randrange(1000)) + rng.choice(["", " scoped"]) + " %}" + body() + "{% endblock %}"
    return "{% for x in nest recursive %}" + rng.choice(["{{ loop(x) if x is iterable else x }}", "{{ loop.depth }}{{ loop.index }}{% if x is iterable %}({{ loop(x) }}){% endif %}"]) + \
        body() + "{% endfor %}"


def whitespace(rng):
    tags = ["{{ a }}", "{% if t %}", "{% endif %}", "{# c #}", "{% set q = 1 %}", "{% for x in l %}", "{% endfor %}", "{% raw %}", "{% endraw %}", "{{ '\\n' }}", "{% if f %}", "{% else %}"]
    out = ""
    for _ in range(rng.randrange(2, 8)):
        tag = rng.choice(tags)
        opened, closed = rng.choice(["", "", "-", "+"]), rng.choice(["", "", "-", "+"])
        out += rng.choice(["", " ", "\n", "  ", "x", " x ", "\n\n", "\t", "\r\n", "\n  \n", "x\n"]) + tag[:2] + opened + tag[2:-2] + closed + tag[-2:]
    return out + rng.choice(["", "\n", " ", "\n\n", "end\n"])


def syntax(rng):
    pieces = ["{{", "}}", "{%", "%}", "{#", "#}", "a", "if", "else", "endif", "for", "in", "l", "endfor", "set", "=", "==", "(", ")", "[", "]", "{", "}", "'s'", "\"q", "1", "1.5",
              ",", ".", ":", "|", "is", "not", "upper", "~", "+", "-", "*", "**", "//", "%", "!", "\\", "raw", "endraw", "macro", "endmacro", "x", "none", "recursive", "with", "\n"]
    return " ".join(rng.choice(pieces) for _ in range(rng.randrange(2, 9)))


def print_of(text):
    return "{{ " + text + " }}"


GROUPS = {
    "binary": lambda rng: print_of(f"{rng.choice(ALL)} {rng.choice(OPERATORS)} {rng.choice(ALL)}"),
    "filter": lambda rng: print_of(f"{rng.choice(ALL)}|{rng.choice(FILTERS)}"),
    "method": lambda rng: print_of(f"({rng.choice(TEXTS + TEXTS + ALL)}).{rng.choice(METHODS)}"),
    "test": lambda rng: print_of(f"{rng.choice(ALL)} is {rng.choice(TESTS)}"),
    "slice": lambda rng: print_of(f"({rng.choice(TEXTS + LISTS)})[{rng.choice(SLICES)}:{rng.choice(SLICES)}:{rng.choice(SLICES)}]") + "|",
    "format": lambda rng: print_of("'{:" + rng.choice(SPECS) + "}'.format(" + rng.choice(ALL) + ")"),
    "percent": lambda rng: print_of("'" + rng.choice(PERCENTS) + rng.choice(["", " ", "%s"]) + "' % " + rng.choice(ALL + [f"({rng.choice(ALL)}, {rng.choice(ALL)})"])),
    "expression": lambda rng: print_of(expression(rng, 3)),
    "statements": lambda rng: "".join(statements(rng) for _ in range(rng.randrange(2, 6))),
    "whitespace": whitespace,
    "syntax": syntax,
    "attribute": lambda rng: print_of(f"({rng.choice(ALL)}).{rng.choice(['x', 'n', 'z', 'items', 'upper', 'real', 'imag', 'foo', '0', '1', 'keys', 'count', 'index', 'v'])}") + "|",
}


def answer(template, context):
    try:
        return {"output": compile_template(template).render(**copy.deepcopy(context))}
    except Exception as error:  # whatever fails there must fail here too
        return {"error": type(error).__name__ + ": " + str(error)}


def usable(record):
    # Sets print in any order. Addresses, and texts that UTF-8 cannot say.
    text = record.get("output", "")
    return not re.search(r"^\{'[^:]*\}$|0x[0-9a-f]{6,}| object at | of type \w+Error", text) and not re.search("[\ud800-\udfff]", text) and "RecursionError" not in record.get("error", "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-group", type=int, default=40)
    args = parser.parse_args()
    for group, make in GROUPS.items():
        rng = random.Random(f"{args.seed} {group}")
        seen = set()
        tries = 0
        while len(seen) < args.per_group and tries < args.per_group * 20:
            tries += 1
            template = make(rng)
            if template in seen or "**" in template and re.search(r"\*\* .*(1e20|big|2\*\*70|100000)", template):
                continue
            record = {"id": f"{group}-{len(seen):03}", "group": group, "template": template, "context": 0, **answer(template, META["contexts"][0])}
            if not usable(record):
                continue
            seen.add(template)
            print(json.dumps(record, ensure_ascii=False))


if __name__ == "__main__":
    main()
