"""The types of responses about applications; see responses.py."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from serving.contract import keys
from serving.contract.tables import DESCRIBED
from serving.service.responses import Columns, Generation, UserId


class Application(Struct, gc=False):
    """An application as it stands."""

    columns: ClassVar[Columns] = DESCRIBED["applications"].columns
    application_id: str
    job_id: str | None
    title: str | None
    company: str | None
    company_id: str | None
    url: str | None
    state: str | None
    state_since: str | None
    applied_at: str | None
    last_event_at: str
    is_silent: bool
    next_action: str | None
    next_action_at: str | None
    match_percent: int | None


class FunnelStep(Struct, gc=False):
    """How many applications came to a step or beyond."""

    columns: ClassVar[Columns] = DESCRIBED["application_funnel"].columns
    dimension: str
    value: str
    step: str
    position: int
    n_users: int
    n_applications: int
    n_reached: int
    conversion: float | None
    share: float
    lower: float | None
    upper: float | None
    median_days: float | None


class Applications(Struct):
    """A user's applications."""

    user_id: UserId
    generation: Generation
    funnel: Annotated[list[FunnelStep], Meta(description="How far they came, step by step; empty before the first")]
    applications: Annotated[list[Application], Meta(description="The newest first; empty if there are none")]


class ApplicationEvent(Struct, gc=False):
    """One event of an application's timeline."""

    columns: ClassVar[Columns] = DESCRIBED["application_events"].columns
    application_id: str
    position: int
    event_id: str
    occurred_at: str
    event_type: str
    state_before: str | None
    state: str | None
    asked_state: str | None
    is_refused: bool
    job_id: str | None
    title: str | None
    company: str | None
    url: str | None
    interview_id: str | None
    offer_id: str | None
    action: str | None
    kind: str | None
    starts_at: str | None
    utc_offset_minutes: int | None
    duration_minutes: int | None
    outcome: str | None
    interviewer: str | None
    salary: float | None
    currency: str | None
    period: str | None
    due_date: str | None
    remind_at: str | None
    text: str | None
    channel: str | None
    direction: str | None
    sentiment: str | None
    sentiment_by: str | None
    sequence: str | None
    step: int | None


class Interview(Struct, gc=False):
    """An interview as it stands."""

    columns: ClassVar[Columns] = DESCRIBED["interviews"].columns
    application_id: str
    interview_id: str
    status: str
    kind: str | None
    starts_at: str | None
    utc_offset_minutes: int | None
    duration_minutes: int | None
    outcome: str | None
    interviewer: str | None
    feedback: str | None
    revision: int
    is_soon: bool | None
    updated_at: str


class Offer(Struct, gc=False):
    """An offer as it stands."""

    columns: ClassVar[Columns] = DESCRIBED["offers"].columns
    application_id: str
    offer_id: str
    status: str
    salary: float | None
    currency: str | None
    period: str | None
    monthly_usd: float | None
    deadline: str | None
    market_percentile: float | None
    n_compared: int
    updated_at: str


class FollowUp(Struct, gc=False):
    """What the user may write to an employer, and when. The text is a draft, which the user sends."""

    columns: ClassVar[Columns] = DESCRIBED["follow_ups"].columns
    application_id: str
    sequence: str
    ref: str
    step: int
    template: str
    begins_at: str
    due_at: str
    is_due: bool
    expires_at: str
    channel: str | None
    language: str
    subject: str | None
    text: str | None
    status: str
    why: str
    revision: int
    updated_at: str


class FollowUps(Struct):
    """A user's follow-ups."""

    user_id: UserId
    generation: Generation
    follow_ups: Annotated[
        list[FollowUp],
        Meta(description="Open ones first, the next one due at the top; empty if there are none"),
    ]


class ApplicationDetail(Struct):
    """One application with its whole timeline."""

    user_id: UserId
    generation: Generation
    application: Annotated[Application, Meta(description="The application as it stands")]
    events: Annotated[list[ApplicationEvent], Meta(description="The timeline, in order")]
    interviews: Annotated[list[Interview], Meta(description="Its interviews")]
    offers: Annotated[list[Offer], Meta(description="Its offers")]


# What is stored of a user's applications: the prefix of the key -> decoder of its rows.
ROWS: Mapping[str, msgspec.json.Decoder[Any]] = {
    keys.APPLICATIONS_PREFIX: msgspec.json.Decoder(list[Application]),
    keys.APPLICATION_EVENTS_PREFIX: msgspec.json.Decoder(list[ApplicationEvent]),
    keys.INTERVIEWS_PREFIX: msgspec.json.Decoder(list[Interview]),
    keys.OFFERS_PREFIX: msgspec.json.Decoder(list[Offer]),
    keys.FOLLOW_UPS_PREFIX: msgspec.json.Decoder(list[FollowUp]),
}
