"""Resumes and the language model: which ones it is asked about, and when they are read again."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from assets.config.llm import Use
from assets.llm.client import LlmClient
from assets.llm.questions import PENDING, Question, Reply
from features.llm.answers import ResumeAnswer
from features.llm.resumes import completed_by
from features.sources.resumes.fields import ReadResume

_USE: Use = "resumes"
_AFTER_PENDING = dt.timedelta(minutes=30)
_AFTER_FAILURE = dt.timedelta(days=1)  # the next day has a budget of its own
_RULES, _WITH_MODEL, _MODEL_FAILED = "rules", "rules_and_model", "rules_after_model_failed"


@dataclass(frozen=True)
class CompletedResume:
    """A resume with who read it, and the columns that the model filled.

    `mark` tells versions of one file apart: it is empty if rules alone decide. The file is worth reading again
    `retry_after` so long, if the model may answer then.
    """

    read: ReadResume
    read_by: str = _RULES
    columns: list[str] = field(default_factory=list)
    mark: str = ""
    retry_after: dt.timedelta | None = None


def complete_resumes(resumes: Sequence[tuple[str, ReadResume]], llm: LlmClient | None) -> list[CompletedResume]:
    """Each (user, resume) completed by the model, or as the rules read it if the model is off or fails."""
    if llm is None or not llm.is_on(_USE):
        return [CompletedResume(read) for _, read in resumes]
    asked = [number for number, (_, read) in enumerate(resumes) if read.text]
    replies = llm.ask(_USE, [Question(resumes[number][1].text, resumes[number][0]) for number in asked])
    by_number = dict(zip(asked, replies, strict=True))
    return [
        _completed(read, by_number[number], model=llm.settings.model) if number in by_number else CompletedResume(read)
        for number, (_, read) in enumerate(resumes)
    ]


def _completed(read: ReadResume, reply: Reply, *, model: str) -> CompletedResume:
    if not isinstance(reply.answer, ResumeAnswer):
        retry_after = _AFTER_PENDING if reply.reason == PENDING else None if reply.is_final else _AFTER_FAILURE
        return CompletedResume(read, _MODEL_FAILED, retry_after=retry_after)
    completed, columns = completed_by(read, reply.answer)
    mark = f"{model} {reply.answer.model_dump_json()}" if columns else ""
    return CompletedResume(completed, _WITH_MODEL, columns, mark)
