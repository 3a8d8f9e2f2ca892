"""What Dify and Open WebUI send, byte for byte as their clients build it, and read as those read it. Standard library."""
import http.client
import json
import sys
from urllib.parse import urljoin, urlsplit

BASE = sys.argv[1]
ADDRESS = urlsplit(BASE)


def request(method, url, body=None, headers=None):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(ADDRESS.hostname, ADDRESS.port, timeout=60)
    connection.request(method, parts.path, None if body is None else json.dumps(body).encode(), headers or {})
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


# Dify's openai_api_compatible provider joins URLs, asks for an ASCII-safe charset and splits streams at blank lines.
DIFY = {"Content-Type": "application/json", "Accept-Charset": "utf-8", "Authorization": "Bearer any"}
DIFY_URL = urljoin(BASE + "/", "chat/completions")


def test_dify_checks_the_credentials():
    body = {"model": "model", "max_tokens": 5, "messages": [{"role": "user", "content": "ping"}], "stream": False}
    status, _, text = request("POST", DIFY_URL, body, DIFY)
    answer = json.loads(text)
    assert status == 200 and answer["object"] == "chat.completion", text
    assert "content" in answer["choices"][0]["message"]


def dify_stream(body):
    """The deltas, as Dify's SDK reads them: pieces between blank lines, each one JSON object."""
    status, _, text = request("POST", DIFY_URL, {**body, "stream": True}, DIFY)
    assert status == 200, text
    deltas, finish = [], None
    for piece in text.decode("utf-8").split("\n\n"):
        piece = piece.strip()
        if not piece or piece.startswith(":"):
            continue
        assert piece.startswith("data:"), piece
        piece = piece.removeprefix("data:").lstrip()
        if piece == "[DONE]":
            break
        chunk = json.loads(piece)
        if len(chunk["choices"]) == 0:
            continue
        finish = chunk["choices"][0]["finish_reason"] or finish
        deltas.append(chunk["choices"][0]["delta"])
    return deltas, finish


def test_dify_chats():
    deltas, finish = dify_stream({"model": "model", "messages": [{"role": "system", "content": "Be brief."},
                                                                 {"role": "user", "content": "What is a KV cache?"}],
                                  "temperature": 0, "max_tokens": 40, "stop": ["Human:"], "user": "d-1"})
    assert "".join(delta.get("content") or "" for delta in deltas) and finish in ("stop", "length")


def test_dify_calls_a_tool():
    function = {"name": "get_weather", "description": "Get the weather of a city",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
    deltas, finish = dify_stream({"model": "model", "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                                  "temperature": 0, "max_tokens": 80, "tool_choice": "auto", "user": "d-1",
                                  "tools": [{"type": "function", "function": function}]})
    assert finish == "tool_calls", deltas
    name, arguments = "", ""
    for delta in deltas:
        for call in delta.get("tool_calls", []):
            for part in (call.get("id", ""), call.get("type", ""), call["function"].get("name", "")):
                assert isinstance(part, str), f"Dify feeds nulls into text fields: {delta}"
            name += call["function"].get("name", "")
            arguments += call["function"].get("arguments", "")
    assert name and "Paris" in json.loads(arguments).values()
    # The next turn: the call with its text as an empty string, and the tool's message.
    messages = [{"role": "user", "content": "What is the weather in Paris?"},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}]},
                {"role": "tool", "content": "{\"temperature\": 21}", "tool_call_id": "call_1"}]
    deltas, _ = dify_stream({"model": "model", "messages": messages, "temperature": 0, "max_tokens": 80})
    assert "".join(delta.get("content") or "" for delta in deltas)


# Open WebUI asks for the models with the same key, then streams with usage; titles and tags come whole.
OPEN_WEBUI = {"Authorization": "Bearer any", "Content-Type": "application/json", "X-OpenWebUI-User-Name": "a%20b",
              "X-OpenWebUI-User-Id": "1", "Accept-Encoding": "gzip, deflate", "User-Agent": "Python/3.11 aiohttp/3.11"}


def test_open_webui_finds_the_models():
    status, headers, text = request("GET", BASE + "/models", None, OPEN_WEBUI)
    models = json.loads(text)
    assert status == 200 and headers["content-type"].startswith("application/json")
    assert models["object"] == "list" and models["data"][0]["id"] == "model"


def test_open_webui_streams_lines():
    body = {"stream": True, "model": "model", "messages": [{"role": "user", "content": "What is a KV cache?"}],
            "stream_options": {"include_usage": True}, "temperature": 0, "max_tokens": 30}
    status, headers, text = request("POST", BASE + "/chat/completions", body, OPEN_WEBUI)
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in text.decode().split("\n") if line.startswith("data: {")]
    assert text.endswith(b"data: [DONE]\n\n")
    assert events[-1]["choices"] == [] and events[-1]["usage"]["completion_tokens"] > 0
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events[:-1])


def test_open_webui_makes_a_title():
    body = {"model": "model", "stream": False, "max_completion_tokens": 20,
            "messages": [{"role": "user", "content": "### Task:\nGenerate a concise title as JSON.\n<chat_history>\nUSER: hi\n</chat_history>"}]}
    status, _, text = request("POST", BASE + "/chat/completions", body, OPEN_WEBUI)
    assert status == 200 and isinstance(json.loads(text)["choices"][0]["message"]["content"], str)


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
