"""HeadHunter's API, one request at a time: a page of a search, a vacancy, a dictionary; and what its refusals mean.

Bodies are returned as they came; features.sources.hh.vacancies parses them. search_paginator reads all pages.
"""

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from assets.config.sources import HHSource, Sources
from assets.ingest import errors
from assets.ingest.http.client import HttpClient, Response, Validators
from assets.ingest.http.pacing import HostPacer

PER_PAGE = 100
_ATTEMPTS_AT_A_PAGE = 2
_WORD = re.compile(r"[A-Za-z0-9_.,: -]{1,80}")
_UNKNOWN = "the answer names no reason"
# What to do about a refusal, by the `type/value` (or the type alone) that HH names.
_ADVICE = {
    "captcha_required": "HH answers calls without an application's token by a captcha; set HH_ACCESS_TOKEN",
    "oauth": "HH does not take the application's token; renew it at dev.hh.ru and set HH_ACCESS_TOKEN",
    "forbidden": "HH refuses this client; without HH_ACCESS_TOKEN it refuses all",
    "bad_user_agent": "set hh.user_agent in sources.yaml to a name and a mailbox, as in jobfeed/1.0 (jobs@example.org)",
}

HH_TOKEN_VARIABLE = "HH_ACCESS_TOKEN"  # noqa: S105  the variable's name
Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """One page of a search. `found` may be more than the pages deliver."""

    body: bytes = field(repr=False)
    ids: frozenset[str]
    n_items: int
    found: int
    n_pages: int


class _Answer(msgspec.Struct):
    items: list[msgspec.Raw] = []
    found: int = 0
    pages: int = 0


class _Vacancy(msgspec.Struct):
    id: str | int | None = None


@dataclass
class HHClient:
    """Sends requests; thread-safe. `is_time_up` ends a run that takes too long; the next run does the rest.

    `n_answers` counts the answers with a body or a 304.
    """

    http: HttpClient
    source: HHSource
    token: str | None = field(repr=False)
    is_time_up: Callable[[], bool]
    n_answers: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def page(self, params: Params, number: int) -> Page:
        """One page of the search `params`. An answer that is no search page is requested again.

        Raises RefusedQueryError if HH refuses the query, SourceDisabledError if it refuses this client or time is up,
        else FetchError.
        """
        for _ in range(_ATTEMPTS_AT_A_PAGE):
            body = self.get("/vacancies", (*params, ("page", str(number)))).body
            with suppress(msgspec.DecodeError):
                answer = msgspec.json.decode(body, type=_Answer)
                ids = frozenset(id_ for item in answer.items if (id_ := id_of(item)) is not None)
                return Page(body, ids, n_items=len(answer.items), found=answer.found, n_pages=answer.pages)
        raise errors.NetworkError(self.url("/vacancies"), "answered 200 with no search page")

    def vacancy(self, vacancy_id: str) -> bytes | None:
        """The body of one vacancy; None if HH says that it is gone. Raises like `page`."""
        try:
            return self.get(f"/vacancies/{vacancy_id}").body
        except (errors.NotFoundError, errors.GoneError) as error:
            # A firewall in front of HH may answer 404 too, in HTML. Only HH itself knows that a vacancy is gone.
            if error.body.lstrip()[:1] == b"<":
                raise errors.NetworkError(self.url(f"/vacancies/{vacancy_id}"), "answered 404 in HTML") from error
            return None

    def get(self, path: str, params: Params = (), *, validators: Validators | None = None) -> Response:
        """The answer to a GET of `path`. Raises like `page`, and NotFoundError."""
        if self.is_time_up():
            raise errors.SourceDisabledError("out of time; the rest comes with the next run")
        headers = {"User-Agent": self.source.user_agent, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = self.http.get(self.url(path), params=params, headers=headers, validators=validators)
        except (errors.AccessDeniedError, errors.RateLimitedError) as error:
            raise errors.SourceDisabledError(refusal(error)) from error
        except errors.BadRequestError as error:
            reason = refusal(error)
            if "bad_user_agent" in reason:  # HH would refuse every other request too
                raise errors.SourceDisabledError(reason) from error
            raise errors.RefusedQueryError(reason) from error
        with self._lock:
            self.n_answers += 1
        return answer

    def url(self, path: str) -> str:
        return str(self.source.base_url).rstrip("/") + path


def hh_client(sources: Sources, *, token: str | None) -> HHClient:
    """A client that stops `hh.max_minutes_per_run` from now. All its threads share one pace and one token."""
    deadline = time.monotonic() + 60 * sources.hh.max_minutes_per_run
    http = HttpClient(sources.http, HostPacer(sources.hh.requests_per_second))
    return HHClient(http, sources.hh, token, is_time_up=lambda: time.monotonic() >= deadline)


def refusal(error: errors.StatusError) -> str:
    """A refusal as text: its status, the errors that HH names, and what to do about them."""
    kinds = error_kinds(error.body)
    advice = next((text for kind, text in _ADVICE.items() if kind in kinds), None)
    if advice is None and isinstance(error, errors.AccessDeniedError):
        advice = "blocked before it reached HH, or no token is set (HH_ACCESS_TOKEN)"
    return f"{error.status}: {kinds}" + (f"; {advice}" if advice else "")


def error_kinds(body: bytes) -> str:
    """`type/value (reason)` of the errors that HH names, if it names any; never other text of the body."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _UNKNOWN
    if not isinstance(answer, dict):
        return _UNKNOWN
    stated = answer.get("errors")
    kinds = [_kind(one) for one in stated if isinstance(one, dict)] if isinstance(stated, list) else []
    if not any(kinds):  # the older shape, before the API had `errors`
        legacy = [(name, answer.get(name)) for name in ("oauth_error", "bad_argument", "bad_arguments")]
        kinds = [_kind({"type": name, "value": value}) for name, value in legacy if value]
    return ", ".join(kind for kind in kinds[:3] if kind) or _UNKNOWN


def _kind(error: dict[str, object]) -> str:
    kind, value, reason = (_word(error.get(name)) for name in ("type", "value", "reason"))
    if kind is None:
        return ""
    return kind + (f"/{value}" if value and value != kind else "") + (f" ({reason})" if reason else "")


def _word(value: object) -> str | None:
    """`value` if it is a code word of the API; other text must not be repeated."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def id_of(vacancy: msgspec.Raw | bytes) -> str | None:
    """The id that a vacancy's JSON states, if it is an object with one."""
    try:
        id_ = msgspec.json.decode(vacancy, type=_Vacancy).id
    except msgspec.DecodeError:
        return None
    return None if id_ is None else str(id_)
