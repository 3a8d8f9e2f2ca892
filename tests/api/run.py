#!/usr/bin/env python3
"""Starts the server on the tiny and the demo checkpoint and runs the official clients against it.

Exit 77: the clients cannot be installed."""
import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(os.path.dirname(HERE), "golden", "api", "model")
SKIP = 77
PYTHON_PACKAGES = ["openai", "anthropic", "langchain-openai", "litellm", "schemathesis"]
NODE_PACKAGES = ["openai", "@anthropic-ai/sdk", "ai", "@ai-sdk/openai-compatible", "zod"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def install_python_client(cache):
    venv = os.path.join(cache, "venv")
    if not os.path.exists(os.path.join(venv, "done")):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([os.path.join(venv, "bin", "pip"), "install", "-q", *PYTHON_PACKAGES], check=True)
        open(os.path.join(venv, "done"), "w").close()
    return lambda script: [os.path.join(venv, "bin", "python"), os.path.join(HERE, script)]


def install_node_client(cache):
    folder = os.path.join(cache, "node")
    os.makedirs(folder, exist_ok=True)
    if not all(os.path.exists(os.path.join(folder, "node_modules", package)) for package in NODE_PACKAGES):
        subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", folder, *NODE_PACKAGES],
                       check=True)

    def command(script):
        # A module resolves its imports from where it lies.
        copy = os.path.join(folder, script)
        with open(os.path.join(HERE, script)) as source, open(copy, "w") as target:
            target.write(source.read())
        return ["node", copy]

    return command


def wait_until_healthy(process, port, log):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}: {open(log.name).read()[-2000:]}")
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not become healthy")


# Each server and the scripts that expect it.
SERVERS = [
    (["serve", "--model", MODEL, "--served-model-name", "tiny", "--dtype", "float32", "--max-model-len", "512"],
     ["client_py.py", "client_node.mjs"]),
    (["run", "--dtype", "float32"],
     ["client_tools_py.py", "client_tools_node.mjs", "client_responses_py.py",
      "client_responses_node.mjs", "client_messages_py.py", "client_messages_node.mjs", "client_langchain_py.py", "client_litellm_py.py",
      "client_aisdk_node.mjs", "client_recorded_py.py", "client_storm_py.py", "client_openapi_py.py"]),
    (["run", "--dtype", "float32", "--max-model-len", "320", "--num-gpu-blocks-override", "20", "--max-num-seqs", "8"],
     ["client_structured_py.py", "client_structured_node.mjs"]),
]


def run_clients(binary, arguments, commands):
    """Starts one server and runs the clients against it; the number of failures."""
    port = free_port()
    failed = 0
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [binary, *arguments, "--host", "127.0.0.1", "--port", str(port), "--db", folder + "/seraph.db"],
            stdout=log, stderr=log)
        try:
            wait_until_healthy(process, port, log)
            for command in commands:
                result = subprocess.run(command + [f"http://127.0.0.1:{port}/v1"], timeout=300)
                print(f"{os.path.basename(command[1])}: {'ok' if result.returncode == 0 else 'FAILED'}", flush=True)
                failed += result.returncode != 0
        finally:
            process.terminate()
            if process.wait(40) != 0:
                print(f"the server ended with {process.returncode}")
                failed += 1
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "seraph-api-clients"))
    parser.add_argument("--only", default="", help="scripts with this word in their name")
    args = parser.parse_args()
    os.makedirs(args.cache, exist_ok=True)
    try:
        of_kind = {".py": install_python_client(args.cache), ".mjs": install_node_client(args.cache)}
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: the clients cannot be installed here ({error})")
        return SKIP
    failed = 0
    for arguments, scripts in SERVERS:
        commands = [of_kind[os.path.splitext(script)[1]](script) for script in scripts if args.only in script]
        if commands:
            failed += run_clients(args.binary, arguments, commands)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
