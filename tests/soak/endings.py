#!/usr/bin/env python3
"""How a server ends while it works: kill -9 loses no committed row, a deadline leaves no client without an end.

  endings.py build/seraph [--rounds 3]

Prints one line for each thing that must hold; exit status 0 when all do. Standard library only."""
import argparse
import collections
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, binary, *flags):
        self.port = free_port()
        self.process = subprocess.Popen([binary, "run", "--host", "127.0.0.1", "--port", str(self.port),
                                         "--kv-cache-memory", "32MiB", "--log-level", "warning", *flags],
                                        stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while self.ask("GET", "/health")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit("the server did not become healthy")
            time.sleep(0.02)

    def ask(self, method, path, body=None):
        """Status and body; status 0 when the connection broke."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


class Load:
    """Clients that ask again and again until the server is gone."""

    def __init__(self, server, clients, body):
        self.server, self.body = server, body
        self.statuses = collections.Counter()
        self.threads = [threading.Thread(target=self.client) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def client(self):
        status = None
        while status != 0:
            status, _ = self.server.ask("POST", "/v1/completions", self.body)
            self.statuses[status] += 1

    def join(self):
        for thread in self.threads:
            thread.join()


def committed(path):
    """What another process can read is committed."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return {row[0] for row in database.execute("SELECT request_id FROM requests")}
    finally:
        database.close()


def after_kill(binary, rounds, results):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "seraph.db")
        before = set()
        for number in range(1, rounds + 1):
            server = Server(binary, "--db", path)
            load = Load(server, 8, {"prompt": "hello", "max_tokens": 2, "ignore_eos": True})
            until = time.monotonic() + 20
            while len(seen := committed(path)) < len(before) + 100 and time.monotonic() < until:
                time.sleep(0.05)
            server.process.kill()
            server.process.wait()
            load.join()
            database = sqlite3.connect(path)
            sound = database.execute("PRAGMA integrity_check").fetchone()[0]
            database.close()
            kept = committed(path)
            results.append((f"kill -9, round {number}", sound == "ok" and before | seen <= kept and len(seen) > len(before),
                            f"integrity {sound}; {len(seen)} rows were committed, {len(kept)} are there, "
                            f"{len((before | seen) - kept)} lost; answers {dict(load.statuses)}"))
            before = kept


def at_the_deadline(binary, results):
    """More long requests than run at once: when the deadline passes, some run, some wait, some are still prepared."""
    server = Server(binary, "--shutdown-timeout", "1")
    ends = collections.Counter()

    def client():
        status, body = server.ask("POST", "/v1/completions", {"prompt": "hello", "max_tokens": 1500, "ignore_eos": True})
        ends[(status, b"shutting down" in body)] += 1

    threads = [threading.Thread(target=client) for _ in range(100)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    status = server.process.wait(60)
    seconds = time.monotonic() - began
    for thread in threads:
        thread.join()
    allowed = all(status in (0, 200, 503) for status, _ in ends)
    results.append(("SIGTERM, deadline of 1 s", status == 0 and seconds < 5 and allowed and sum(ends.values()) == 100,
                    f"exit {status} after {seconds:.1f} s; (status, says so): {dict(ends)}"))
    refused = sum(count for (status, says), count in ends.items() if status == 503 and says)
    results.append(("answers at the deadline", refused > 0, f"{refused} requests were told that the server shuts down"))


def with_a_busy_worker(binary, results):
    """Templates that keep every worker busy past the deadline: the process ends all the same."""
    server = Server(binary, "--shutdown-timeout", "0", "--trust-request-chat-template")
    body = {"messages": [{"role": "user", "content": "x"}], "chat_template":
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"}
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(server.ask("POST", "/tokenize", body)[0])) for _ in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    status = server.process.wait(60)
    seconds = time.monotonic() - began
    for thread in threads:
        thread.join()
    busy = answers.count(0)
    results.append(("SIGTERM while workers are busy", status == 0 and seconds < 3 and busy > 0,
                    f"exit {status} after {seconds:.1f} s; {busy} requests had no answer yet"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    results = []
    after_kill(args.binary, args.rounds, results)
    at_the_deadline(args.binary, results)
    with_a_busy_worker(args.binary, results)
    for name, ok, text in results:
        print(f"{'ok    ' if ok else 'FAILED'} {name}: {text}")
    sys.exit(0 if all(ok for _, ok, _ in results) else 1)


if __name__ == "__main__":
    main()
