"""What the client tests share: where the server is, and how a case is told."""

import json
import os
import sys
import traceback

BASE = os.environ["FREEHOLD_TEST_URL"]
MODEL = "house"

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather in a city", "parameters": PARAMETERS}}


def fits(text):
    """That a text is JSON of SCHEMA."""
    import jsonschema

    jsonschema.validate(json.loads(text), SCHEMA)


def run(cases):
    """Runs the cases, says each one's fate, ends with 1 if any failed."""
    failed = 0
    for case in cases:
        try:
            case()
            print("ok", case.__name__)
        except Exception:  # noqa: BLE001
            failed += 1
            print("FAILED", case.__name__)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
