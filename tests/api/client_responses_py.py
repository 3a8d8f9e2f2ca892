"""The responses API through the official openai client of PyPI, unmodified, on the demo checkpoint."""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="any", max_retries=0)
ASK = dict(model="model", input="What is a KV cache?", temperature=0, max_output_tokens=60)
TOOL = {"type": "function", "name": "get_weather", "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


def test_create():
    answer = client.responses.create(**ASK)
    assert answer.output_text and answer.status in ("completed", "incomplete"), answer
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_stream():
    events = list(client.responses.create(**ASK, stream=True))
    assert events[0].type == "response.created" and events[-1].type in ("response.completed", "response.incomplete")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == client.responses.create(**ASK).output_text == events[-1].response.output_text


def test_stream_helper():
    with client.responses.stream(**ASK) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text


def test_a_conversation_goes_on():
    first = client.responses.create(**{**ASK, "input": "My name is Ada."})
    second = client.responses.create(**ASK, previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > client.responses.create(**ASK).usage.input_tokens
    assert client.responses.retrieve(first.id).output_text == first.output_text


def test_tools():
    question = {"role": "user", "content": "What is the weather in Paris?"}
    answer = client.responses.create(**{**ASK, "input": [question]}, tools=[TOOL])
    call = next(item for item in answer.output if item.type == "function_call")
    assert call.name and "Paris" in json.loads(call.arguments).values()
    result = {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps({"temperature": 21})}
    answer = client.responses.create(**{**ASK, "input": [question, call.model_dump(exclude_none=True), result]}, tools=[TOOL])
    assert answer.output_text, answer


def test_refusals():
    for error, more in ((openai.BadRequestError, {"temperature": 9}),
                        (openai.NotFoundError, {"previous_response_id": "resp_0123456789abcdef"})):
        try:
            client.responses.create(**{**ASK, **more})
        except error:
            continue
        raise AssertionError(f"{more} was not refused")


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
