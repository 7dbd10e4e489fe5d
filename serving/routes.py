"""Which path goes to which handler, and what the API's description says of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from serving import handlers
from serving.contract import LANGUAGES, TRENDING_WINDOWS
from serving.handlers import MAX_LIMIT, Handler
from serving.problems import ProblemError, bad_parameter

MAX_USER_ID_CHARACTERS = 128


@dataclass(frozen=True)
class Route:
    """One endpoint; `parameters`: name -> JSON schema with a description; `example_path` answers 200 or 404."""

    template: str
    handler: Handler
    summary: str
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    content_type: str = "application/json"
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        escaped = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(self.template))
        object.__setattr__(self, "pattern", re.compile(escaped))


def _limit(default: int, high: int = MAX_LIMIT) -> dict[str, object]:
    return {"type": "integer", "minimum": 1, "maximum": high, "default": default, "description": "items at most"}


_OFFSET = {"type": "integer", "minimum": 0, "maximum": 10_000, "default": 0, "description": "items to skip"}
_LANGUAGE = {"type": "string", "enum": list(LANGUAGES), "description": "of the reason texts; else Accept-Language"}
_SCORE = {"type": "number", "minimum": 0, "maximum": 1, "default": 0, "description": "only items from this score on"}
_SEEN = {"type": "boolean", "default": False, "description": "leave out jobs that the user viewed"}
_DATE = {"type": "string", "format": "date", "description": "of the digest; default the newest"}
_COUNTRY = {"type": "string", "description": "ISO code: which fallback feed an unknown user gets"}
_ROLE = {"type": "string", "description": "role: which fallback feed an unknown user gets"}
_USER = "/v1/users/{user_id}"

ROUTES = (
    Route(
        f"{_USER}/feed",
        handlers.feed,
        "A user's ranked, explained feed",
        {
            "limit": _limit(20),
            "offset": _OFFSET,
            "exclude_seen": _SEEN,
            "min_score": _SCORE,
            "lang": _LANGUAGE,
            "country": _COUNTRY,
            "role": _ROLE,
        },
    ),
    Route(
        f"{_USER}/matches",
        handlers.matches,
        "A user's best matches",
        {"limit": _limit(10), "min_score": {**_SCORE, "default": 0.6}, "lang": _LANGUAGE},
    ),
    Route(f"{_USER}/digest", handlers.digest, "A user's digest", {"date": _DATE}),
    Route(f"{_USER}/digest.html", handlers.digest_html, "A user's digest as a page", {"date": _DATE}, "text/html"),
    Route(f"{_USER}/digest.txt", handlers.digest_text, "A user's digest as text", {"date": _DATE}, "text/plain"),
    Route(f"{_USER}/preferences", handlers.preferences, "What was learned of a user"),
    Route(f"{_USER}/skill-gaps", handlers.skill_gaps, "A user's skill gaps by role"),
    Route("/v1/jobs/{job_id}", handlers.job, "One job"),
    Route("/v1/jobs/{job_id}/similar", handlers.similar, "Jobs like this one", {"limit": _limit(10, 20)}),
    Route(
        "/v1/trending",
        handlers.trending,
        "Trending jobs",
        {
            "window": {"type": "string", "enum": list(TRENDING_WINDOWS), "description": "how far back"},
            "area": {"type": "string", "default": "all", "description": "all, a country code, or country/city"},
            "limit": _limit(20),
        },
    ),
    Route(
        "/v1/nearby",
        handlers.nearby,
        "Open jobs around a point",
        {
            "lat": {"type": "number", "minimum": -90, "maximum": 90, "required": True, "description": "degrees"},
            "lon": {"type": "number", "minimum": -180, "maximum": 180, "required": True, "description": "degrees"},
            "radius_km": {"type": "number", "minimum": 1, "maximum": 200, "default": 25, "description": "kilometres"},
            "limit": _limit(20),
        },
    ),
    Route("/v1/market", handlers.market, "Trends of the market and demand for skills"),
    Route("/v1/metrics/recommendations", handlers.metrics, "Recommendation metrics"),
    Route("/v1/generation", handlers.about_generation, "The served generation"),
)


def match(raw_path: str) -> tuple[Route, tuple[str, ...]]:
    """The route of a path (still percent-encoded, so that an id may hold a slash) and its decoded parts.

    Raises ProblemError: 404 for an unknown path, 400 for an id that can't be one.
    """
    for route in ROUTES:
        found = route.pattern.fullmatch(raw_path)
        if found is not None:
            parts = tuple(unquote(part, errors="replace") for part in found.groups())
            for part in parts:
                _check_id(route, part)
            return route, parts
    raise ProblemError(404, "no such path; /docs lists what there is")


def _check_id(route: Route, identifier: str) -> None:
    name = "user_id" if "{user_id}" in route.template else "job_id"
    longest = MAX_USER_ID_CHARACTERS if name == "user_id" else 512
    if len(identifier) > longest or not identifier.isprintable():
        raise bad_parameter(name, identifier, f"at most {longest} printable characters")
