"""openai-python, unmodified."""

import json

import openai
from common import BASE, MODEL, SCHEMA, TOOL, fits, run

client = openai.OpenAI(base_url=BASE + "/v1", api_key="none", max_retries=0)
SAY = [{"role": "user", "content": "What is open-weight AI?"}]


def models():
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL


def whole():
    answer = client.chat.completions.create(model=MODEL, messages=SAY, temperature=0)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def streamed():
    whole = client.chat.completions.create(model=MODEL, messages=SAY, temperature=0)
    text, usage = "", None
    stream = client.chat.completions.create(
        model=MODEL, messages=SAY, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage or usage
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
    assert text == whole.choices[0].message.content
    assert usage.completion_tokens == whole.usage.completion_tokens


def helper_stream():
    with client.chat.completions.stream(model=MODEL, messages=SAY, temperature=0) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content


def seeds():
    ask = lambda seed: client.chat.completions.create(
        model=MODEL, messages=SAY, seed=seed, temperature=2, top_p=1, max_tokens=20, n=2,
        extra_body={"min_p": 0, "top_k": 0},
    )
    texts = lambda answer: [choice.message.content for choice in answer.choices]
    first, again, other = texts(ask(1)), texts(ask(1)), texts(ask(2))
    assert first == again and first != other and first[0] != first[1]


def logprobs():
    answer = client.chat.completions.create(
        model=MODEL, messages=SAY, temperature=0, max_tokens=5, logprobs=True, top_logprobs=3
    )
    content = answer.choices[0].logprobs.content
    assert len(content) == 5
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        assert token.token == token.top_logprobs[0].token
    assert "".join(token.token for token in content).startswith(answer.choices[0].message.content[:3])


def tools():
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in Rome?"}],
        tools=[TOOL],
        tool_choice="required",
        temperature=0,
        max_tokens=100,
    )
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    # The result goes back and is answered.
    history = [
        {"role": "user", "content": "What is the weather in Rome?"},
        answer.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "sunny, 25 degrees"},
    ]
    assert client.chat.completions.create(model=MODEL, messages=history, tools=[TOOL], max_tokens=30).choices


def tools_streamed():
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in Rome?"}],
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=100,
        stream=True,
    )
    arguments, name, ids = "", "", set()
    for chunk in stream:
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
            ids |= {call.id} - {None}
    assert name == "get_weather" and "city" in json.loads(arguments) and len(ids) == 1


def schema():
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Ann is 34 years old. Give name and age as JSON."}],
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}},
        max_tokens=200,
    )
    fits(answer.choices[0].message.content)


def parsed():
    from typing import Annotated

    from pydantic import BaseModel, Field

    class Person(BaseModel):
        name: Annotated[str, Field(max_length=12)]
        age: Annotated[int, Field(ge=0, le=150)]

    answer = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Ann is 34."}],
        response_format=Person,
        temperature=0,
        max_tokens=300,
    )
    assert isinstance(answer.choices[0].message.parsed, Person)


def completions():
    answer = client.completions.create(model=MODEL, prompt=["One", "Two"], max_tokens=4, logprobs=1, echo=True)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].text.startswith("One") and answer.choices[0].logprobs.token_logprobs[0] is None
    text = "".join(
        chunk.choices[0].text
        for chunk in client.completions.create(model=MODEL, prompt="One", max_tokens=4, stream=True)
        if chunk.choices
    )
    assert isinstance(text, str)


def responses():
    whole = client.responses.create(model=MODEL, input="What is open-weight AI?", temperature=0)
    assert whole.output_text and whole.status in ("completed", "incomplete")
    with client.responses.stream(model=MODEL, input="What is open-weight AI?", temperature=0) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == whole.output_text == final.output_text
    tool = {"type": "function", "name": "get_weather", "parameters": TOOL["function"]["parameters"], "strict": True}
    question = "What is the weather in Rome?"
    called = client.responses.create(model=MODEL, input=question, tools=[tool], tool_choice="required", temperature=0)
    call = next(item for item in called.output if item.type == "function_call")
    assert "city" in json.loads(call.arguments)
    items = [{"role": "user", "content": question}, *called.output,
             {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    assert client.responses.create(model=MODEL, input=items, tools=[tool], max_output_tokens=30).output


def errors():
    for more, kind, param in [
        ({"model": "none"}, openai.NotFoundError, "model"),
        ({"temperature": -1}, openai.BadRequestError, "temperature"),
        ({"store": True}, openai.BadRequestError, "store"),
        ({"extra_body": {"made_up": 1}}, openai.BadRequestError, "made_up"),
        ({"messages": [{"role": "user", "content": "x " * 5000}]}, openai.BadRequestError, "messages"),
    ]:
        try:
            client.chat.completions.create(**{"model": MODEL, "messages": SAY, **more})
        except kind as error:
            assert error.param == param, (more, error.param)
            assert error.request_id
        else:
            raise AssertionError(f"{more} was accepted")


def cancelled():
    stream = client.chat.completions.create(
        model=MODEL, messages=SAY, stream=True, max_tokens=900, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(model=MODEL, messages=SAY, max_tokens=2).choices


run([models, whole, streamed, helper_stream, seeds, logprobs, tools, tools_streamed, schema, parsed, completions, responses, errors, cancelled])
