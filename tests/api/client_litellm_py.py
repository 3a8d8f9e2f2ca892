"""LiteLLM, unmodified, on the demo checkpoint: as an OpenAI server and as a vLLM one."""
import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing but the server is asked

import litellm  # noqa: E402

BASE = sys.argv[1]
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Get the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]


def ask(provider="openai", content="What is the weather in Paris?", **more):
    return litellm.completion(model=f"{provider}/model", api_base=BASE, api_key="any", temperature=0, num_retries=0,
                              messages=[{"role": "user", "content": content}], **{"max_tokens": 80, **more})


def test_completion():
    for provider in ("openai", "hosted_vllm"):
        answer = ask(provider)
        assert answer.choices[0].message.content and answer.usage.completion_tokens > 0, answer


def test_stream():
    whole = ask().choices[0].message.content
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert litellm.stream_chunk_builder(chunks).choices[0].message.content == whole


def test_tools():
    choice = ask(tools=TOOLS).choices[0]
    assert choice.finish_reason == "tool_calls", choice
    call = choice.message.tool_calls[0]
    assert call.function.name and "Paris" in json.loads(call.function.arguments).values()
    built = litellm.stream_chunk_builder(list(ask(tools=TOOLS, stream=True))).choices[0]
    assert built.message.tool_calls[0].function.arguments == call.function.arguments, built


def test_errors_keep_their_class():
    for error, more in ((litellm.ContextWindowExceededError, {"content": "a b c d " * 4000}),
                        (litellm.BadRequestError, {"frequency_penalty": 9})):
        try:
            ask(**more)
        except error:
            continue
        raise AssertionError(f"no {error.__name__}")


def test_text_completion():
    answer = litellm.text_completion(model="text-completion-openai/model", api_base=BASE, api_key="any",
                                     prompt="Once upon a time", max_tokens=8)
    assert answer.choices[0].text


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
