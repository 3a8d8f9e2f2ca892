"""/v1/messages through the official anthropic client of PyPI, unmodified, from the demo checkpoint as `seraph run` serves it."""
import json
import sys

import anthropic

BASE = sys.argv[1].removesuffix("/v1")
client = anthropic.Anthropic(base_url=BASE, api_key="any", max_retries=0)
TOOLS = [{"name": "get_weather", "description": "Get the weather of a city",
          "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
# The client has no word for the temperature any more.
GREEDY = {"temperature": 0}
PLAIN = dict(model="model", messages=[{"role": "user", "content": "Hello"}], max_tokens=40, extra_body=GREEDY)
ASK = dict(model="model", messages=[{"role": "user", "content": "What is the weather in Paris?"}], tools=TOOLS,
           max_tokens=80, extra_body=GREEDY)


def test_whole_answer():
    answer = client.messages.create(**PLAIN)
    assert answer.role == "assistant" and answer.stop_reason == "end_turn" and answer.content[0].text, answer
    count = client.messages.count_tokens(model="model", messages=PLAIN["messages"])
    assert count.input_tokens == answer.usage.input_tokens


def test_stream_helper_gives_the_same_text():
    whole = client.messages.create(**PLAIN)
    with client.messages.stream(**PLAIN) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens and final.stop_reason == "end_turn"


def test_events_in_order():
    kinds = [event.type for event in client.messages.create(**PLAIN, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"], kinds
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
    assert set(kinds[2:-3]) == {"content_block_delta"}, kinds


def test_calls_whole_and_streamed():
    answer = client.messages.create(**ASK)
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == "tool_use" and len(calls) == 1 and "Paris" in calls[0].input.values(), answer
    with client.messages.stream(**ASK) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    streamed = [block for block in final.content if block.type == "tool_use"]
    assert len(pieces) > 2 and streamed[0].input == calls[0].input and final.stop_reason == "tool_use"


def test_a_result_is_answered():
    first = client.messages.create(**ASK)
    call = next(block for block in first.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id,
              "content": [{"type": "text", "text": json.dumps({"temperature": 21, "sky": "sunny"})}]}
    messages = [*ASK["messages"], {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(**{**ASK, "messages": messages})
    assert "21" in answer.content[0].text, answer


def test_system_stop_and_limits():
    with_system = client.messages.count_tokens(model="model", messages=PLAIN["messages"], system="Be brief.")
    blocks = client.messages.count_tokens(model="model", messages=PLAIN["messages"],
                                          system=[{"type": "text", "text": "Be brief."}])
    assert with_system.input_tokens == blocks.input_tokens
    text = client.messages.create(**PLAIN).content[0].text
    word = text.split()[1]
    stopped = client.messages.create(**PLAIN, stop_sequences=[word])
    assert stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == word
    cut = client.messages.create(**{**PLAIN, "max_tokens": 2})
    assert cut.stop_reason == "max_tokens" and cut.usage.output_tokens == 2


def test_errors_are_anthropics():
    for body, kind in (({"model": "nobody"}, anthropic.NotFoundError), ({"max_tokens": 0}, anthropic.BadRequestError),
                       ({"messages": [{"role": "foo", "content": "x"}]}, anthropic.BadRequestError),
                       ({"extra_body": {"temperature": -1}}, anthropic.BadRequestError)):
        try:
            client.messages.create(**{**PLAIN, **body})
            raise AssertionError(body)
        except kind as error:
            assert error.body["type"] == "error" and error.body["error"]["message"], error.body
            expected = "not_found_error" if kind is anthropic.NotFoundError else "invalid_request_error"
            assert error.body["error"]["type"] == expected, error.body


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
