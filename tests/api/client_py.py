"""The official openai client of PyPI, unmodified. Greedy answers of the tiny checkpoint are known texts."""
import json
import sys
import time
import urllib.request

import openai

BASE = sys.argv[1]
client = openai.OpenAI(base_url=BASE, api_key="any", max_retries=0)
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
ANSWER = "The capital of France is Paris."


def chat(**more):
    return client.chat.completions.create(**{"model": "tiny", "messages": FRANCE, "temperature": 0, "max_tokens": 12, **more})


def test_models():
    assert [m.id for m in client.models.list().data] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"


def test_chat():
    answer = chat()
    assert answer.choices[0].message.content == ANSWER, answer
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (21, 8), answer.usage


def test_stream():
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ANSWER
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 8
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert len({c.id for c in chunks}) == 1


def test_unicode_stream():
    messages = [{"role": "user", "content": "你好"}]
    whole = chat(messages=messages, max_tokens=80).choices[0].message.content
    parts = [c.choices[0].delta.content or "" for c in chat(messages=messages, max_tokens=80, stream=True)]
    assert "".join(parts) == whole == "你好！很高兴见到你，有什么可以帮你的吗？"


def test_logprobs():
    content = chat(logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert len(content) == 8
    for entry in content:
        assert len(entry.top_logprobs) == 3 and entry.logprob <= 0
        assert bytes(entry.bytes).decode() == entry.token
        assert entry.top_logprobs[0].token == entry.token


def test_choices_and_seed():
    one = chat(n=3, temperature=1.5, seed=7, messages=[{"role": "user", "content": "x"}])
    two = chat(n=3, temperature=1.5, seed=7, messages=[{"role": "user", "content": "x"}])
    assert [c.index for c in one.choices] == [0, 1, 2]
    assert [c.message.content for c in one.choices] == [c.message.content for c in two.choices]
    assert one.usage.prompt_tokens == two.usage.prompt_tokens


def test_stop():
    answer = chat(stop=["Paris"])
    assert answer.choices[0].message.content == "The capital of France is "
    assert answer.choices[0].finish_reason == "stop" and answer.choices[0].model_extra["stop_reason"] == "Paris"
    streamed = list(chat(stop=["capital of F"], stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in streamed) == "The "


def test_completions():
    answer = client.completions.create(model="tiny", prompt=["The quick brown fox", "A B C"], max_tokens=4, temperature=0,
                                       echo=True, logprobs=2)
    assert answer.choices[0].text == "The quick brown fox jump", answer.choices[0].text
    columns = answer.choices[0].logprobs
    assert columns.token_logprobs[0] is None and columns.top_logprobs[0] is None
    assert len(columns.tokens) == len(columns.text_offset) == len(columns.token_logprobs) == 13
    assert columns.text_offset == sorted(columns.text_offset)
    stream = client.completions.create(model="tiny", prompt="The quick brown fox", max_tokens=8, temperature=0, stream=True)
    assert "".join(c.choices[0].text for c in stream) == " jumps over the"


def test_token_ids():
    answer = chat(extra_body={"return_token_ids": True, "prompt_logprobs": 1}, max_tokens=2)
    assert len(answer.model_extra["prompt_token_ids"]) == 21
    assert answer.choices[0].model_extra["token_ids"] == [333, 468]
    assert len(answer.model_extra["prompt_logprobs"]) == 21


def test_errors():
    cases = [(openai.NotFoundError, dict(model="nope"), "model"), (openai.BadRequestError, dict(messages=[]), None),
             (openai.BadRequestError, dict(temperature=-1), "temperature"),
             (openai.BadRequestError, dict(max_tokens=0), "max_tokens"),
             (openai.BadRequestError, dict(extra_body={"top_k": "x"}), "body.top_k"),
             (openai.BadRequestError, dict(tools=[{"type": "function", "function": {"name": "f"}}]), None),
             (openai.BadRequestError, dict(tools=[]), "tools")]
    for kind, arguments, param in cases:
        for stream in (False, True):
            try:
                chat(stream=stream, **arguments)
            except kind as error:
                assert error.body["message"] and error.body["param"] == param, error.body
            else:
                raise AssertionError(f"accepted {arguments}")


def gauge(name):
    text = urllib.request.urlopen(BASE.removesuffix("/v1") + "/metrics").read().decode()
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])


def test_abort():
    stream = chat(stream=True, max_tokens=480, extra_body={"ignore_eos": True})
    next(iter(stream))
    stream.close()
    for _ in range(100):
        if gauge("vllm:num_requests_running") == 0 and gauge("seraph:kv_blocks_held") == 0:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("an aborted request still holds blocks")
    assert chat().choices[0].message.content == ANSWER


def test_raw_shapes():
    request = urllib.request.Request(BASE + "/chat/completions", data=json.dumps({"messages": FRANCE, "max_tokens": 1}).encode(),
                                     headers={"Content-Type": "application/json", "X-Request-Id": "abc"})
    with urllib.request.urlopen(request) as response:
        assert json.load(response)["id"] == "chatcmpl-abc"


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("  py", name, flush=True)
