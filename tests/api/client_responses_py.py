"""/v1/responses through the official openai client of PyPI, unmodified, from the demo checkpoint as `seraph run` serves it."""
import json
import sys
import time

import openai

BASE = sys.argv[1]
client = openai.OpenAI(base_url=BASE, api_key="any", max_retries=0)
TOOLS = [{"type": "function", "name": "get_weather", "description": "Get the weather of a city", "strict": True,
          "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                         "additionalProperties": False}}]
ASK = dict(model="model", input="What is the weather in Paris?", tools=TOOLS, temperature=0, max_output_tokens=80)
PLAIN = dict(model="model", input="Hello", temperature=0, max_output_tokens=40)


def test_whole_answer():
    answer = client.responses.create(**PLAIN, metadata={"a": "b"})
    assert answer.status == "completed" and answer.output_text, answer
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.metadata == {"a": "b"} and answer.error is None and answer.temperature == 0


def test_stream_gives_the_same_text_and_the_whole_sequence():
    whole = client.responses.create(**PLAIN).output_text
    events = list(client.responses.create(**PLAIN, stream=True))
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole
    kinds = [e.type for e in events if e.type != "response.output_text.delta"]
    assert kinds == ["response.created", "response.in_progress", "response.output_item.added",
                     "response.content_part.added", "response.output_text.done", "response.content_part.done",
                     "response.output_item.done", "response.completed"], kinds
    assert events[-1].response.output_text == whole


def test_stream_helper_with_tools():
    with client.responses.stream(**ASK) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= kinds, kinds
    calls = [item for item in final.output if item.type == "function_call"]
    assert len(calls) == 1 and "Paris" in json.loads(calls[0].arguments).values(), final


def test_a_result_is_answered():
    first = client.responses.create(**ASK)
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id,
              "output": json.dumps({"temperature": 21, "sky": "sunny"})}
    by_id = client.responses.create(**{**ASK, "input": [result]}, previous_response_id=first.id)
    assert by_id.output_text and "21" in by_id.output_text, by_id
    conversation = [{"role": "user", "content": ASK["input"]}, *first.output, result]
    assert client.responses.create(**{**ASK, "input": conversation}).output_text == by_id.output_text


def test_stored_responses_come_and_go():
    kept = client.responses.create(**PLAIN)
    again = client.responses.retrieve(kept.id)
    assert again.output_text == kept.output_text and again.usage == kept.usage
    client.responses.delete(kept.id)
    for attempt in (lambda: client.responses.retrieve(kept.id),
                    lambda: client.responses.create(**PLAIN, previous_response_id=kept.id)):
        try:
            attempt()
            raise AssertionError("it was deleted")
        except openai.NotFoundError as error:
            assert error.param == "response_id", error
    unkept = client.responses.create(**PLAIN, store=False)
    try:
        client.responses.retrieve(unkept.id)
        raise AssertionError("it was not to be stored")
    except openai.NotFoundError:
        pass


def test_background():
    queued = client.responses.create(**PLAIN, background=True)
    assert queued.status == "queued" and queued.output == [], queued
    while (state := client.responses.retrieve(queued.id)).status == "queued":
        time.sleep(0.05)
    assert state.status == "completed" and state.output_text == client.responses.create(**PLAIN).output_text, state
    assert client.responses.cancel(queued.id).status == "completed", "too late"
    long = client.responses.create(**{**PLAIN, "max_output_tokens": 1500}, background=True,
                                   extra_body={"ignore_eos": True})
    assert client.responses.cancel(long.id).status == "cancelled"
    assert client.responses.retrieve(long.id).status == "cancelled"
    try:
        client.responses.cancel(client.responses.create(**PLAIN).id)
        raise AssertionError("it ran in the foreground")
    except openai.BadRequestError as error:
        assert error.param == "response_id", error


def test_cut_answers_are_incomplete():
    cut = client.responses.create(**{**PLAIN, "max_output_tokens": 2})
    assert cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens", cut
    events = list(client.responses.create(**{**PLAIN, "max_output_tokens": 2}, stream=True))
    assert events[-1].type == "response.incomplete"


def test_truncation_drops_the_oldest():
    long = [{"role": "user" if i % 2 == 0 else "assistant", "content": "word " * 400} for i in range(20)]
    long.append({"role": "user", "content": "Hello"})
    whole = client.responses.create(**PLAIN).output_text
    try:
        client.responses.create(**{**PLAIN, "input": long})
        raise AssertionError("it is too long")
    except openai.BadRequestError as error:
        assert "maximum context length" in str(error)
    assert client.responses.create(**{**PLAIN, "input": long}, truncation="auto").output_text, whole


def test_errors_are_openais():
    for body, param in (({"input": 5}, "body.input"), ({"input": [{"role": "foo", "content": "x"}]}, "body.input"),
                        ({"temperature": 5}, "temperature"),
                        ({"background": True, "store": False}, "background"),
                        ({"metadata": {"a": 1}}, "body.metadata.a")):
        try:
            client.responses.create(**{**PLAIN, **body})
            raise AssertionError(body)
        except openai.BadRequestError as error:
            assert error.param == param, (body, error)


def test_unknown_fields_are_listed_in_a_header():
    raw = client.responses.with_raw_response.create(**PLAIN, extra_body={"foo": 1})
    assert 'unknown fields: foo"' in raw.headers["warning"], raw.headers
    assert "warning" not in client.responses.with_raw_response.create(**PLAIN).headers


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
