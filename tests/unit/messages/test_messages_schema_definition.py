"""The published schema is the one that the code makes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from fsm.lifecycle import EVENTS
from pipelinejobs.messages import schema_definition

PUBLISHED = Path(__file__).resolve().parents[3] / "message.jsonschema"


def test_the_file_is_what_the_code_makes() -> None:
    assert PUBLISHED.read_text("utf-8") == schema_definition.text(), (
        "write it again: python -m pipelinejobs.messages.schema_definition > message.jsonschema"
    )


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(PUBLISHED.read_text("utf-8")))


def keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value in a schema, at any depth."""
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict):
        yield from schema.items()
    for child in children:
        yield from keywords(child)


def test_it_needs_no_other_document() -> None:
    definition = schema_definition.definition()
    references = [value for key, value in keywords(definition) if key == "$ref"]
    assert references
    for reference in references:
        name = reference.removeprefix("#/$defs/")
        assert reference == "#" or name in definition["$defs"], reference
    assert "$id" not in definition


def test_the_names_are_the_lifecycles() -> None:
    name = schema_definition.definition()["$defs"]["event"]["properties"]["name"]
    assert name["examples"] == list(EVENTS)
    for event in EVENTS:
        for spelt in (event, event.upper(), f" {event.title()}\n"):
            assert re.search(name["pattern"], spelt)
        assert not re.search(name["pattern"], f"{event}x")


def test_every_pattern_is_plain_ascii_and_anchored() -> None:
    patterns = [value for key, value in keywords(schema_definition.definition()) if key == "pattern"]
    for pattern in patterns:
        assert pattern.isascii()
        assert pattern.startswith("^")
        re.compile(pattern)
    assert len(set(patterns)) == 4


def test_each_level_holds_the_next() -> None:
    levels = schema_definition.definition()["$defs"]
    for level in range(1, 33):
        assert levels[f"level-{level}"]["items"] == {"$ref": f"#/$defs/level-{level + 1}"}
    assert "array" not in levels["level-33"]["type"]
    assert "level-34" not in levels
