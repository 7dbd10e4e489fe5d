"""HeadHunter's API: a search walked whole although it shows no more than 2,000 results, and single vacancies.

Bodies are handed on as they came; reading them is features.sources.hh. Nothing is stored here.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from assets.config import HHQuery, HHSource
from assets.ingest import errors
from assets.ingest.http import HttpClient

MAX_RESULTS = 2_000
PER_PAGE = 100
# The API rounds dates to the nearest five minutes: windows have such edges, and can't be halved below.
FLOOR = dt.timedelta(minutes=5)
EXPERIENCES = ("noExperience", "between1And3", "between3And6", "moreThan6")
_RESERVED = frozenset({"page", "per_page", "date_from", "date_to", "period", "order_by", "no_magic", "clusters"})

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Params = tuple[tuple[str, str], ...]


class _Page(msgspec.Struct):
    """The part of a search answer that steers the walk; all else is left undecoded."""

    items: list[msgspec.Raw] = []
    found: int = 0
    pages: int = 0


class _Area(msgspec.Struct):
    id: str
    areas: list["_Area"] = []


@dataclass
class HHClient:
    """Walks searches and fetches vacancies. `is_time_up` ends a run that takes too long: what is left comes next time.

    `n_cut_searches` counts searches of one window, area and experience that had more than can be shown.
    """

    http: HttpClient
    source: HHSource
    token: str | None = field(repr=False)
    is_time_up: Callable[[], bool]
    n_cut_searches: int = 0
    _areas: Mapping[str, list[str]] | None = None

    def search(self, query: HHQuery, *, since: dt.datetime, until: dt.datetime) -> Iterator[bytes]:
        """The pages of all vacancies of `query` published from `since` to `until`; a vacancy may be on several.

        Raises QueryError if HH refuses the query, SourceDisabledError on 403, 429 and out of time, FetchError else.
        """
        reserved = sorted(_RESERVED & set(query.extra))
        if reserved:
            raise errors.QueryError(f"query {query.name}: extra must not hold {reserved}; the walk sets them")
        yield from self._window(query_params(query), query.area, floor_edge(since), ceil_edge(until))

    def vacancy(self, vacancy_id: str) -> bytes | None:
        """The body of one vacancy; None if it is gone (404). Raises SourceDisabledError, FetchError."""
        try:
            return self._get(f"/vacancies/{vacancy_id}", ())
        except (errors.NotFoundError, errors.GoneError):
            return None

    def _window(self, params: Params, areas: list[str], since: dt.datetime, until: dt.datetime) -> Iterator[bytes]:
        dated = (*params, *(("area", area) for area in areas), *_dates(since, until))
        first, page = self._page(dated, 0)
        if page.found <= MAX_RESULTS:
            yield from self._pages(dated, first, page)
        elif until - since > FLOOR:
            middle = floor_edge(since + (until - since) / 2)
            # Windows overlap, where they are wide enough to, since publications shift while we walk. The later one
            # first: the newest vacancies matter most if time runs out.
            overlap = FLOOR if until - since >= 8 * FLOOR else dt.timedelta(0)
            yield from self._window(params, areas, middle, until)
            yield from self._window(params, areas, since, middle + overlap)
        else:
            yield from self._pages(dated, first, page)
            yield from self._smaller_searches(params, areas, since, until)

    def _smaller_searches(
        self, params: Params, areas: list[str], since: dt.datetime, until: dt.datetime
    ) -> Iterator[bytes]:
        """Splits a window that can't be halved: by sub-areas, then by experience, then gives up on the rest."""
        smaller = self._sub_areas(areas)
        if smaller:
            for area in smaller:
                yield from self._window(params, [area], since, until)
        elif not any(name == "experience" for name, _ in params):
            for experience in EXPERIENCES:
                yield from self._window((*params, ("experience", experience)), areas, since, until)
        else:
            self.n_cut_searches += 1

    def _pages(self, params: Params, first: bytes, page: _Page) -> Iterator[bytes]:
        yield first
        number = 1
        while page.items and number < page.pages and (number + 1) * PER_PAGE <= MAX_RESULTS:
            body, page = self._page(params, number)
            yield body
            number += 1

    def _page(self, params: Params, number: int) -> tuple[bytes, _Page]:
        body = self._get("/vacancies", (*params, ("page", str(number))))
        try:
            return body, msgspec.json.decode(body, type=_Page)
        except msgspec.DecodeError as error:
            raise errors.NetworkError(self._url("/vacancies"), "answered 200 with no search page") from error

    def _sub_areas(self, areas: list[str]) -> list[str]:
        """The children of `areas` (of the whole world if none is given); empty where none of them has any."""
        if self._areas is None:
            body = self._get("/areas", ())
            try:
                roots = msgspec.json.decode(body, type=list[_Area])
            except msgspec.DecodeError as error:
                raise errors.NetworkError(self._url("/areas"), "answered 200 with no tree of areas") from error
            self._areas = _children(roots)
        if not areas:
            return self._areas[""]
        if len(areas) > 1:
            return areas
        return self._areas.get(areas[0], [])

    def _get(self, path: str, params: Params) -> bytes:
        if self.is_time_up():
            raise errors.SourceDisabledError("out of time; the rest comes with the next run")
        headers = {"User-Agent": self.source.user_agent, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            return self.http.get(self._url(path), params=params, headers=headers).body
        except (errors.AccessDeniedError, errors.RateLimitedError) as error:
            raise errors.SourceDisabledError(f"{error.status}: {error_kinds(error.body)}") from error
        except errors.BadRequestError as error:
            raise errors.QueryError(f"{error.status}: {error_kinds(error.body)}") from error

    def _url(self, path: str) -> str:
        return str(self.source.base_url).rstrip("/") + path


def query_params(query: HHQuery) -> Params:
    """A query as parameters, without area, dates and page. `no_magic` keeps HH from rewriting the text into filters."""
    params = [("per_page", str(PER_PAGE)), ("order_by", "publication_time"), ("no_magic", "true")]
    if query.text:
        params.append(("text", query.text))
    params += [("professional_role", role) for role in query.professional_role]
    for name, value in sorted(query.extra.items()):
        params += [(name, one) for one in ([value] if isinstance(value, str) else value)]
    return tuple(params)


def floor_edge(instant: dt.datetime) -> dt.datetime:
    """The last multiple of five minutes at or before `instant`."""
    return instant - (instant - _EPOCH) % FLOOR


def ceil_edge(instant: dt.datetime) -> dt.datetime:
    """The first multiple of five minutes at or after `instant`."""
    return instant + (_EPOCH - instant) % FLOOR


def error_kinds(body: bytes) -> str:
    """`type/value` of the errors that HH names, or that the body is none of HH's; never the body itself."""
    try:
        answer = msgspec.json.decode(body)
        found = [
            f"{e.get('type')}/{e.get('value')}" if e.get("value") else str(e.get("type")) for e in answer["errors"]
        ]
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return "the answer names no reason"
    return ", ".join(kind[:80] for kind in found[:3]) or "the answer names no reason"


def _dates(since: dt.datetime, until: dt.datetime) -> Params:
    layout = "%Y-%m-%dT%H:%M:%S+0000"
    return ("date_from", since.astimezone(dt.UTC).strftime(layout)), (
        "date_to",
        until.astimezone(dt.UTC).strftime(layout),
    )


def _children(roots: list[_Area]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {"": [root.id for root in roots]}
    pending = list(roots)
    while pending:
        area = pending.pop()
        children[area.id] = [child.id for child in area.areas]
        pending += area.areas
    return children
