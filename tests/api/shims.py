#!/usr/bin/env python3
"""Old command lines of vLLM reach the binary: by the name `vllm`, and by the Python module that execs it.

shims.py SERAPH: exit status 0 when every form answers as `seraph serve` does.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def output(command, **variables):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **variables})
    return done.returncode, done.stdout, done.stderr


def main() -> int:
    binary = str(Path(sys.argv[1]).resolve())
    want_help = output([binary, "serve", "--help"])
    want_error = output([binary, "serve", "/no/such/model", "--port", "1"])
    assert want_help[0] == 0 and want_error[0] == 2, (want_help, want_error)
    module = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    place = {"PYTHONPATH": str(ROOT / "packaging/deb/python"), "SERAPH_BINARY": binary}
    with tempfile.TemporaryDirectory() as folder:
        vllm = os.path.join(folder, "vllm")
        os.symlink(binary, vllm)
        cases = [
            (output([vllm, "serve", "--help"]), want_help),
            (output([vllm, "serve", "/no/such/model", "--port", "1"]), want_error),
            (output([vllm, "/no/such/model", "--port", "1"]), want_error),
            (output([vllm, "--version"]), output([binary, "version"])),
            (output([*module, "--help"], **place), want_help),
            (output([*module, "--model", "/no/such/model", "--port", "1"], **place), want_error),
        ]
    failed = [(got, want) for got, want in cases if got != want]
    for got, want in failed:
        print(f"got {got}\nwant {want}")
    print(f"{len(cases) - len(failed)} of {len(cases)} old command lines reach the binary")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
