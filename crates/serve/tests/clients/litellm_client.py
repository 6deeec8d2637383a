"""litellm, unmodified, by its OpenAI-compatible provider."""

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from common import BASE, MODEL, TOOL, run

litellm.telemetry = False
SAY = [{"role": "user", "content": "What is open-weight AI?"}]
WHERE = {"model": "openai/" + MODEL, "api_base": BASE + "/v1", "api_key": "none", "num_retries": 0}


def whole():
    answer = litellm.completion(messages=SAY, temperature=0, **WHERE)
    assert answer.choices[0].message.content and answer.usage.total_tokens > 0


def streamed():
    parts = litellm.completion(messages=SAY, temperature=0, stream=True, **WHERE)
    assert "".join(part.choices[0].delta.content or "" for part in parts)


def tools():
    answer = litellm.completion(
        messages=[{"role": "user", "content": "What is the weather in Rome?"}],
        tools=[TOOL], tool_choice="required", temperature=0, max_tokens=100, **WHERE,
    )
    assert "city" in json.loads(answer.choices[0].message.tool_calls[0].function.arguments)


def errors():
    try:
        litellm.completion(messages=[{"role": "user", "content": "x " * 5000}], **WHERE)
    except litellm.ContextWindowExceededError:
        pass
    except litellm.BadRequestError as error:
        assert "tokens" in str(error)
    else:
        raise AssertionError("a prompt that does not fit was accepted")


run([whole, streamed, tools, errors])
