"""What a model may answer, by task: the shape that it is asked for and that every answer is held against again.

Whether an answer is true to its text is checked in grounding.
"""

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import JobfeedError

MAX_ANSWER_CHARACTERS = 30_000
_Line = Annotated[str, Field(max_length=200)]
# Some providers refuse a schema that bounds texts, lists or numbers. The answer is checked for them afterwards.
_NOT_SENT = ("title", "default", "maxLength", "minLength", "maxItems", "minItems", "minimum", "maximum", "description")


class AnswerError(JobfeedError, ValueError):
    """An answer that does not have the shape that was asked for."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EmploymentAnswer(_Answer):
    """One employment; months as "YYYY-MM", `end` also "now"."""

    title: _Line | None
    company: _Line | None
    start: Annotated[str, Field(max_length=7)] | None
    end: Annotated[str, Field(max_length=7)] | None


class SkillAnswer(_Answer):
    """A skill, with the years that are stated beside it."""

    name: _Line
    years: Annotated[float, Field(ge=0, le=80)] | None


class ResumeAnswer(_Answer):
    """What a resume says."""

    employments: Annotated[list[EmploymentAnswer], Field(max_length=50)]
    skills: Annotated[list[SkillAnswer], Field(max_length=200)]
    education: Annotated[list[_Line], Field(max_length=20)]
    languages: Annotated[list[_Line], Field(max_length=20)]
    stated_years: Annotated[float, Field(ge=0, le=80)] | None


class MatchAnswer(_Answer):
    """Why a job suits a user, in both languages."""

    english: Annotated[str, Field(min_length=10, max_length=500)]
    russian: Annotated[str, Field(min_length=10, max_length=500)]


class ReplyAnswer(_Answer):
    """What an employer's message means for the application."""

    sentiment: Literal["positive", "neutral", "negative"]


def read_answer(kind: type[BaseModel], content: str) -> BaseModel:
    """`content` as `kind`. Raises AnswerError, whose message quotes nothing of it."""
    if len(content) > MAX_ANSWER_CHARACTERS:
        raise AnswerError(f"{len(content)} characters; at most {MAX_ANSWER_CHARACTERS} are read")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        known = kind.model_fields
        where = ".".join(str(part) for part in first["loc"][:1] if part in known)
        raise AnswerError(f"{kind.__name__}{'.' + where if where else ''}: {first['type']}") from None


def json_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of `kind` in the subset that `response_format` allows: all keys required, no other keys."""
    schema: dict[str, Any] = copy.deepcopy(kind.model_json_schema())
    _strip(schema)
    return schema


def _strip(node: object) -> None:
    if isinstance(node, list):
        for each in node:
            _strip(each)
    if not isinstance(node, dict):
        return
    properties = node.get("properties")
    for key in _NOT_SENT:
        node.pop(key, None)
    if isinstance(properties, Mapping):
        node["required"] = list(properties)
        node["additionalProperties"] = False
        for each in properties.values():  # a property may have the name of a keyword, so its name is left alone
            _strip(each)
    for key, value in node.items():
        if key == "$defs":
            for each in value.values():
                _strip(each)
        elif key != "properties":
            _strip(value)
