#!/usr/bin/env python3
"""Soak: random clients that connect, stall, abort, half-close, pipeline, send garbage and stream slowly, against a real server.

  soak.py --port 8501 --pid PID [--clients 500] [--seconds 60]     a server that runs already
  soak.py [...] -- build/seraph run --kv-cache-memory 32MiB        starts that command on a free port

Pages of the KV cache become resident as blocks are first used; a small cache is full after the warm-up, so that what grows
later is a leak.

At the end the server answers, its connections are closed, no request runs, its KV blocks are back to the start, its memory has
not grown and no well-behaved client got a wrong answer. Prints one line for each of these; exit status 0 when all hold.
Standard library only."""
import argparse
import asyncio
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request


class Wrong(Exception):
    """A well-behaved client got an answer that it should not get."""


class Soak:
    def __init__(self, port, model, key, seed):
        self.port, self.model, self.key = port, model, key
        self.random = random.Random(seed)
        self.counts, self.wrong = {}, []

    # Requests as bytes.
    def head(self, method, path, extra=""):
        key = f"Authorization: Bearer {self.key}\r\n" if self.key else ""
        return f"{method} {path} HTTP/1.1\r\nHost: soak\r\n{key}{extra}\r\n".encode()

    def chat(self, stream, max_tokens):
        body = {"messages": [{"role": "user", "content": "Tell me about number %d." % self.random.randrange(50)}],
                "max_tokens": max_tokens, "stream": stream, "ignore_eos": True}
        if self.model:
            body["model"] = self.model
        return json.dumps(body).encode()

    def post(self, body, extra=""):
        return self.head("POST", "/v1/chat/completions",
                         f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}") + body

    async def connect(self, receive_bytes=None):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=sock, limit=1 << 20)

    @staticmethod
    def reset(writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    @staticmethod
    async def answer(reader, body=True):
        """Status and body of one answer."""
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 120)).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        if not body:
            return status, b""
        length = re.search(r"\r\ncontent-length: (\d+)", head)
        if length:
            return status, await asyncio.wait_for(reader.readexactly(int(length[1])), 120)
        got = b""
        while True:
            size = int((await asyncio.wait_for(reader.readline(), 120)).strip(), 16)
            got += (await asyncio.wait_for(reader.readexactly(size + 2), 120))[:size]
            if size == 0:
                return status, got

    # Behaviours. Each gets a fresh connection.
    async def whole_stream(self, reader, writer):
        writer.write(self.post(self.chat(True, self.random.randrange(1, 24))))
        status, body = await self.answer(reader)
        if status not in (200, 429, 503) or (status == 200 and not body.endswith(b"data: [DONE]\n\n")):
            raise Wrong(f"stream: {status} ...{body[-80:]}")

    async def whole_answer(self, reader, writer):
        for _ in range(2):  # keep-alive
            writer.write(self.post(self.chat(False, self.random.randrange(1, 16))))
            status, body = await self.answer(reader)
            if status not in (200, 429, 503) or (status == 200 and not json.loads(body)["choices"]):
                raise Wrong(f"answer: {status} {body[:80]}")

    async def pipeline(self, reader, writer):
        paths = [self.random.choice(["/health", "/version", "/nothing"]) for _ in range(20)]
        writer.write(b"".join(self.head("GET", path) for path in paths))
        for path in paths:
            status, _ = await self.answer(reader)
            if status != (404 if path == "/nothing" else 200):
                raise Wrong(f"pipelined {path}: {status}")

    async def abort_stream(self, reader, writer):
        writer.write(self.post(self.chat(True, 400)))
        await asyncio.wait_for(reader.read(self.random.randrange(1, 4000)), 60)
        if self.random.random() < 0.5:
            self.reset(writer)

    async def abort_answer(self, reader, writer):
        writer.write(self.post(self.chat(False, 400)))
        await asyncio.sleep(self.random.random() * 0.5)
        if self.random.random() < 0.5:
            self.reset(writer)

    async def half_close(self, reader, writer):
        writer.write(self.post(self.chat(True, 100)))
        await writer.drain()
        writer.write_eof()
        await asyncio.wait_for(reader.read(1 << 16), 60)

    async def garbage(self, reader, writer):
        writer.write(self.random.randbytes(self.random.randrange(1, 3000)) + b"\r\n\r\n")
        await asyncio.wait_for(reader.read(), 30)

    async def broken_request(self, reader, writer):
        writer.write(self.random.choice([
            self.head("POST", "/v1/chat/completions", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
            self.head("GET", "/health", "X: " + "y" * 70000 + "\r\n"),
            self.head("GET", "/a/../health"),
            self.head("POST", "/v1/chat/completions", "Content-Length: 99999999999999\r\n"),
        ]))
        status, _ = await self.answer(reader)
        if status not in (400, 413, 431):
            raise Wrong(f"broken request: {status}")

    async def stall(self, reader, writer):
        request = self.post(self.chat(True, 4))
        writer.write(request[:self.random.randrange(len(request))])
        await asyncio.sleep(self.random.random() * 5)

    async def slow_sender(self, reader, writer):
        request = self.post(self.chat(True, 4))
        for begin in range(0, len(request), 16):
            writer.write(request[begin:begin + 16])
            await asyncio.sleep(0.02)
        status, _ = await self.answer(reader)
        if status not in (200, 429, 503):
            raise Wrong(f"slow sender: {status}")

    async def slow_reader(self, reader, writer):
        writer.write(self.post(self.chat(True, 100)))
        for _ in range(30):
            if not await asyncio.wait_for(reader.read(64), 60):
                return
            await asyncio.sleep(0.1)

    async def come_and_go(self, reader, writer):
        if self.random.random() < 0.5:
            self.reset(writer)

    BEHAVIOURS = [whole_stream, whole_answer, pipeline, abort_stream, abort_answer, half_close, garbage,
                  broken_request, stall, slow_sender, slow_reader, come_and_go]

    async def client(self, until):
        while time.monotonic() < until:
            behaviour = self.random.choice(self.BEHAVIOURS)
            writer = None
            try:
                small = 4096 if behaviour is Soak.slow_reader else None
                reader, writer = await asyncio.wait_for(self.connect(small), 30)
                await behaviour(self, reader, writer)
                self.counts[behaviour.__name__] = self.counts.get(behaviour.__name__, 0) + 1
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                name = behaviour.__name__ + ": " + type(error).__name__
                self.counts[name] = self.counts.get(name, 0) + 1
            except Wrong as error:
                self.wrong.append(str(error))
            finally:
                if writer:
                    writer.close()
            await asyncio.sleep(self.random.random() * 0.2)

    async def run(self, clients, seconds):
        until = time.monotonic() + seconds
        await asyncio.gather(*(self.client(until) for _ in range(clients)))


def metrics(port, key):
    """The samples of /metrics, summed over their labels. The connection that asks counts as one."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {key}"})
    values = {}
    for line in urllib.request.urlopen(request, timeout=30).read().decode().splitlines():
        if line and not line.startswith("#"):
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            values[name] = values.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
    return values


def pick(values, *names):
    return next((values[name] for name in names if name in values), None)


def state(port, key):
    values = metrics(port, key)
    return {
        "connections": next((v for n, v in values.items() if "connections_open" in n), None),
        "running": pick(values, "vllm:num_requests_running"),
        "waiting": pick(values, "vllm:num_requests_waiting"),
        "kv_usage": pick(values, "vllm:kv_cache_usage_perc"),
        "kv_held": pick(values, "seraph:kv_blocks_held"),
    }


def rss_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def settled(port, key, start, seconds=30):
    """Waits until nothing is open, runs or is held any more; returns the last state seen."""
    until = time.monotonic() + seconds
    while True:
        now = state(port, key)
        quiet = all(now[name] is None or now[name] <= (start[name] or 0)
                    for name in ("connections", "running", "waiting", "kv_usage", "kv_held"))
        if quiet or time.monotonic() > until:
            return quiet, now
        time.sleep(0.5)


def wait_healthy(port, process, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
            return
        except OSError:
            if process and process.poll() is not None:
                break
            time.sleep(0.1)
    sys.exit("the server did not become healthy")


def check(args, port, pid):
    soak = Soak(port, args.model, args.api_key, args.seed)
    start = state(port, args.api_key)
    # Caches, pools and the allocator fill in the first part; memory is compared from there on.
    asyncio.run(soak.run(args.clients, args.seconds * 0.4))
    settled(port, args.api_key, start)
    rss_before = rss_bytes(pid) if pid else None
    asyncio.run(soak.run(args.clients, args.seconds * 0.6))
    quiet, end = settled(port, args.api_key, start)
    results = [
        ("quiet", quiet, f"at the start {start}, at the end {end}"),
        ("answers", not soak.wrong, f"{len(soak.wrong)} wrong {soak.wrong[:3]}"),
        ("behaviours", sum(soak.counts.values()) >= args.clients, json.dumps(soak.counts, sort_keys=True)),
    ]
    if pid:
        rss_after = rss_bytes(pid)
        grown = rss_after - rss_before
        results.append(("memory", grown <= max(32 << 20, rss_before // 10),
                        f"{rss_before >> 20} MiB after the warm-up, {rss_after >> 20} MiB at the end"))
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
        results.append(("alive", True, "/health answers"))
    except OSError as error:
        results.append(("alive", False, str(error)))
    for name, ok, text in results:
        print(f"{'ok    ' if ok else 'FAILED'} {name}: {text}")
    return all(ok for _, ok, _ in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int)
    parser.add_argument("--pid", type=int, help="of the server, to measure its memory")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="")
    parser.add_argument("--api-key", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("command", nargs="*", help="server to start, after --")
    args = parser.parse_args()
    if not args.command:
        if not args.port:
            parser.error("--port or a command is needed")
        sys.exit(0 if check(args, args.port, args.pid) else 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(args.command + ["--host", "127.0.0.1", "--port", str(port)], env=dict(os.environ))
    try:
        wait_healthy(port, process)
        ok = check(args, port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    print(f"{'ok    ' if code == 0 else 'FAILED'} exit: status {code} after SIGTERM")
    sys.exit(0 if ok and code == 0 else 1)


if __name__ == "__main__":
    main()
