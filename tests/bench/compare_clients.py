#!/usr/bin/env python3
"""Runs `seraph bench serve` and vLLM's own `vllm bench serve` in turn against one seraph server and prints both clients'
figures side by side.

    compare_clients.py SERAPH VLLM MODEL [OPTION of both clients ...]"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROUNDS = 3
LOAD = ("--backend openai-chat --endpoint /v1/chat/completions --dataset-name random --random-input-len 64 "
        "--random-output-len 32 --num-prompts 32 --max-concurrency 4 --num-warmups 2 --temperature 0").split()
FIGURES = ["completed", "total_input_tokens", "total_output_tokens", "request_throughput", "output_throughput",
           "mean_ttft_ms", "median_ttft_ms", "mean_tpot_ms", "median_tpot_ms", "mean_itl_ms"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_healthy(process, port):
    while process.poll() is None:
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200:
                return
        except OSError:
            time.sleep(0.2)
    sys.exit("the server ended")


def measure(command, port, model, options, folder, name):
    subprocess.run([command, "bench", "serve", "--host", "127.0.0.1", "--port", str(port), "--model", model, *LOAD, *options,
                    "--save-result", "--result-dir", folder, "--result-filename", name],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(os.path.join(folder, name)) as file:
        return json.load(file)


def main():
    seraph, vllm, model, *options = sys.argv[1:]
    port = free_port()
    results = {"seraph": [], "vllm": []}
    with tempfile.TemporaryDirectory() as folder:
        # Both clients send the same prompts: what one prefilled must not help the other.
        server = subprocess.Popen([seraph, "serve", "--model", model, "--port", str(port), "--max-model-len", "1024",
                                   "--no-enable-prefix-caching", "--db", folder + "/seraph.db"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until_healthy(server, port)
            for i in range(ROUNDS):
                for name, command in (("seraph", seraph), ("vllm", vllm)):
                    results[name].append(measure(command, port, model, options, folder, f"{name}{i}.json"))
        finally:
            server.terminate()
            server.wait()
    print(f"{'':24}{'seraph bench serve':>30}{'vllm bench serve':>30}")
    for figure in FIGURES:
        columns = [" ".join(f"{run[figure]:9.2f}" for run in results[name]) for name in results]
        print(f"{figure:24}{columns[0]:>30}{columns[1]:>30}")


if __name__ == "__main__":
    main()
