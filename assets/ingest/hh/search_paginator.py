"""Reads all results of a HeadHunter search, although it shows no more than 2,000: the search is split into windows of
time, then by areas, professional roles and experience.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assets.config.sources import HHQuery
from assets.ingest.hh.client import PER_PAGE, HHClient, Page, Params
from assets.ingest.hh.query_vocabulary import EXPERIENCES

MAX_RESULTS = 2_000
# The API rounds dates to the nearest five minutes: windows have such edges and are never shorter.
MIN_WINDOW = dt.timedelta(minutes=5)
# Vacancies that come and go shift the pages. A window whose pages shifted is read again, at most this often in all.
MAX_PASSES = 3

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WORLD = ""
_BY_AREA, _BY_ROLE, _BY_EXPERIENCE, _WHOLE = range(4)


@dataclass(frozen=True)
class _Search:
    """A search without its dates. `split_by` is the first dimension by which it may still be split."""

    fixed: Params
    areas: tuple[str, ...]
    roles: tuple[str, ...]
    experiences: tuple[str, ...]
    split_by: int = _BY_AREA

    def between(self, since: dt.datetime, until: dt.datetime) -> Params:
        named = (("area", self.areas), ("professional_role", self.roles), ("experience", self.experiences))
        listed = tuple((name, value) for name, values in named for value in values)
        return (*self.fixed, *listed, ("date_from", _instant(since)), ("date_to", _instant(until)))


@dataclass
class SearchPaginator:
    """Reads the pages of searches. `children` maps an area to those below it ("" to the countries).

    `roles` are all professional roles. `n_cut_searches` counts searches of five minutes that had more results than HH
    shows, however they were split.
    """

    client: HHClient
    children: Mapping[str, Sequence[str]] = field(repr=False)
    roles: Sequence[str] = field(repr=False)
    n_cut_searches: int = 0

    def pages(self, query: HHQuery, *, since: dt.datetime, until: dt.datetime) -> Iterator[bytes]:
        """The pages of all vacancies of `query` published from `since` to `until`; a vacancy may be on several.

        Raises what HHClient.page raises.
        """
        for page in self._window(search_of(query), floor_edge(since), ceil_edge(until)):
            yield page.body

    def _window(self, search: _Search, since: dt.datetime, until: dt.datetime) -> Iterator[Page]:
        params = search.between(since, until)
        first = self.client.page(params, 0)
        if first.found <= MAX_RESULTS:
            yield from self._pages(params, first)
        elif until - since > MIN_WINDOW:
            middle = floor_edge(since + (until - since) / 2)
            # Wide windows overlap, since publications shift meanwhile. The later window comes first: the newest
            # vacancies matter most if time runs out.
            overlap = MIN_WINDOW if until - since >= 8 * MIN_WINDOW else dt.timedelta(0)
            yield from self._window(search, middle, until)
            yield from self._window(search, since, middle + overlap)
        else:
            yield from self._five_minutes(search, since, until, first)

    def _five_minutes(self, search: _Search, since: dt.datetime, until: dt.datetime, first: Page) -> Iterator[Page]:
        """All results that HH shows, then narrower searches until as many vacancies were seen as HH found.

        Each way of splitting may miss some (vacancies of a region itself are in none of its towns). Then the next way
        is tried.
        """
        met: set[str] = set()
        for page in self._pages(search.between(since, until), first):
            met |= page.ids
            yield page
        for narrower in self._splits(search):
            for part in narrower:
                for page in self._window(part, since, until):
                    met |= page.ids
                    yield page
            if len(met) >= first.found:
                return
        self.n_cut_searches += 1

    def _splits(self, search: _Search) -> Iterator[list[_Search]]:
        """Narrower searches, one list for each dimension by which `search` may still be split."""
        if search.split_by <= _BY_AREA:
            areas = search.areas or (_WORLD,)
            narrower = areas if len(areas) > 1 else self.children.get(areas[0], ())
            yield [replace(search, areas=(area,)) for area in narrower]
        roles, experiences = search.roles or self.roles, search.experiences or EXPERIENCES
        if search.split_by <= _BY_ROLE:
            yield [replace(search, roles=(one,), split_by=_BY_EXPERIENCE) for one in roles if len(roles) > 1]
        if search.split_by <= _BY_EXPERIENCE:
            yield [replace(search, experiences=(one,), split_by=_WHOLE) for one in experiences if len(experiences) > 1]

    def _pages(self, params: Params, first: Page) -> Iterator[Page]:
        """The pages of one window. They are read again if `found` or the ids show that they shifted meanwhile: a
        vacancy that moved to an earlier page between two requests would be missed."""
        for n_pass in range(MAX_PASSES):
            page = first if n_pass == 0 else self.client.page(params, 0)
            found, met, is_shifted, number = page.found, set(page.ids), False, 1
            yield page
            while page.n_items and number < page.n_pages and (number + 1) * PER_PAGE <= MAX_RESULTS:
                page = self.client.page(params, number)
                is_shifted = is_shifted or page.found != found or not met.isdisjoint(page.ids)
                met |= page.ids
                yield page
                number += 1
            if not is_shifted:
                return


def search_of(query: HHQuery) -> _Search:
    """A query as a search. `no_magic` keeps HH from rewriting the text into filters."""
    fixed = [("per_page", str(PER_PAGE)), ("order_by", "publication_time"), ("no_magic", "true")]
    if query.text:
        fixed.append(("text", query.text))
    extra = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in query.extra.items()}
    experiences = extra.pop("experience", ())
    fixed += [(name, value) for name, values in sorted(extra.items()) for value in values]
    return _Search(tuple(fixed), tuple(query.area), tuple(query.professional_role), experiences)


def floor_edge(instant: dt.datetime) -> dt.datetime:
    """The last multiple of five minutes at or before `instant`."""
    return instant - (instant - _EPOCH) % MIN_WINDOW


def ceil_edge(instant: dt.datetime) -> dt.datetime:
    """The first multiple of five minutes at or after `instant`."""
    return instant + (_EPOCH - instant) % MIN_WINDOW


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
