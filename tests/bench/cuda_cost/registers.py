#!/usr/bin/env python3
"""Registers, spills and static shared memory of every CUDA kernel, as ptxas reports them, for each generation asked.
Exit status 1 when a kernel spills: a spill is a global memory access that no source line shows. Standard library only.

    registers.py [--nvcc PATH] [--arch 80 --arch 90a] [FILE.cu ...]
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def readable(symbols):
    """The names as in the source where binutils are there, without namespaces and parameters."""
    tool = shutil.which("c++filt")
    if not tool:
        return symbols
    names = subprocess.run([tool], input="\n".join(symbols), capture_output=True, text=True, check=True).stdout
    plain = [re.sub(r"seraph::cuda::|\(anonymous namespace\)::|^void ", "", name) for name in names.splitlines()]
    return [re.sub(r"\(.*", "", name) for name in plain]


def compile_report(nvcc, arch, source):
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, "-std=c++20", "-O3", f"-arch=sm_{arch}", f"-I{ROOT}", "-cubin", "-Xptxas", "-v", source, "-o",
                   os.path.join(folder, "out.cubin")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stderr + done.stdout


def parse(report):
    """(kernel, registers, spill bytes, shared bytes) of each entry function."""
    rows, kernel, spills = [], None, 0
    for line in report.splitlines():
        if match := re.search(r"Compiling entry function '([^']+)'", line):
            kernel, spills = match.group(1), 0
        elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spills = int(match.group(1)) + int(match.group(2))
        elif (match := re.search(r"Used (\d+) registers", line)) and kernel:
            shared = re.search(r"(\d+) bytes smem", line)
            rows.append((kernel, int(match.group(1)), spills, int(shared.group(1)) if shared else 0))
            kernel = None
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nvcc", default=shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc")
    parser.add_argument("--arch", action="append")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    folder = os.path.join(ROOT, "kernels", "cuda")
    files = args.files or [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".cu")]
    print(f"{'file':24} {'sm':>4} {'registers':>9} {'spilled B':>9} {'shared B':>8}  kernel")
    spilled = 0
    for source in files:
        for arch in args.arch or ["80", "90a"]:
            rows = parse(compile_report(args.nvcc, arch, source))
            names = readable([row[0] for row in rows])
            for kernel, (_, registers, spills, shared) in zip(names, rows):
                print(f"{os.path.basename(source):24} {arch:>4} {registers:9} {spills:9} {shared:8}  {kernel}")
                spilled += spills > 0
    print(f"{spilled} kernels spill")
    return 1 if spilled else 0


if __name__ == "__main__":
    sys.exit(main())
