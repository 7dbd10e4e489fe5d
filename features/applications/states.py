"""The fourteen states of an application, and which may follow which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

STATES = (
    "saved", "preparing", "applied", "acknowledged", "screening", "assessment", "interview", "final_interview", "offer",
    "negotiation", "accepted", "declined", "rejected", "withdrawn",
)  # fmt: skip
NEW = "new"  # an application of which nothing is known yet
CODE_OF = {state: code for code, state in enumerate(STATES)}
NEW_CODE = len(STATES)
# What shows that the employer knows of the application; withdrawn does not.
KNOWN_TO_EMPLOYER = tuple(state for state in STATES[CODE_OF["applied"] :] if state != "withdrawn")
# The states that employers bring about.
BY_EMPLOYER = tuple(state for state in KNOWN_TO_EMPLOYER if state not in ("applied", "accepted", "declined"))
# What shows that there was an interview or an offer.
INTERVIEWED = ("interview", "final_interview")
OFFERED = ("offer", "negotiation", "accepted", "declined")
# Nothing is expected of anybody any more.
FINAL_STATES = ("accepted", "declined", "rejected", "withdrawn")


@dataclass(frozen=True)
class Transitions:
    """For NEW and each of STATES, the states that may follow. A state may always be stated again."""

    allowed: Mapping[str, Sequence[str]]

    @cached_property
    def matrix(self) -> NDArray[np.bool_]:
        """Whether the state of a column may follow that of a row; NEW is the last row."""
        found = np.zeros((len(STATES) + 1, len(STATES)), dtype=np.bool_)
        for state, following in self.allowed.items():
            found[CODE_OF.get(state, NEW_CODE), [CODE_OF[each] for each in following]] = True
        return found
