"""LangChain's ChatOpenAI, unmodified, on the demo checkpoint."""
import sys

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="model", base_url=sys.argv[1], api_key="any", temperature=0, max_retries=0, max_tokens=80)
WEATHER = "What is the weather in Paris?"


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city"""
    return f'{{"temperature": 21, "city": "{city}"}}'


def test_invoke():
    answer = model.invoke([SystemMessage("Be brief."), HumanMessage("What is a KV cache?")])
    assert answer.content and answer.response_metadata["finish_reason"] in ("stop", "length"), answer
    assert answer.usage_metadata["output_tokens"] > 0


def test_stream_with_usage():
    pieces = list(model.stream("What is a KV cache?", stream_usage=True))
    whole = model.invoke("What is a KV cache?")
    assert "".join(piece.content for piece in pieces) == whole.content
    usages = [piece.usage_metadata for piece in pieces if piece.usage_metadata]
    assert usages[-1]["output_tokens"] == whole.usage_metadata["output_tokens"], usages


def test_content_parts():
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "a KV cache?"}]
    assert model.invoke([HumanMessage(parts)]).content


def test_tool_round_trip():
    bound = model.bind_tools([get_weather])
    call = bound.invoke(WEATHER)
    assert call.response_metadata["finish_reason"] == "tool_calls" and len(call.tool_calls) == 1, call
    assert "Paris" in call.tool_calls[0]["args"].values()  # the demo may garble names
    result = ToolMessage(get_weather.invoke({"city": "Paris"}), tool_call_id=call.tool_calls[0]["id"])
    answer = bound.invoke([HumanMessage(WEATHER), call, result])
    assert isinstance(answer, AIMessage) and answer.content, answer


def test_streamed_tool_call():
    whole = None
    for piece in model.bind_tools([get_weather]).stream(WEATHER):
        whole = piece if whole is None else whole + piece
    assert ["Paris" in call["args"].values() for call in whole.tool_calls] == [True], whole


def test_batch():
    answers = model.batch(["Say one.", "Say two.", "Say three."])
    assert [bool(answer.content) for answer in answers] == [True] * 3


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
