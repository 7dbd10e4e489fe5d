"""The shapes of answers: what is asked for, and what is taken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from features.llm.answers import AnswerError, MatchAnswer, ReplyAnswer, ResumeAnswer, json_schema, read_answer

KINDS = [ResumeAnswer, MatchAnswer, ReplyAnswer]


def objects(schema: object) -> list[dict[str, object]]:
    if isinstance(schema, dict):
        own = [schema] if schema.get("type") == "object" else []
        return own + [found for value in schema.values() for found in objects(value)]
    return [found for value in schema for found in objects(value)] if isinstance(schema, list) else []


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_that_is_sent_requires_every_key_and_allows_no_other(kind: type[BaseModel]) -> None:
    schema = json_schema(kind)
    assert objects(schema)
    for each in objects(schema):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])  # type: ignore[call-overload]
    assert "title" in json_schema(ResumeAnswer)["$defs"]["EmploymentAnswer"]["properties"], "a key may be a keyword"
    assert "maxLength" not in json.dumps(schema)


@pytest.mark.parametrize("kind", KINDS)
@given(content=st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_anything_else_is_refused_without_being_quoted(kind: type[BaseModel], content: str) -> None:
    with pytest.raises(AnswerError) as error:
        read_answer(kind, content)
    assert len(str(error.value)) < 100


def test_lengths_and_numbers_are_bounded_though_the_schema_does_not_say_so() -> None:
    good = {
        "employments": [],
        "skills": [{"name": "Go", "years": 2}],
        "education": [],
        "languages": [],
        "stated_years": 3,
    }
    assert read_answer(ResumeAnswer, json.dumps(good))
    for change in (
        {"skills": [{"name": "Go", "years": 900}]},
        {"skills": [{"name": "x" * 201, "years": None}]},
        {"stated_years": -1},
        {"stated_years": "3"},
        {"education": ["x"] * 21},
        {"skills": [{"name": "Go", "years": 2, "admin": True}]},
    ):
        with pytest.raises(AnswerError):
            read_answer(ResumeAnswer, json.dumps({**good, **change}))
