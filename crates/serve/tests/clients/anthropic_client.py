"""anthropic-python, unmodified."""

import anthropic
from common import BASE, MODEL, PARAMETERS, run

client = anthropic.Anthropic(base_url=BASE, api_key="none", max_retries=0)
# This client has no argument for it; the field is the API's.
COLD = {"extra_body": {"temperature": 0}}
SAY = [{"role": "user", "content": "What is open-weight AI?"}]
TOOL = {"name": "get_weather", "description": "The weather in a city", "input_schema": PARAMETERS}


def whole():
    answer = client.messages.create(model=MODEL, max_tokens=60, messages=SAY, system="Be kind.", **COLD)
    assert answer.content[0].type == "text" and answer.content[0].text
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


def streamed():
    whole = client.messages.create(model=MODEL, max_tokens=60, messages=SAY, **COLD)
    with client.messages.stream(model=MODEL, max_tokens=60, messages=SAY, **COLD) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.stop_reason == whole.stop_reason


def tools():
    ask = {"model": MODEL, "max_tokens": 100, **COLD, "tools": [TOOL], "tool_choice": {"type": "any"}}
    question = {"role": "user", "content": "What is the weather in Rome?"}
    answer = client.messages.create(messages=[question], **ask)
    call = next(block for block in answer.content if block.type == "tool_use")
    assert answer.stop_reason == "tool_use" and isinstance(call.input["city"], str)
    with client.messages.stream(messages=[question], **ask) as stream:
        final = stream.get_final_message()
    assert next(block for block in final.content if block.type == "tool_use").input == call.input
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]}
    history = [question, {"role": "assistant", "content": answer.content}, result]
    ask["tool_choice"] = {"type": "auto"}
    assert client.messages.create(messages=history, **ask).role == "assistant"


def counted():
    count = client.messages.count_tokens(model=MODEL, messages=SAY)
    answer = client.messages.create(model=MODEL, max_tokens=2, messages=SAY)
    usage = answer.usage
    assert count.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


def errors():
    for more, kind in [
        ({"model": "none"}, anthropic.NotFoundError),
        ({"extra_body": {"temperature": -1}}, anthropic.BadRequestError),
        ({"extra_body": {"made_up": 1}}, anthropic.BadRequestError),
        ({"messages": [{"role": "user", "content": "x " * 5000}]}, anthropic.BadRequestError),
    ]:
        try:
            client.messages.create(**{"model": MODEL, "max_tokens": 5, "messages": SAY, **more})
        except kind:
            continue
        raise AssertionError(f"{more} was accepted")


run([whole, streamed, tools, counted, errors])
