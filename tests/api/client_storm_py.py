"""One bad request never changes a byte of another's stream: a seeded stream is read while malformed, oversized and
adversarial requests, broken HTTP and vanishing clients pour in. Standard library."""
import http.client
import json
import random
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

ADDRESS = urlsplit(sys.argv[1])
SECONDS = 8
STREAM = {"model": "model", "messages": [{"role": "user", "content": "Tell me all about the KV cache."}], "temperature": 1.2,
          "seed": 1234, "max_tokens": 400, "ignore_eos": True, "stream": True, "logprobs": True, "top_logprobs": 2}
DEEP = {"type": "object"}
for _ in range(300):
    DEEP = {"type": "object", "properties": {"a": DEEP}, "required": ["a"]}
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HELLO = [{"role": "user", "content": "hello"}]
STORM = [
    (CHAT, b"{"), (CHAT, b"\xff\xfe\x00"), (CHAT, b"[" * 100000), (CHAT, b'{"messages":' + b"[" * 5000), (CHAT, b""),
    (CHAT, {"messages": HELLO, "temperature": 1e308}), (CHAT, {"messages": HELLO, "n": 10 ** 9}),
    (CHAT, {"messages": HELLO, "max_tokens": -5}), (CHAT, {"messages": HELLO, "logit_bias": {"99999999": 1}}),
    (CHAT, {"messages": HELLO, "stop": ["a"] * 100}), (CHAT, {"messages": [{"role": "user", "content": "x " * 100000}]}),
    (CHAT, {"messages": HELLO, "chat_template": "{% for a in range(10**9) %}x{% endfor %}"}),
    (CHAT, {"messages": HELLO, "tools": [{"type": "function", "function": {"name": "\x00" * 500}}]}),
    (CHAT, {"messages": HELLO, "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": DEEP}}}),
    (CHAT, {"messages": HELLO, "structured_outputs": {"regex": "(a*)*" * 50 + "b{1,9999}"}, "max_tokens": 3}),
    (CHAT, {"messages": HELLO, "structured_outputs": {"grammar": "root ::= root root"}, "max_tokens": 3}),
    (CHAT, {"messages": HELLO, "bad_words": ["a" * 10000] * 50, "max_tokens": 2}),
    (CHAT, {"messages": HELLO, "n": 4, "max_tokens": 20, "temperature": 2, "stream": True}),
    (TEXT, {"prompt": [[-1, 2 ** 40]]}), (TEXT, {"prompt": [[0, 1, 2]] * 50, "max_tokens": 2, "prompt_logprobs": 5}),
    (TEXT, {"prompt": "a" * 300000}), (TEXT, {"prompt": "x", "suffix": "y", "echo": True, "logprobs": 1000}),
    ("/tokenize", {"prompt": "é" * 200000}), ("/detokenize", {"tokens": [-1, 2 ** 63]}), ("/v1/responses", {"input": [[[]]]}),
    ("/v1/embeddings", {"input": [[2 ** 31]] * 100}), ("/v1/messages", {"max_tokens": 1, "messages": [None]}),
]
RAW = [b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n{",
       b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x16\x03\x01\x02\x00\x01",
       b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"]


def post(path, body):
    connection = http.client.HTTPConnection(ADDRESS.hostname, ADDRESS.port, timeout=60)
    connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read()


def read_stream():
    """What the client sees of the answer, without the ids and times that differ from request to request."""
    status, text = post(CHAT, STREAM)
    assert status == 200, text
    choices = []
    for line in text.decode().split("\n"):
        if line.startswith("data: {"):
            choices += json.loads(line[6:])["choices"]
    assert choices[-1]["finish_reason"] == "length" and text.endswith(b"data: [DONE]\n\n")
    joined = "".join(choice["delta"].get("content") or "" for choice in choices)
    logprobs = [entry for choice in choices for entry in (choice.get("logprobs") or {}).get("content", [])]
    return joined, json.dumps(logprobs)


def storm(seed, until, counts):
    random_order = random.Random(seed)
    while time.monotonic() < until:
        kind = random_order.random()
        if kind < 0.7:
            status, _ = post(*random_order.choice(STORM))
            counts[status] = counts.get(status, 0) + 1
            continue
        with socket.create_connection((ADDRESS.hostname, ADDRESS.port), timeout=60) as raw:
            raw.settimeout(0.2)
            try:
                raw.sendall(random_order.choice(RAW))
                raw.recv(1000)
            except OSError:
                pass  # the server may have closed, or waits for the rest: this client goes away


def test_a_storm_changes_nothing():
    calm = read_stream()
    assert calm == read_stream(), "the seed decides"
    until = time.monotonic() + SECONDS
    counts = {}
    threads = [threading.Thread(target=storm, args=(seed, until, counts)) for seed in range(4)]
    for thread in threads:
        thread.start()
    rounds = 0
    while time.monotonic() < until or rounds == 0:
        assert read_stream() == calm, f"round {rounds} differs"
        rounds += 1
    for thread in threads:
        thread.join()
    assert read_stream() == calm
    refused = sum(count for status, count in counts.items() if 400 <= status < 500)
    failed = {status: count for status, count in counts.items() if status >= 500 and status not in (501, 503)}
    assert refused > 10 and not failed, counts
    print(f"   {rounds} streams beside {counts}")


test_a_storm_changes_nothing()
print("ok test_a_storm_changes_nothing")
