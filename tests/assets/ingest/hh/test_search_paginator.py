"""A search walked whole at the true server's limits, whatever comes and goes meanwhile."""

import datetime as dt
import json
import random
from collections.abc import Callable

import pytest

from assets.config.sources import HHQuery, HHSource
from assets.ingest import errors
from assets.ingest.hh.client import HHClient, error_kinds
from assets.ingest.hh.search_paginator import SearchPaginator, ceil_edge, floor_edge
from tests.assets.ingest.hh.hh_server import HHServer, Vacancy, error_answer
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, make_client

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)
QUERY = HHQuery(name="all", area=["40"])


@pytest.fixture
def hh(server: FaultServer) -> HHServer:
    return HHServer(server)


def make_paginator(hh: HHServer, *, token: str | None = None, **settings: object) -> SearchPaginator:
    source = HHSource.model_validate({"base_url": hh.url, **settings})
    client = HHClient(make_client(FakeTime()), source, token, is_time_up=lambda: False)
    return SearchPaginator(client, children={"": ["40"], **hh.tree}, roles=hh.roles)


def met(
    paginator: SearchPaginator, *, since: dt.datetime, until: dt.datetime = AS_OF, query: HHQuery = QUERY
) -> list[int]:
    pages = paginator.pages(query, since=since, until=until)
    return [int(item["id"]) for page in pages for item in json.loads(page)["items"]]


def test_seven_thousand_vacancies_are_read_completely_within_the_real_limits(hh: HHServer) -> None:
    for n in range(7_000):
        hh.add(Vacancy(n + 1, AS_OF - n * MINUTE))
    paginator = make_paginator(hh)
    found = met(paginator, since=AS_OF - 10 * DAY)
    assert set(found) == set(range(1, 7_001))
    assert paginator.n_cut_searches == 0
    assert max(int(request.values("page")[0]) for request in hh.searches()) <= 19
    assert hh.n_searches() < 150
    edges = {value for r in hh.searches() for name in ("date_from", "date_to") for value in r.values(name)}
    assert all(dt.datetime.fromisoformat(edge).timestamp() % 300 == 0 for edge in edges)


def test_five_minutes_with_too_many_are_split_by_area_role_and_experience(hh: HHServer) -> None:
    hh.max_results = 300
    spread = random.Random(5)
    for n in range(2_500):
        at = AS_OF - 2 * DAY + spread.randrange(10, 110) * SECOND
        # Some lie in the country itself, in none of its towns; in the towns some have no role.
        area = spread.choice(["160", "159", "40"])
        vacancy = Vacancy(n + 1, at, area=area, role=spread.choice(hh.roles if area == "40" else (*hh.roles, None)))
        vacancy.experience = spread.choice(["noExperience", "between1And3", "between3And6", "moreThan6"])
        hh.add(vacancy)
    paginator = make_paginator(hh)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assets.ingest.hh.search_paginator.MAX_RESULTS", 300)
        assert set(met(paginator, since=AS_OF - 3 * DAY)) == set(hh.vacancies)
    assert paginator.n_cut_searches == 0
    narrowed = {name for request in hh.searches() for name, _ in request.query}
    assert {"area", "professional_role", "experience"} <= narrowed


def test_five_minutes_at_the_real_limit_are_read_completely(hh: HHServer) -> None:
    roles = [role for role in hh.roles for _ in range(700)]
    hh.add(*(Vacancy(n + 1, AS_OF - DAY + MINUTE, role=role) for n, role in enumerate(roles)))
    paginator = make_paginator(hh)
    assert set(met(paginator, since=AS_OF - 2 * DAY)) == set(hh.vacancies)
    assert paginator.n_cut_searches == 0


def test_what_can_not_be_split_any_further_is_counted_as_cut(hh: HHServer) -> None:
    hh.max_results = 100
    hh.add(*(Vacancy(n + 1, AS_OF - DAY + MINUTE) for n in range(150)))
    paginator = make_paginator(hh)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assets.ingest.hh.search_paginator.MAX_RESULTS", 100)
        found = met(paginator, since=AS_OF - 2 * DAY)
    assert len(set(found)) == 100
    assert paginator.n_cut_searches > 0


def _one_vanishes(hh: HHServer, page: int) -> None:
    """The newest vacancy ends between two pages, three times in all: those below move up by one."""
    alive = sorted((v for v in hh.vacancies.values() if not v.is_deleted), key=lambda v: v.published_at)
    if page > 0 and len(hh.vacancies) - len(alive) < 3:
        alive[-1].is_deleted = True


def _one_comes(hh: HHServer, page: int) -> None:
    number = len(hh.vacancies) + 1
    if page > 0 and number <= 1_010:
        hh.add(Vacancy(number, AS_OF - 30 * SECOND))


def _one_is_raised(hh: HHServer, page: int) -> None:
    """An old vacancy is published again and moves to the top: all above it move down, those below stay."""
    oldest = min(hh.vacancies.values(), key=lambda v: v.published_at)
    if page in (2, 5):
        oldest.published_at = AS_OF - MINUTE


@pytest.mark.parametrize("drift", [_one_vanishes, _one_comes, _one_is_raised])
def test_pages_that_shift_while_read_lose_no_vacancy(hh: HHServer, drift: Callable[[HHServer, int], None]) -> None:
    for n in range(1_000):
        hh.add(Vacancy(n + 1, AS_OF - 2 * MINUTE - n * MINUTE))
    hh.before_page = drift
    found = set(met(make_paginator(hh), since=AS_OF - 3 * DAY))
    assert {v.id for v in hh.vacancies.values() if not v.is_deleted} <= found


def test_calm_pages_are_read_once(hh: HHServer) -> None:
    hh.add(*(Vacancy(n + 1, AS_OF - n * MINUTE) for n in range(450)))
    found = met(make_paginator(hh), since=AS_OF - 3 * DAY)
    assert len(found) == 450 and hh.n_searches() == 5


def test_reading_ends_even_if_more_is_found_than_the_pages_deliver(hh: HHServer) -> None:
    hh.add(*(Vacancy(n + 1, AS_OF - n * MINUTE) for n in range(250)))
    hh.n_not_delivered = 120
    assert len(met(make_paginator(hh), since=AS_OF - DAY)) == 250
    assert hh.n_searches() == 3
    hh.n_not_delivered = 3_000  # as if there were too many in any five minutes
    assert set(met(make_paginator(hh), since=AS_OF - dt.timedelta(minutes=10))) == set(range(1, 12))


def test_a_query_is_sent_with_the_parameters_that_hh_needs(hh: HHServer) -> None:
    hh.token = "t0ken"
    query = HHQuery(name="q", text="python", area=["160"], professional_role=["96"], extra={"work_format": ["REMOTE"]})
    met(make_paginator(hh, token="t0ken"), since=AS_OF - DAY, query=query)
    sent = dict(hh.server.requests[0].query)
    expected = {"text": "python", "area": "160", "professional_role": "96", "work_format": "REMOTE", "per_page": "100",
                "no_magic": "true", "order_by": "publication_time", "page": "0"}  # fmt: skip
    assert expected.items() <= sent.items()
    assert hh.server.requests[0].headers["user-agent"] == "jobfeed/1.0 (jobs@example.org)"


def test_windows_have_edges_at_whole_five_minutes() -> None:
    at = dt.datetime(2026, 3, 1, 2, 3, 4, tzinfo=dt.UTC)
    assert (floor_edge(at).minute, ceil_edge(at).minute) == (0, 5)
    assert floor_edge(AS_OF) == ceil_edge(AS_OF) == AS_OF


def test_an_answer_that_is_no_page_is_requested_again(hh: HHServer) -> None:
    hh.add(Vacancy(1, AS_OF - MINUTE))
    answers = iter([Answer(200, b'{"items": [')])
    hh.server.route("/hh/*", lambda request: next(answers, None) or hh._answer(request))
    assert met(make_paginator(hh), since=AS_OF - DAY) == [1]


@pytest.mark.parametrize(
    ("answer", "expected", "kind"),
    [
        (error_answer(400, ("bad_argument", "area")), "400: bad_argument/area", errors.RefusedQueryError),
        (error_answer(400, ("bad_user_agent", "unset")), "set hh.user_agent", errors.SourceDisabledError),
        (error_answer(403, ("captcha_required", "captcha_required")), "HH_ACCESS_TOKEN", errors.SourceDisabledError),
        (error_answer(403, ("oauth", "token_expired")), "oauth/token_expired; HH does not", errors.SourceDisabledError),
        (Answer(403, b"<html>ddos-guard</html>"), "blocked before it reached HH", errors.SourceDisabledError),
        (Answer(429, headers={"Retry-After": "3600"}), "429", errors.SourceDisabledError),
    ],
)
def test_a_refusal_says_what_to_do_and_keeps_the_token_to_itself(
    hh: HHServer, answer: Answer, expected: str, kind: type[Exception]
) -> None:
    hh.fault = answer
    paginator = make_paginator(hh, token="s3cret-token")
    with pytest.raises(kind) as refused:
        met(paginator, since=AS_OF - DAY)
    assert expected in str(refused.value)
    assert "s3cret" not in f"{refused.value!r} {refused.value.__cause__!r} {paginator!r} {paginator.client!r}"
    assert hh.n_searches() == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"errors":[{"type":"bad_argument","value":"text","reason":"too_long_value"}]}',
         "bad_argument/text (too_long_value)"),
        (b'{"bad_arguments":"page, per_page","errors":[]}', "bad_arguments/page, per_page"),
        (b'{"oauth_error":"token-revoked"}', "oauth_error/token-revoked"),
        (b'{"errors":[{"type":"<b>Bearer s3cret</b>"},7,null]}', "the answer names no reason"),
        (b'{"errors":{"type":"x"}}', "the answer names no reason"),
        (b"[" * 100_000, "the answer names no reason"),
        (b"\xff\xfe", "the answer names no reason"),
        (b"null", "the answer names no reason"),
    ],
)  # fmt: skip
def test_only_code_words_of_an_error_are_repeated(body: bytes, expected: str) -> None:
    assert error_kinds(body) == expected
