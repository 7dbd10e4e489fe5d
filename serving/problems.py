"""Errors as problem details (RFC 9457), in one place."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson

PROBLEM_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An answer that is not 2xx: status, what was wrong, and members that a program can read."""

    def __init__(self, status: int, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members: Mapping[str, object] = members

    def body(self) -> bytes:
        """The problem document."""
        title = HTTPStatus(self.status).phrase
        document = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return orjson.dumps(document | dict(self.members))


def bad_parameter(name: str, received: str, allowed: str) -> ProblemError:
    """400: names the parameter, what was received (cut) and what is allowed."""
    shown = received if len(received) <= 80 else received[:79] + "…"
    detail = f"parameter {name!r}: received {shown!r}; allowed: {allowed}"
    return ProblemError(400, detail, parameter=name, allowed=allowed)
