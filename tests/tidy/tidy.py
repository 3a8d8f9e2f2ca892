#!/usr/bin/env python3
"""Checks the rules of the style guide that a machine can check. Prints one line per breach; exit status 1 when there is
one. A ban names its replacement. What is already broken is counted in ratchet.json, and the counts only fall:
`tidy.py --lower` writes smaller counts, nothing writes larger ones. Standard library only.

    tidy.py [--lower] [ROOT]
"""
import json
import os
import re
import subprocess
import sys

CPP_LINES_MAX = 600
HEADER_LINES_MAX = 250
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 120

# Which folders a folder may include, besides itself. The order of the tree: daemon, engine, kernels; never upward.
ALLOWED = {
    "kernels/cpu": ["kernels/backend.h", "kernels/experts.h"],
    "kernels": [],
    "engine/base": [],
    "engine/request.h": ["engine/base"],
    "engine/engine.h": ["engine/request.h", "engine/base"],
    "engine/queue": ["engine/request.h", "engine/base"],
    "engine/image": ["engine/base"],
    "engine/text": ["engine/base"],
    "engine/grammar": ["engine/text", "engine/base"],
    "engine/lookahead": ["engine/request.h", "engine/base"],
    "engine/schedule": ["engine/lookahead", "engine/request.h", "engine/base"],
    "engine/parallel": ["engine/base", "kernels/backend.h"],
    "engine/sample": ["engine/grammar", "engine/request.h", "engine/base", "kernels/backend.h"],
    "engine/quant": ["engine/base", "kernels/backend.h"],
    "engine/lora": ["engine/parallel", "engine/base", "kernels/backend.h"],
    "engine/checkpoint": ["engine/text", "engine/base"],
    "engine/model": ["engine/checkpoint", "engine/quant", "engine/lora", "engine/parallel", "engine/base",
                     "kernels/backend.h", "kernels/experts.h"],
    "engine": ["engine", "kernels/backend.h", "kernels/cuda_access.h"],
    "daemon/cli": ["engine/base"],
    "daemon/http": ["engine/base"],
    "daemon/store": ["engine/base"],
    "daemon/api": ["daemon/http", "daemon/store", "daemon/cli", "engine/engine.h", "engine/request.h", "engine/base",
                   "engine/text", "engine/grammar", "engine/image"],
    "daemon/commands": ["daemon", "engine/engine.h", "engine/request.h", "engine/base", "engine/text",
                        "engine/grammar", "engine/image"],
    "daemon": ["daemon", "engine/engine.h", "engine/base"],
}

# (pattern, folders where it is fine, what to use)
BANS = [
    (r"\bgetenv\s*\(", ["daemon/cli"], "a row of the option table (daemon/cli)"),
    (r"\bstd::rand\b|\bsrand\s*\(", [], "kernels' Philox, or <random> with a given seed"),
    (r"\b(v?sprintf|strcpy|strcat|gets)\s*\(", [], "fmt::format"),
    (r"^(?!.*(unique_ptr|reset\()).*\bnew\s+[A-Za-z_:]+\s*[\[({;]", [], "std::make_unique or a container"),
    (r"\bdelete\s*(\[\s*\])?\s+?[A-Za-z_]|\bdelete\[\]", [], "std::unique_ptr"),
    (r"\bmalloc\s*\(|\bfree\s*\(\s*[a-z_]", ["kernels"], "std::make_unique or a container"),
    (r"\busing\s+namespace\s+std\s*;", [], "std::"),
    (r"\bstd::cout\b|\bstd::cerr\b|(?<![\w:])printf\s*\(|\bputs\s*\(|\bfmt::print\s*\(",
     ["daemon/commands", "daemon/main.cpp"], "spdlog; only commands print"),
    (r"\bassert\s*\(", [], "Result for the world's errors, SERAPH_CHECK for ours"),
    (r"\bstd::(atoi|atol|atof|stoi|stol|stof|stod)\s*\(|(?<![\w:])atoi\s*\(", [], "std::from_chars"),
    (r"\bstd::regex\b", [], "PCRE2 (engine/text/regex.h)"),
    (r"(?i)//.*\b(todo|fixme|xxx)\b", [], "a sentence in the issue tracker"),
    (r"\bcatch\s*\(\s*\.\.\.\s*\)\s*\{\s*\}", [], "a handler that says what failed"),
]

SOURCE_FOLDERS = ("daemon", "engine", "kernels")


def project_files(root):
    """Tracked files, or all of them where there is no git (an unpacked archive, the test's examples)."""
    if os.path.isdir(os.path.join(root, ".git")):
        listed = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True, check=True).stdout
        return [name for name in listed.splitlines() if os.path.isfile(os.path.join(root, name))]
    found = []
    for folder, _, names in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def strip_code(text):
    """The text with comments and literals blanked (same length, same lines)."""
    pattern = re.compile(
        r'R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/',
        re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def function_lengths(code):
    """(first line, lines) of every outermost brace block that follows a ')' and is no class, namespace or initializer."""
    found, depth_stack, line = [], [], 1
    head = ""
    for char in code:
        if char == "\n":
            line += 1
        if char == "{":
            inside = any(kind == "function" for kind, _ in depth_stack)
            words = re.sub(r"template\s*<[^{;]*?>", "", head)
            holder = re.search(r"\b(namespace|class|struct|enum|union|extern)\b[^()]*$", words) or "=" in words[-3:]
            kind = "other" if inside or holder or ")" not in words else "function"
            depth_stack.append((kind, line))
            head = ""
        elif char == "}":
            if depth_stack:
                kind, begin = depth_stack.pop()
                if kind == "function":
                    found.append((begin, line - begin + 1))
            head = ""
        elif char == ";":
            head = "" if head.count("(") == head.count(")") else head + char
        else:
            head += char
    return found


def folder_rule(path):
    """The longest key of ALLOWED that the path lies in."""
    best = ""
    for key in ALLOWED:
        if (path == key or path.startswith(key + "/")) and len(key) > len(best):
            best = key
    return best


def included_ok(path, target):
    rule = folder_rule(path)
    if not rule or not target.startswith(tuple(folder + "/" for folder in SOURCE_FOLDERS)):
        return True
    own = rule if not rule.endswith(".h") else os.path.dirname(rule)
    if os.path.dirname(target) == os.path.dirname(path) or target.startswith(own + "/") and rule != "engine":
        return True
    return any(target == allowed or target.startswith(allowed + "/") for allowed in ALLOWED[rule])


def check_lengths(path, lines, code, ratchet):
    limit = HEADER_LINES_MAX if path.endswith(".h") else CPP_LINES_MAX
    if len(lines) > limit:
        ratchet.append(("long_files", f"{path}: {len(lines)} lines, at most {limit}: split it by subject"))
    for begin, length in function_lengths(code):
        if length > FUNCTION_LINES_MAX:
            ratchet.append(("long_functions", f"{path}:{begin}: a function of {length} lines, at most "
                                              f"{FUNCTION_LINES_MAX}: give its parts names"))


def check_source(path, text, breaches, ratchet):
    lines = text.splitlines()
    code = strip_code(text)
    check_lengths(path, lines, code, ratchet)
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            ratchet.append(("long_lines", f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"))
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match and not included_ok(path, match.group(1)):
            ratchet.append(("include_edges", f"{path}:{number}: may not include {match.group(1)} (README, the tree)"))
    for number, (line, raw) in enumerate(zip(code.splitlines(), lines), 1):
        for pattern, fine, instead in BANS:
            searched = raw if "todo" in pattern else line
            if re.search(pattern, searched) and not any(path == f or path.startswith(f + "/") for f in fine):
                if not re.search(r"(operator\s+delete|=\s*delete\s*[;,])", searched):
                    ratchet.append(("banned_calls", f"{path}:{number}: use {instead} in place of `{raw.strip()[:60]}`"))
    if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.M):
        breaches.append(f"{path}:1: a header begins with a comment and #pragma once")
    if path.endswith(".h") and not text.startswith("//"):
        breaches.append(f"{path}:1: a header begins with a comment that says what it is for")


def check_twins(files, ratchet):
    """engine/text/x.cpp has tests/engine/text/x_test.cpp (or a longer name that begins with x)."""
    tests = [name for name in files if name.startswith("tests/") and name.endswith("_test.cpp")]
    for path in files:
        if not path.endswith(".cpp") or not path.startswith(SOURCE_FOLDERS) or path == "daemon/main.cpp":
            continue
        stem = os.path.basename(path)[:-4]
        folder = "tests/" + os.path.dirname(path) + "/"
        core = "tests/engine/core/" if os.path.dirname(path) == "engine" else folder
        if not any(test.startswith((folder + stem, core + stem)) for test in tests):
            ratchet.append(("files_without_test", f"{path}: no {folder}{stem}_test.cpp"))


def run(root, lower):
    files = project_files(root)
    breaches, ratchet = [], []
    for path in files:
        if path.startswith(SOURCE_FOLDERS) and path.endswith((".cpp", ".h", ".cu", ".cuh")):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                check_source(path, file.read(), breaches, ratchet)
    check_twins(files, ratchet)

    counts_path = os.path.join(root, "tests/tidy/ratchet.json")
    allowed = {}
    if os.path.exists(counts_path):
        with open(counts_path, encoding="utf-8") as file:
            allowed = json.load(file)
    counts = {}
    for kind, _ in ratchet:
        counts[kind] = counts.get(kind, 0) + 1
    for kind, count in sorted(counts.items()):
        if count > allowed.get(kind, 0):
            breaches.append(f"{kind}: {count}, and tests/tidy/ratchet.json allows {allowed.get(kind, 0)}; they are:")
            breaches += ["  " + text for each, text in ratchet if each == kind]
    if lower:
        fallen = {kind: min(count, counts.get(kind, 0)) for kind, count in allowed.items()}
        with open(counts_path, "w", encoding="utf-8") as file:
            file.write(json.dumps(fallen, indent=2, sort_keys=True) + "\n")
    for breach in breaches:
        print(breach)
    print(f"tidy: {len(files)} files, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--lower"]
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.exit(run(words[0] if words else here, "--lower" in sys.argv))
