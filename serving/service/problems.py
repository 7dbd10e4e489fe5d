"""Errors as problem details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from serving.service.responses import Problem

PROBLEM_TYPE = "application/problem+json"
# Text of the caller is cut to this many characters.
_MOST_SHOWN_CHARACTERS = 80
_ENCODER = msgspec.json.Encoder()


class ProblemError(Exception):
    """An error answer: status, what was wrong, and optional members of responses.Problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: str,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def body(self, request_id: str) -> bytes:
        """The problem document."""
        problem = Problem(
            type="about:blank",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            request_id=request_id,
            **self.members,
        )
        return _ENCODER.encode(problem)


def bad_parameter(name: str, received: str | None, allowed: str, *, what: str = "parameter") -> ProblemError:
    """400: names the parameter, what was received (cut) and what is allowed."""
    found = f"received {cut(received)!r}" if received is not None else "it is missing"
    return ProblemError(400, f"{what} {cut(name)!r}: {found}; allowed: {allowed}", parameter=cut(name), allowed=allowed)


def cut(received: str) -> str:
    """Text of the caller, short and fit for an answer."""
    shown = received.encode("utf-8", "replace").decode("utf-8")
    return shown if len(shown) <= _MOST_SHOWN_CHARACTERS else shown[: _MOST_SHOWN_CHARACTERS - 1] + "…"
