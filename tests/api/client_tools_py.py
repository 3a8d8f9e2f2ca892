"""Tool calls through the official openai client of PyPI, unmodified, from the demo checkpoint as `seraph run` serves it."""
import json
import sys

import openai

BASE = sys.argv[1]
client = openai.OpenAI(base_url=BASE, api_key="any", max_retries=0)
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Get the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
ASK = dict(model="model", messages=[{"role": "user", "content": "What is the weather in Paris?"}], tools=TOOLS,
           temperature=0, max_tokens=80)


def check_call(call):
    assert call.type == "function" and call.id and call.function.name, call
    assert "Paris" in json.loads(call.function.arguments).values(), call


def test_whole_answer():
    choice = client.chat.completions.create(**ASK).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None, choice
    assert len(choice.message.tool_calls) == 1
    check_call(choice.message.tool_calls[0])


def test_stream():
    chunks = list(client.chat.completions.create(**ASK, stream=True))
    assert [c.choices[0].finish_reason for c in chunks][-1] == "tool_calls"
    calls = [call for c in chunks for call in c.choices[0].delta.tool_calls or []]
    assert len(calls) > 2, "the arguments come in pieces"
    assert calls[0].id and calls[0].type == "function" and calls[0].function.name
    assert all(call.id is None and call.type is None and call.function.name is None for call in calls[1:])
    assert {call.index for call in calls} == {0}
    assert "Paris" in json.loads("".join(call.function.arguments for call in calls)).values()


def test_stream_helper():
    with client.chat.completions.stream(**ASK) as stream:
        kinds = {event.type for event in stream}
        check_call(stream.get_final_completion().choices[0].message.tool_calls[0])
    assert "tool_calls.function.arguments.delta" in kinds and "tool_calls.function.arguments.done" in kinds, kinds


def test_a_result_is_answered():
    call = client.chat.completions.create(**ASK).choices[0].message
    result = {"role": "tool", "tool_call_id": call.tool_calls[0].id,
              "content": json.dumps({"temperature": 21, "sky": "sunny"})}
    messages = ASK["messages"] + [call.model_dump(exclude_none=True), result]
    answer = client.chat.completions.create(**{**ASK, "messages": messages}).choices[0]
    assert answer.finish_reason == "stop" and "21" in answer.message.content, answer


def test_none_shows_the_text():
    message = client.chat.completions.create(**ASK, tool_choice="none").choices[0].message
    assert not message.tool_calls


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
