"""ollama-python, unmodified."""

import json

import ollama
from common import BASE, MODEL, SCHEMA, TOOL, fits, run

client = ollama.Client(host=BASE)
SAY = [{"role": "user", "content": "What is open-weight AI?"}]
COLD = {"temperature": 0, "num_predict": 60}


def models():
    assert MODEL in [model.model for model in client.list().models]
    assert client.show(MODEL).details.format == "gguf"
    assert client.ps().models[0].model == MODEL


def whole():
    answer = client.chat(model=MODEL, messages=SAY, options=COLD)
    assert answer.message.content and answer.done and answer.eval_count > 0


def streamed():
    whole = client.chat(model=MODEL, messages=SAY, options=COLD)
    parts = list(client.chat(model=MODEL, messages=SAY, options=COLD, stream=True))
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert parts[-1].done and parts[-1].eval_count == whole.eval_count


def generated():
    answer = client.generate(model=MODEL, prompt="Hello", options=COLD)
    assert answer.response and answer.done_reason in ("stop", "length")
    raw = client.generate(model=MODEL, prompt="Once", raw=True, options=COLD)
    assert raw.done


def schema():
    answer = client.chat(
        model=MODEL,
        messages=[{"role": "user", "content": "Ann is 34 years old. Give name and age as JSON."}],
        format=SCHEMA,
        options={"temperature": 0, "num_predict": 300},
    )
    fits(answer.message.content)


def tools():
    question = [{"role": "user", "content": "What is the weather in Rome?"}]
    answer = client.chat(model=MODEL, messages=question, tools=[TOOL], options=COLD)
    for call in answer.message.tool_calls or []:
        json.dumps(dict(call.function.arguments))
        question += [answer.message, {"role": "tool", "content": "sunny", "tool_name": call.function.name}]
    assert client.chat(model=MODEL, messages=question, tools=[TOOL], options=COLD).done


def errors():
    for more, status in [({"model": "none"}, 404), ({"options": {"num_gpu": 1}}, 400)]:
        try:
            client.chat(**{"model": MODEL, "messages": SAY, **more})
        except ollama.ResponseError as error:
            assert error.status_code == status and error.error
        else:
            raise AssertionError(f"{more} was accepted")


run([models, whole, streamed, generated, schema, tools, errors])
