"""The settings of `follow_ups.yaml`: sequences of follow-ups, when their steps are due, and their texts."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from assets.config.yaml_files import Name, Strict
from features.applications.sequences import (
    BEGINNINGS,
    NEWS,
    OFFER_DEADLINE,
    Draft,
    Plan,
    Sequence,
    Step,
    Template,
    pieces,
)
from serving.contract.tables import LANGUAGES

Language = Literal["en", "ru"]
Days = Annotated[int, Field(ge=1, le=365)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]
_MOST_STEPS = 20
_LAST_DAY = 365


class Words(Strict):
    """The draft of a template in one language. Variables: name, company, role, interviewer, date."""

    subject: Line
    text: Annotated[str, Field(min_length=1, max_length=5_000)]

    @field_validator("subject", "text")
    @classmethod
    def _variables_are_known(cls, text: str) -> str:
        pieces(text)
        return text


class TemplateSettings(Strict):
    """A template: how it is sent, and its draft in each language."""

    channel: Literal["email", "message", "phone"] = "email"
    en: Words
    ru: Words


class Unknown(Strict):
    """Words in the place of what is not known of an application."""

    company: Line
    role: Line
    interviewer: Line


class StepSettings(Strict):
    """A step. `after`: days since the sequence began; `before`: days before the deadline. Exponential: neither."""

    template: Name
    after: Days | None = None
    before: Days | None = None


class Exponential(Strict):
    """Step n is due `first_days` · `factor`ⁿ⁻¹ days after the sequence began."""

    first_days: Days
    factor: Annotated[float, Field(gt=1, le=10)]


class SequenceSettings(Strict):
    """A sequence. `begins_with`, `cancelled_by`: words of sequences.py; `counting`: what the steps' days are.

    `on_working_days`: a due day without work moves to the next working day.
    """

    begins_with: Annotated[list[str], Field(min_length=1)]
    cancelled_by: Annotated[list[str], Field(min_length=1)] = Field(list(NEWS))
    counting: Literal["days", "business_days", "exponential"] = "days"
    exponential: Exponential | None = None
    on_working_days: bool = False
    steps: Annotated[list[StepSettings], Field(min_length=1, max_length=_MOST_STEPS)]

    @field_validator("begins_with")
    @classmethod
    def _beginnings_are_known(cls, words: list[str]) -> list[str]:
        return _known(words, BEGINNINGS)

    @field_validator("cancelled_by")
    @classmethod
    def _news_are_known(cls, words: list[str]) -> list[str]:
        return _known(words, NEWS)

    @model_validator(mode="after")
    def _days_fit_the_counting(self) -> Self:
        is_before = self.begins_with == [OFFER_DEADLINE]
        if OFFER_DEADLINE in self.begins_with and not is_before:
            raise ValueError(f"begins_with: {OFFER_DEADLINE} stands alone, because its steps are before it")
        if (self.counting == "exponential") != (self.exponential is not None):
            raise ValueError("exponential: give first_days and factor with counting: exponential, and only then")
        if is_before and self.counting != "days":
            raise ValueError(f"counting: {self.counting} can't go with {OFFER_DEADLINE}; allowed: days")
        wanted = None if self.exponential else "before" if is_before else "after"
        for number, step in enumerate(self.steps, start=1):
            given = [name for name in ("after", "before") if getattr(step, name) is not None]
            if given != ([wanted] if wanted else []):
                raise ValueError(f"steps: step {number} has {given or 'no days'}; expected {wanted or 'no days'}")
        days = [step.days for step in self.planned]
        rising = sorted(set(days), reverse=is_before)
        if days != rising or max(days) > _LAST_DAY:
            order = "fall" if is_before else "rise"
            raise ValueError(f"steps: their days are {days}; they must {order}, up to {_LAST_DAY}")
        return self

    @property
    def planned(self) -> tuple[Step, ...]:
        """The steps with their days."""
        if self.exponential is None:
            return tuple(Step(step.template, step.after or step.before or 0) for step in self.steps)
        first, factor = self.exponential.first_days, self.exponential.factor
        return tuple(Step(step.template, round(first * factor**n)) for n, step in enumerate(self.steps))


class FollowUps(Strict):
    """`follow_ups.yaml`.

    `due_hour`: of the user's day. `expire_after_days`: a step that nobody sent by then is skipped. `unknown`: words for
    what is not known of an application.
    """

    due_hour: Annotated[int, Field(ge=0, le=23)] = 10
    expire_after_days: Days = 14
    unknown: dict[Language, Unknown]
    sequences: dict[Name, SequenceSettings] = Field({})
    templates: dict[Name, TemplateSettings] = Field({})

    @model_validator(mode="after")
    def _every_text_is_there(self) -> Self:
        missing = [language for language in LANGUAGES if language not in self.unknown]
        if missing:
            raise ValueError(f"unknown: lacks {', '.join(missing)}")
        named = {step.template for sequence in self.sequences.values() for step in sequence.steps}
        if named - set(self.templates):
            lacking = ", ".join(sorted(named - set(self.templates)))
            raise ValueError(f"templates: lacks {lacking}, which a step names; there are {', '.join(self.templates)}")
        return self

    @property
    def plan(self) -> Plan:
        """The same as plain values."""
        sequences = tuple(
            Sequence(
                name=name,
                begins_with=tuple(one.begins_with),
                cancelled_by=tuple(one.cancelled_by),
                counting=_counting(one),
                is_moved=one.on_working_days,
                steps=one.planned,
            )
            for name, one in self.sequences.items()
        )
        templates = {
            name: Template(one.channel, {"en": Draft(**dict(one.en)), "ru": Draft(**dict(one.ru))})
            for name, one in self.templates.items()
        }
        unknown = {str(language): dict(words) for language, words in self.unknown.items()}
        return Plan(sequences, templates, unknown, self.due_hour, self.expire_after_days)


def _counting(settings: SequenceSettings) -> Literal["days", "business_days", "days_before"]:
    if OFFER_DEADLINE in settings.begins_with:
        return "days_before"
    return "business_days" if settings.counting == "business_days" else "days"


def _known(words: list[str], allowed: tuple[str, ...]) -> list[str]:
    unknown = [word for word in words if word not in allowed]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not known; allowed: {', '.join(allowed)}")
    return words
