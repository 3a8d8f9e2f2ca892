"""Structured output and forced tool calls through the official openai client of PyPI, unmodified, from the demo checkpoint
as `seraph run` serves it, with so few KV blocks that long requests preempt each other."""
import concurrent.futures
import json
import re
import sys
import time
import urllib.request
from typing import Literal

import openai
from pydantic import BaseModel, Field

BASE = sys.argv[1]
client = openai.OpenAI(base_url=BASE, api_key="any", max_retries=0)


def token_ids(text):
    body = json.dumps({"prompt": text, "add_special_tokens": False}).encode()
    request = urllib.request.Request(BASE[:-3] + "/tokenize", body, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))["tokens"]


# A model this small, kept from what it would write, likes white space, which JSON allows without end.
BLANKS = {str(ids[0]): -100 for n in range(1, 40) for c in "\n \t\r" if len(ids := token_ids(c * n)) == 1}
ASK = dict(model="model", messages=[{"role": "user", "content": "Tell me about Paris."}], temperature=0, max_tokens=200,
           logit_bias=BLANKS)
CITY = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},
                                         "size": {"enum": ["small", "large"]},
                                         "areas": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99},
                                                   "minItems": 2, "maxItems": 3}},
        "required": ["name", "size", "areas"], "additionalProperties": False}


class City(BaseModel):
    name: str = Field(max_length=12)
    size: Literal["small", "large"]
    areas: list[Literal[1, 20]] = Field(min_length=1, max_length=3)


def content(**extra):
    answer = client.chat.completions.create(**{**ASK, **extra})
    assert all(choice.finish_reason == "stop" for choice in answer.choices), answer
    return [choice.message.content for choice in answer.choices]


def check_city(text):
    city = json.loads(text)
    assert list(city) == ["name", "size", "areas"] and len(city["name"]) <= 12 and city["size"] in ("small", "large"), city
    assert 2 <= len(city["areas"]) <= 3 and all(isinstance(area, int) and area <= 99 for area in city["areas"]), city


def schema_format(schema, strict=True):
    return {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": strict}}


def test_parse_gives_the_class():
    answer = client.chat.completions.parse(**ASK, response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City), answer


def test_every_field_binds():
    bound = {
        "response_format": schema_format(CITY), "guided_json": CITY, "structured_outputs": {"json": json.dumps(CITY)}}
    for name, value in bound.items():
        check_city(content(extra_body={name: value})[0])
    assert content(extra_body={"structured_outputs": {"regex": "[a-c]{3}-[0-9]{2}"}})[0][3] == "-"
    assert re.fullmatch("[a-c]{3}-[0-9]{2}", content(extra_body={"guided_regex": "[a-c]{3}-[0-9]{2}"})[0])
    assert content(extra_body={"guided_choice": ["red", "green"]})[0] in ("red", "green")
    assert content(extra_body={"structured_outputs": {"choice": [""]}}) == [""]
    assert content(extra_body={"guided_grammar": 'root ::= "yes" | "no"'})[0] in ("yes", "no")
    tag = {"type": "structural_tag", "format": {"type": "const_string", "value": "ok!"}}
    assert content(response_format=tag)[0] == "ok!"
    text = client.completions.create(model="model", prompt="A", temperature=0, extra_body={"guided_choice": ["x", "y"]})
    assert text.choices[0].text in ("x", "y")


def test_stream_choices_and_logprobs():
    chunks = list(client.chat.completions.create(**ASK, response_format=schema_format(CITY), stream=True, logprobs=True))
    check_city("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
    tokens = [entry.token for c in chunks if c.choices and c.choices[0].logprobs for entry in c.choices[0].logprobs.content]
    assert "".join(tokens).startswith("{"), tokens
    for text in content(n=3, temperature=1.2, seed=5, response_format=schema_format(CITY)):
        check_city(text)


def test_a_minimum_length_does_not_break_the_constraint():
    assert content(extra_body={"min_tokens": 50, "guided_choice": ["red", "green"]})[0] in ("red", "green")
    long = client.chat.completions.create(**{**ASK, "max_tokens": 40},
                                          extra_body={"min_tokens": 30, "guided_regex": "[a-z ]+"})
    assert long.usage.completion_tokens >= 30, long


def paint_tool():
    return {"type": "function", "function": {
        "name": "paint", "strict": True, "parameters": {
            "type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"],
            "additionalProperties": False}}}


WAIT = {"type": "function", "function": {"name": "wait"}}
NAMED = {"type": "function", "function": {"name": "paint"}}


def test_forced_calls():
    tools = [paint_tool(), WAIT]
    for choice, reason in (("required", "tool_calls"), (NAMED, "stop")):
        for more in ({}, {"parallel_tool_calls": False}):
            answer = client.chat.completions.create(**ASK, tools=tools, tool_choice=choice, **more).choices[0]
            calls = answer.message.tool_calls
            assert answer.finish_reason == reason and answer.message.content == "" and calls, answer
            assert len(calls) == 1 or (choice == "required" and not more), calls
            for call in calls:
                arguments = json.loads(call.function.arguments)
                assert arguments == {} if call.function.name == "wait" else arguments["colour"] in ("red", "blue"), call
        chunks = list(client.chat.completions.create(**ASK, tools=tools, tool_choice=choice, stream=True))
        deltas = [call for c in chunks for call in c.choices[0].delta.tool_calls or []]
        assert deltas[0].id and deltas[0].type == "function" and deltas[0].function.name in ("paint", "wait")
        json.loads("".join(d.function.arguments or "" for d in deltas if d.index == 0))
        assert chunks[-1].choices[0].finish_reason == reason


def test_the_stream_helper_parses_a_forced_strict_call():
    with client.chat.completions.stream(**ASK, tools=[paint_tool()], tool_choice="required") as stream:
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert call.function.parsed_arguments["colour"] in ("red", "blue"), call


def refused(**extra):
    begin = time.time()
    try:
        client.chat.completions.create(**{**ASK, **extra})
    except openai.BadRequestError as error:
        assert time.time() - begin < 3, "a refusal takes a moment, not seconds"
        return error.message
    raise AssertionError(f"not refused: {extra}")


BAD = [
    ({"guided_regex": "[a-"}, "character class"), ({"guided_regex": "(?=a)b"}, "look"), ({"guided_grammar": "root ::= ("}, "line 1"),
    ({"guided_regex": "(a{1000}){1000}{1000}"}, ""), ({"guided_json": {"type": "nonsense"}}, "nonsense"),
    ({"guided_json": {"$ref": "#/$defs/none"}}, "none"), ({"guided_json": {"enum": []}}, ""),
    ({"guided_json": {"allOf": [{"type": "string"}, {"type": "number"}]}}, "no text"),
    ({"response_format": {"type": "json_schema"}}, "json_schema"), ({"structured_outputs": {}}, "one kind"),
]


def test_what_cannot_be_enforced_is_refused_by_name():
    for fields, word in BAD:
        assert word in refused(extra_body=fields), (fields, refused(extra_body=fields))
    bad = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
        "a": {"type": "nonsense"}}}}}
    assert "nonsense" in refused(tools=[bad], tool_choice="required")


def raw_stream(**fields):
    """The text of a stream, piece by piece."""
    chunks = client.chat.completions.create(**{**ASK, **fields}, stream=True)
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]


def test_company_changes_nothing():
    """Streams with and without constraints are the same alone and among bad requests and preempting neighbours."""
    asks = [dict(temperature=1.0, seed=seed, max_tokens=150, extra_body={"ignore_eos": True}) for seed in range(4)]
    asks += [dict(temperature=1.0, seed=seed, response_format=schema_format(CITY)) for seed in range(4)]
    asks += [dict(temperature=1.0, seed=7, max_tokens=150, extra_body={"guided_regex": "[a-z \n]{100,}"})]
    alone = [raw_stream(**ask) for ask in asks]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        together = [pool.submit(raw_stream, **ask) for ask in asks for _ in range(2)]
        bad = [pool.submit(refused, extra_body=fields) for fields, _ in BAD]
        for index, future in enumerate(together):
            assert future.result() == alone[index // 2], asks[index // 2]
        for future in bad:
            future.result()
    metrics = urllib.request.urlopen(BASE[:-3] + "/metrics").read().decode()
    assert float(re.search(r"^vllm:num_preemptions_total\{.*\} (\S+)$", metrics, re.M).group(1)) > 0


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
