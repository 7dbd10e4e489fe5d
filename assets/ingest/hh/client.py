"""HeadHunter's API, one request at a time: a page of a search, a vacancy, a dictionary; and what its refusals mean.

Bodies are handed on as they came; reading them is features.sources.hh.vacancies. Walking a search is hh_walk's.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from assets.config import HHSource
from assets.ingest import errors
from assets.ingest.http.client import HttpClient, Response, Validators

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


class _Item(msgspec.Struct):
    id: str | int | None = None


@dataclass
class HHClient:
    """Sends requests; thread-safe. `is_time_up` ends a run that takes too long: what is left comes next time.

    `n_answers` counts the answers with a body or a 304.
    """

    http: HttpClient
    source: HHSource
    token: str | None = field(repr=False)
    is_time_up: Callable[[], bool]
    n_answers: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def page(self, params: Params, number: int) -> Page:
        """One page of the search `params`, asked for again if it is none.

        Raises RefusedQueryError if HH refuses the query, SourceDisabledError if it refuses this client or time is up,
        else FetchError.
        """
        for attempt in range(_ATTEMPTS_AT_A_PAGE):
            body = self.get("/vacancies", (*params, ("page", str(number)))).body
            try:
                answer = msgspec.json.decode(body, type=_Answer)
            except msgspec.DecodeError as error:
                if attempt + 1 == _ATTEMPTS_AT_A_PAGE:
                    raise errors.NetworkError(self.url("/vacancies"), "answered 200 with no search page") from error
                continue
            ids = frozenset(id_ for item in answer.items if (id_ := _id_of(item)) is not None)
            return Page(body, ids, n_items=len(answer.items), found=answer.found, n_pages=answer.pages)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def vacancy(self, vacancy_id: str) -> bytes | None:
        """The body of one vacancy; None if HH says that it is gone. Raises as `page` does."""
        try:
            return self.get(f"/vacancies/{vacancy_id}").body
        except (errors.NotFoundError, errors.GoneError) as error:
            # A block in front of HH may answer 404 too, in HTML; only HH itself knows that a vacancy is gone.
            if error.body.lstrip()[:1] == b"<":
                raise errors.NetworkError(self.url(f"/vacancies/{vacancy_id}"), "answered 404 in HTML") from error
            return None

    def get(self, path: str, params: Params = (), *, validators: Validators | None = None) -> Response:
        """The answer to a GET of `path`. Raises as `page` does, and NotFoundError."""
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
            told = refusal(error)
            if "bad_user_agent" in told:  # every other request would be refused alike
                raise errors.SourceDisabledError(told) from error
            raise errors.RefusedQueryError(told) from error
        with self._lock:
            self.n_answers += 1
        return answer

    def url(self, path: str) -> str:
        return str(self.source.base_url).rstrip("/") + path


def refusal(error: errors.StatusError) -> str:
    """A refusal in words: its status, the errors that HH names, and what to do about them."""
    kinds = error_kinds(error.body)
    advice = next((text for kind, text in _ADVICE.items() if kind in kinds), None)
    if advice is None and isinstance(error, errors.AccessDeniedError):
        advice = "blocked before it reached HH, or no token is set (HH_ACCESS_TOKEN)"
    return f"{error.status}: {kinds}" + (f"; {advice}" if advice else "")


def error_kinds(body: bytes) -> str:
    """`type/value (reason)` of the errors that HH names, or that the body names none; never other text of the body."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _UNKNOWN
    if not isinstance(answer, dict):
        return _UNKNOWN
    stated = answer.get("errors")
    kinds = [_kind(one) for one in stated if isinstance(one, dict)] if isinstance(stated, list) else []
    if not any(kinds):  # what the API said before it had `errors`
        legacy = [(name, answer.get(name)) for name in ("oauth_error", "bad_argument", "bad_arguments")]
        kinds = [_kind({"type": name, "value": value}) for name, value in legacy if value]
    return ", ".join(kind for kind in kinds[:3] if kind) or _UNKNOWN


def _kind(error: dict[str, object]) -> str:
    kind, value, reason = (_word(error.get(name)) for name in ("type", "value", "reason"))
    if kind is None:
        return ""
    return kind + (f"/{value}" if value and value != kind else "") + (f" ({reason})" if reason else "")


def _word(value: object) -> str | None:
    """A code word of the API; anything else in its place is not repeated."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _id_of(item: msgspec.Raw) -> str | None:
    try:
        id_ = msgspec.json.decode(item, type=_Item).id
    except msgspec.DecodeError:
        return None
    return None if id_ is None else str(id_)
