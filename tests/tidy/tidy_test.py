#!/usr/bin/env python3
"""tidy.py must catch every example in bad/ and find nothing in a clean file. The first line of an example is
"PATH -> TEXT": where the rest would stand in the tree, and what tidy must say."""
import contextlib
import glob
import io
import os
import sys
import tempfile

import tidy

HERE = os.path.dirname(os.path.abspath(__file__))
CLEAN = """#include "engine/text/clean.h"

#include <string>

namespace seraph {

// A word like new or printf( in a comment, and "delete[] x" or 'n' in a literal, is no breach.
std::string text() { return "getenv(\\"x\\") TODO new int[3]"; }
std::unique_ptr<Thing> make() { return std::unique_ptr<Thing>(new Thing(3)); }

}  // namespace seraph
"""


def tidy_output(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        os.makedirs(os.path.join(root, "tests/tidy"), exist_ok=True)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = tidy.run(root, False)
        return status, out.getvalue()


def main():
    missed = 0
    examples = sorted(glob.glob(HERE + "/bad/*.txt"))
    for example in examples:
        with open(example, encoding="utf-8") as file:
            head, text = file.read().split("\n", 1)
        path, wanted = head.split(" -> ")
        status, out = tidy_output({path: text})
        if status == 0 or wanted not in out:
            missed += 1
            print(f"{os.path.basename(example)}: not caught ({wanted}); tidy said: {out.strip()[:200]}")
    status, out = tidy_output({"engine/text/clean.cpp": CLEAN, "tests/engine/text/clean_test.cpp": "int x;\n",
                               "engine/text/clean.h": "// A header.\n#pragma once\n"})
    if status != 0:
        missed += 1
        print("a clean tree is not clean:", out)
    print(f"tidy_test: {len(examples)} examples, {missed} missed")
    return 1 if missed or not examples else 0


if __name__ == "__main__":
    sys.exit(main())
