"""The endpoints: path, handler, parameters, response type and who may call each."""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import msgspec

from serving.contract.application_tables import FOLLOW_UP_STATUSES
from serving.contract.tables import GLOBAL_AREA, LANGUAGES, TRENDING_PERIODS
from serving.service import (
    application_responses,
    calendar,
    company_handlers,
    company_responses,
    feed_handlers,
    handlers,
    insight_responses,
    parameters,
    responses,
)
from serving.service.parameters import Parameter, decode_identifier
from serving.service.problems import ProblemError
from serving.service.requests import JSON, Handler

PREFIX = "/v1/"
MAX_LIMIT = 100
MAX_USER_ID_CHARACTERS = 128
MAX_JOB_ID_CHARACTERS = 512
MAX_AREA_CHARACTERS = 256


class Access(Enum):
    """Who may call an endpoint: the user named in the path and applications, every caller, or applications only."""

    USER = "user"
    EVERYONE = "everyone"
    APPLICATION = "application"


@dataclass(frozen=True)
class Route:
    """One endpoint. `identifier`: the parameter in its path, if any. `second`: one more below it."""

    template: str
    handler: Handler
    summary: str
    response: type[msgspec.Struct] | None
    parameters: tuple[Parameter, ...] = ()
    access: Access = Access.EVERYONE
    content_type: str = JSON
    can_miss: bool = False  # answers 404 if there is nothing to return
    identifier: str | None = field(init=False)
    second: str | None = field(init=False)

    def __post_init__(self) -> None:
        first, second, *_ = [*re.findall(r"\{(\w+)\}", self.template), None, None]
        object.__setattr__(self, "identifier", first)
        object.__setattr__(self, "second", second)


def longest_identifier(name: str) -> int:
    """The largest number of characters of an id in the path."""
    return MAX_JOB_ID_CHARACTERS if name in ("job_id", "company_id", "other_id") else MAX_USER_ID_CHARACTERS


def _limit(default: int, high: int = MAX_LIMIT) -> Parameter:
    return parameters.integer("limit", "maximum number of items", low=1, high=high, default=default)


def _minimum(default: float) -> Parameter:
    return parameters.number(
        "min_score", "only items with at least this score or compatibility / 100", low=0, high=1, default=default
    )


_OFFSET = parameters.integer("offset", "items to skip", low=0, high=10_000, default=0)
_LANGUAGE = parameters.choice(
    "lang", "language of cards and reasons; by default, by Accept-Language", LANGUAGES, default=None
)
_SEEN = parameters.flag("exclude_seen", "leave out jobs that the user viewed")
_COMPONENTS = parameters.flag("components", "add the recipe's weights and the component values of the first 20 items")
_DIGEST_LANGUAGE = parameters.choice(
    "lang",
    "the language you would like; a digest is in its user's language, which Content-Language names",
    LANGUAGES,
    default=None,
)
_DATE = parameters.date("date", "date of the digest; by default the newest")
_COUNTRY = parameters.text("country", "ISO code; chooses the fallback feed of an unknown user", longest=64, default="")
_ROLE = parameters.text("role", "role; chooses the fallback feed of an unknown user", longest=128, default="")
_WINDOW = parameters.choice("window", "how far back events count", TRENDING_PERIODS, default=TRENDING_PERIODS[0])
_AREA = parameters.text(
    "area", "all, a country code, or country/city", longest=MAX_AREA_CHARACTERS, default=GLOBAL_AREA
)
_MARKET = (
    parameters.text("area", "all, or a country code", longest=MAX_AREA_CHARACTERS, default=GLOBAL_AREA),
    _limit(handlers.MOST_MARKET_ROWS, handlers.MOST_MARKET_ROWS),
)
_NEARBY = (
    parameters.number("lat", "degrees north", low=-90, high=90, default=None),
    parameters.number("lon", "degrees east", low=-180, high=180, default=None),
    parameters.number("radius_km", "kilometres around the point", low=1, high=200, default=25.0),
    _limit(20),
    _LANGUAGE,
)
_FEED = (_limit(20), _OFFSET, _SEEN, _minimum(0.0), _LANGUAGE, _COMPONENTS, _COUNTRY, _ROLE)
_SIMILAR = (_limit(10, 20), _LANGUAGE)
_MATCHES = (_limit(10), _minimum(0.0), _LANGUAGE)
_TOKEN = parameters.text(
    "token", "a token of the user's calendar: programs can't send headers", longest=2_000, default=""
)
_STATUS = parameters.choice("status", "only follow-ups of this status", FOLLOW_UP_STATUSES, default=None)
CALENDAR = "calendar.ics"
_JOB = "/v1/jobs/{job_id}"
_COMPANY = "/v1/companies/{company_id}"


def _user_route(
    path: str,
    handler: Handler,
    summary: str,
    response: type[msgspec.Struct] | None = None,
    parameters: tuple[Parameter, ...] = (),
    **options: Any,
) -> Route:
    template = f"/v1/users/{{user_id}}/{path}"
    return Route(template, handler, summary, response, parameters, Access.USER, **options)


_digest = partial(_user_route, parameters=(_DATE, _DIGEST_LANGUAGE), can_miss=True)

ROUTES = (
    _user_route("feed", feed_handlers.feed, "A user's ranked, explained feed", responses.Feed, _FEED),
    _user_route("matches", handlers.matches, "How well a user's best jobs match", insight_responses.Matches, _MATCHES),
    _digest("digest", handlers.digest, "A user's digest", responses.Digest),
    _digest("digest.html", handlers.digest_html, "A user's digest as a page", content_type="text/html; charset=utf-8"),
    _digest("digest.txt", handlers.digest_text, "A user's digest as text", content_type="text/plain; charset=utf-8"),
    _user_route("preferences", handlers.preferences, "What was learned of a user", responses.Preferences),
    _user_route("skill-gaps", handlers.skill_gaps, "A user's skill gaps by role", insight_responses.SkillGaps),
    _user_route("applications", handlers.applications, "A user's applications", application_responses.Applications),
    _user_route(
        "applications/{application_id}",
        handlers.application,
        "One application with its timeline",
        application_responses.ApplicationDetail,
        can_miss=True,
    ),
    _user_route(
        "follow-ups",
        handlers.follow_ups,
        "What a user may write to employers, and when",
        application_responses.FollowUps,
        (_STATUS,),
    ),
    _user_route(
        CALENDAR,
        calendar.calendar,
        "A user's interviews and deadlines, to subscribe to",
        parameters=(_LANGUAGE, _TOKEN),
        content_type=calendar.CALENDAR_TYPE,
    ),
    Route(_JOB, handlers.job, "One job with every column", responses.Job, can_miss=True),
    Route(f"{_JOB}/similar", handlers.similar, "Jobs like this one", responses.SimilarJobs, _SIMILAR, can_miss=True),
    Route(
        "/v1/trending",
        handlers.trending,
        "Trending jobs",
        responses.TrendingJobs,
        (_WINDOW, _AREA, _limit(20), _LANGUAGE),
    ),
    Route("/v1/nearby", handlers.nearby, "Open jobs around a point", responses.NearbyJobs, _NEARBY),
    Route("/v1/names", handlers.names, "Names as readers see them", responses.Names, (_LANGUAGE,)),
    Route(
        "/v1/market", handlers.market, "Trends of the market and demand for skills", insight_responses.Market, _MARKET
    ),
    Route(
        "/v1/metrics/recommendations",
        handlers.metrics,
        "Recommendation metrics",
        insight_responses.Metrics,
        access=Access.APPLICATION,
    ),
    Route(
        "/v1/companies",
        company_handlers.companies,
        "The companies that hire most",
        company_responses.Companies,
        (_limit(50, 1000),),
    ),
    Route(
        _COMPANY,
        company_handlers.company,
        "What is known of a company",
        company_responses.CompanyProfile,
        can_miss=True,
    ),
    Route(
        f"{_COMPANY}/compare/{{other_id}}",
        company_handlers.compare,
        "Two companies side by side",
        company_responses.CompanyComparison,
        can_miss=True,
    ),
    Route("/v1/generation", handlers.about_generation, "The served generation", responses.GenerationInfo),
)


_WITHOUT_IDENTIFIER = {route.template: route for route in ROUTES if route.identifier is None}
# The path before the id -> the path after it -> route.
_AROUND_IDENTIFIER: dict[str, dict[str, Route]] = {}
# The path before the first id, and the path between both -> route.
_AROUND_BOTH: dict[tuple[str, str], Route] = {}
for _route in ROUTES:
    if _route.second is not None:
        _begin, _between, _ = re.split(r"\{\w+\}", _route.template)
        _AROUND_BOTH[_begin, _between] = _route
    elif _route.identifier is not None:
        _begin, _, _end = _route.template.partition(f"{{{_route.identifier}}}")
        _AROUND_IDENTIFIER.setdefault(_begin, {})[_end] = _route


def match(path: str) -> tuple[Route, str]:
    """The route of a decoded path, and the id in it, if any. An id may hold slashes: the last segment decides.

    Two ids are separated by a line break, which none holds. The first place that looks like the path between them
    ends the first one, unless the last segment selects an endpoint with one id. Raises ProblemError 404 for an unknown
    path.
    """
    route = _WITHOUT_IDENTIFIER.get(path)
    if route is not None:
        return route, ""
    for begin, routes in _AROUND_IDENTIFIER.items():
        if path.startswith(begin):
            identifier, slash, last = path[len(begin) :].rpartition("/")
            route = routes.get(slash + last) if slash else None
            if route is not None and identifier:
                return route, identifier
    for (begin, between), route in _AROUND_BOTH.items():
        if path.startswith(begin):
            first, found, second = path[len(begin) :].partition(between)
            if found and first and second:
                return route, f"{first}\n{second}"
    for begin, routes in _AROUND_IDENTIFIER.items():
        if path.startswith(begin) and "" in routes and path != begin:
            return routes[""], path[len(begin) :]
    raise ProblemError(404, "no such path; /docs lists all paths")


def identifier_of(route: Route, raw: str) -> str:
    """The id in a matched path. Raises ProblemError 400 if it is not valid."""
    if route.identifier is None:
        return ""
    first = raw.partition("\n")[0] if route.second is not None else raw
    return decode_identifier(route.identifier, first, longest=longest_identifier(route.identifier))


def second_identifier_of(route: Route, raw: str) -> dict[str, str]:
    """The second id in a matched path by its name, if the route has one. Raises ProblemError 400 if it is not valid."""
    if route.second is None:
        return {}
    second = raw.partition("\n")[2]
    return {route.second: decode_identifier(route.second, second, longest=longest_identifier(route.second))}
