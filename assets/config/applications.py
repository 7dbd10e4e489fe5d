"""The settings of `applications.yaml`: states of applications, their transitions, and what other systems call them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from assets.config.yaml_files import Name, Strict
from features.applications.states import NEW, STATES, Transitions

State = Literal[
    "saved", "preparing", "applied", "acknowledged", "screening", "assessment", "interview", "final_interview", "offer",
    "negotiation", "accepted", "declined", "rejected", "withdrawn",
]  # fmt: skip
From = Literal["new"] | State
Days = Annotated[int, Field(ge=1, le=1_000)]
Implying = Literal[
    "interview_scheduled", "interview_completed", "offer_received", "offer_countered", "offer_accepted",
    "offer_declined", "offer_expired",
]  # fmt: skip


class Applications(Strict):
    """`applications.yaml`.

    `transitions`: for `new` and each state, the states that may follow. `aliases`: words of other systems for a state.
    `implied`: the state that an interview or an offer asks for, where the table allows it. `silent_after_days`: days
    without news after which an application in this state is marked silent.
    """

    transitions: dict[From, list[State]]
    aliases: dict[Name, State] = Field({})
    implied: dict[Implying, State] = Field({})
    silent_after_days: dict[State, Days] = Field({})

    @model_validator(mode="after")
    def _every_state_has_its_row(self) -> Self:
        missing = [state for state in (NEW, *STATES) if state not in self.transitions]
        if missing:
            raise ValueError(
                f"transitions: lacks {', '.join(missing)}; give a state that nothing follows an empty list"
            )
        return self

    @model_validator(mode="after")
    def _aliases_hide_no_state(self) -> Self:
        taken = sorted(set(self.aliases) & set(STATES))
        if taken:
            raise ValueError(f"aliases: {', '.join(taken)} are states themselves")
        return self

    @property
    def table(self) -> Transitions:
        return Transitions({state: list(following) for state, following in self.transitions.items()})

    @property
    def words_implied(self) -> dict[str, str]:
        """`implied` by plain words."""
        return {str(event): str(state) for event, state in self.implied.items()}

    @property
    def days_by_state(self) -> dict[str, int]:
        """`silent_after_days` by plain words."""
        return {str(state): days for state, days in self.silent_after_days.items()}

    @property
    def words(self) -> dict[str, str]:
        """The state that each word stands for."""
        return {**{state: state for state in STATES}, **self.aliases}
