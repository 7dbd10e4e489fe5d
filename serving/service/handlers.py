"""Handlers of all endpoints except the feeds. They only look up and join values of one generation."""

import math
import re
from itertools import chain
from typing import Any, cast

import h3
import msgspec

from serving.contract import keys
from serving.service import application_responses, insight_responses, responses
from serving.service.lookup import Reader
from serving.service.map_cells import rings_around
from serving.service.problems import ProblemError
from serving.service.requests import Answer, Request, answer
from serving.service.view import NOT_SHOWN, View

# A dense area may have more jobs than anyone reads: the search stops after this many, from the nearest cells.
_MOST_MEASURED = 1000


class _Coordinates(msgspec.Struct):
    latitude: float | None = None
    longitude: float | None = None


class _Places(_Coordinates):
    locations: list[_Coordinates] | None = None


class _Factor(msgspec.Struct):
    code: str
    text_en: str
    text_ru: str

    def shown(self, language: str) -> insight_responses.MatchFactor:
        return insight_responses.MatchFactor(self.code, self.text_ru if language == "ru" else self.text_en)


class _Match(msgspec.Struct):
    """A match as it is stored: in both languages, without the job."""

    job_id: str
    rank: int
    compatibility: int
    confidence: float
    skills_score: float | None
    experience_score: float | None
    location_score: float | None
    salary_score: float | None
    culture_score: float | None
    match_factors: list[_Factor]
    mismatch_factors: list[_Factor]
    reasoning_en: str
    reasoning_ru: str
    reasoning_source: str

    def shown(self, language: str, card: Any) -> insight_responses.Match:
        return insight_responses.Match(
            job_id=self.job_id,
            rank=self.rank,
            compatibility=self.compatibility,
            confidence=self.confidence,
            skills_score=self.skills_score,
            experience_score=self.experience_score,
            location_score=self.location_score,
            salary_score=self.salary_score,
            culture_score=self.culture_score,
            match_factors=[factor.shown(language) for factor in self.match_factors],
            mismatch_factors=[factor.shown(language) for factor in self.mismatch_factors],
            reasoning=self.reasoning_ru if language == "ru" else self.reasoning_en,
            reasoning_source=cast(Any, self.reasoning_source),
            job=card,
        )


_MATCHES = msgspec.json.Decoder(list[_Match])
_SCORED = msgspec.json.Decoder(list[tuple[str, float]])
_JOB_IDS = msgspec.json.Decoder(list[str])
_PLACES = msgspec.json.Decoder(_Places)
_DIGEST = msgspec.json.Decoder(responses.Digest)
_DIGEST_LANGUAGE = re.compile(r'<html lang="([a-z]{2})"')
_MARKET_LISTS = msgspec.json.Decoder(dict[str, list[msgspec.Raw] | None])
_NO_MARKET = b'{"market_trends":null,"skill_demand":null}'
MOST_MARKET_ROWS = 2_000  # more than is stored of an area
_EMPTY = b"[]"


def digest(view: View, request: Request) -> Answer:
    """The user's digest as JSON."""
    found = _digest(view, request)
    return Answer(found, headers=_language_of(_DIGEST.decode(found)))


def digest_html(view: View, request: Request) -> Answer:
    """The user's digest as a page. Scripts can't run in it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
    found = _DIGEST.decode(_digest(view, request))
    headers = {"content-security-policy": policy, **_language_of(found)}
    return Answer((found.html or "").encode(), "text/html; charset=utf-8", headers)


def digest_text(view: View, request: Request) -> Answer:
    """The user's digest as plain text."""
    found = _DIGEST.decode(_digest(view, request))
    return Answer((found.text or "").encode(), "text/plain; charset=utf-8", _language_of(found))


def _language_of(digest: responses.Digest) -> dict[str, str]:
    """The header that names the language of a digest: that of its user when it was made, whatever was asked for."""
    found = _DIGEST_LANGUAGE.search((digest.html or "")[:200])
    return {"content-language": found[1]} if found is not None else {}


def _digest(view: View, request: Request) -> bytes:
    date = request.values["date"]
    parts = (request.identifier, date) if date else (request.identifier,)
    found = view.reader().get(keys.DIGEST_PREFIX, *parts)
    if found is None:
        raise ProblemError(404, "this user has no digest" + (f" of {date}" if date else ""))
    return found


def preferences(view: View, request: Request) -> Answer:
    """Preferences that were learned of the user, with confidence; an empty list if there are none."""
    return answer(responses.Preferences(request.identifier, view.name, _stored(view, keys.PREFERENCES_PREFIX, request)))


def matches(view: View, request: Request) -> Answer:
    """How well the first jobs of the user's feed match, the best first; open jobs only.

    Only matches from the configured compatibility on are stored. An unknown user has none.
    """
    values, reader = request.values, view.reader()
    stored = _MATCHES.decode(reader.get(keys.MATCHES_PREFIX, request.identifier) or _EMPTY)
    found = [match for match in stored if match.compatibility >= 100 * values["min_score"]]
    cards = view.cards(reader, [match.job_id for match in found], request.language)
    shown = [(match, card) for match, card in zip(found, cards, strict=True) if card is not NOT_SHOWN]
    items = [match.shown(request.language, cast(Any, card)) for match, card in shown[: values["limit"]]]
    return _in_language(
        request, insight_responses.Matches(request.identifier, view.name, cast(Any, request.language), items)
    )


def skill_gaps(view: View, request: Request) -> Answer:
    """The user's skill gaps by wanted role, what to learn first, and what was learned; empty if no role is wanted."""
    prefixes = (keys.SKILL_GAPS_PREFIX, keys.LEARNING_PLANS_PREFIX, keys.SKILL_PROGRESS_PREFIX)
    stored = [_stored(view, prefix, request) for prefix in prefixes]
    return answer(insight_responses.SkillGaps(request.identifier, view.name, *stored))


def applications(view: View, request: Request) -> Answer:
    """The user's applications as they stand, the newest first; an empty list if there are none."""
    steps, rows = (
        _stored(view, prefix, request) for prefix in (keys.APPLICATION_FUNNEL_PREFIX, keys.APPLICATIONS_PREFIX)
    )
    return answer(application_responses.Applications(request.identifier, view.name, steps, rows))


def follow_ups(view: View, request: Request) -> Answer:
    """The user's follow-ups, of one status if it is asked for; an empty list if there are none."""
    status = request.values["status"]
    if status is None:
        rows = _stored(view, keys.FOLLOW_UPS_PREFIX, request)
    else:
        stored = view.reader().get(keys.FOLLOW_UPS_PREFIX, request.identifier) or _EMPTY
        decoder = application_responses.ROWS[keys.FOLLOW_UPS_PREFIX]
        rows = [row for row in decoder.decode(stored) if row.status == status]
    return answer(application_responses.FollowUps(request.identifier, view.name, rows))


def application(view: View, request: Request) -> Answer:
    """One application with its timeline, interviews and offers."""
    application_id, reader = request.values["application_id"], view.reader()

    def of_application(prefix: str) -> list[Any]:
        rows = application_responses.ROWS[prefix].decode(reader.get(prefix, request.identifier) or _EMPTY)
        return [row for row in rows if row.application_id == application_id]

    found = of_application(keys.APPLICATIONS_PREFIX)
    if not found:
        raise ProblemError(404, "this user has no such application")
    return answer(
        application_responses.ApplicationDetail(
            request.identifier,
            view.name,
            found[0],
            of_application(keys.APPLICATION_EVENTS_PREFIX),
            of_application(keys.INTERVIEWS_PREFIX),
            of_application(keys.OFFERS_PREFIX),
        )
    )


def _stored(view: View, prefix: str, request: Request) -> Any:
    return msgspec.Raw(view.reader().get(prefix, request.identifier) or _EMPTY)


def job(view: View, request: Request) -> Answer:
    """One job with every column, open or not."""
    found = view.reader().get(keys.JOB_DETAIL_PREFIX, request.identifier)
    if found is None:
        raise _no_such_job(request.identifier)
    return Answer(found)


def similar(view: View, request: Request) -> Answer:
    """Jobs like this one, open ones only."""
    reader = view.reader()
    if reader.get(keys.JOB_PREFIX, request.identifier) is None:
        raise _no_such_job(request.identifier)
    stored = reader.get(keys.SIMILAR_PREFIX, request.identifier)
    items = _card_items(view, reader, stored, request)
    return _in_language(request, responses.SimilarJobs(view.name, request.identifier, items))


def _no_such_job(job_id: str) -> ProblemError:
    return ProblemError(404, "no such job in this generation", job_id=job_id)


def trending(view: View, request: Request) -> Answer:
    """What is trending in a window and an area (`all`, a country code, `country/city`)."""
    period, area = request.values["window"], request.values["area"]
    reader = view.reader()
    stored = reader.get(keys.TRENDING_PREFIX, period, area)
    items = _card_items(view, reader, stored, request)
    return _in_language(request, responses.TrendingJobs(view.name, period, area, items))


def _card_items(view: View, reader: Reader, stored: bytes | None, request: Request) -> list[responses.CardItem]:
    rows = _SCORED.decode(stored or _EMPTY)
    cards = view.cards(reader, [job_id for job_id, _ in rows], request.language)
    items = [
        responses.CardItem(job_id, score, cast(Any, card))
        for (job_id, score), card in zip(rows, cards, strict=True)
        if card is not NOT_SHOWN
    ]
    return items[: request.values["limit"]]


def nearby(view: View, request: Request) -> Answer:
    """Open jobs within `radius_km` of a point, the nearest first, then by their rank in their cell."""
    latitude, longitude = request.values["lat"], request.values["lon"]
    radius_km, limit = request.values["radius_km"], request.values["limit"]
    found: list[tuple[float, str, msgspec.Raw]] = []
    seen: set[str] = set()
    reader = view.reader()
    for least_km, cells in rings_around(latitude, longitude, radius_km):
        if len(found) >= _MOST_MEASURED or sum(item[0] <= least_km for item in found) >= limit:
            break
        stored = [_JOB_IDS.decode(value) for value in reader.get_many(keys.NEARBY_PREFIX, cells) if value is not None]
        # A job is in the cell of each of its places.
        job_ids = [one for one in dict.fromkeys(chain.from_iterable(stored)) if one not in seen]
        seen.update(job_ids)
        for job_id, card in zip(job_ids, view.cards(reader, job_ids, request.language), strict=True):
            if card is not NOT_SHOWN:
                found.append((_distance_km(reader, job_id, latitude, longitude), job_id, card))
    near = sorted((item for item in found if item[0] <= radius_km), key=lambda item: item[0])[:limit]
    items = [responses.NearbyItem(job_id, round(km, 2), cast(Any, card)) for km, job_id, card in near]
    return _in_language(request, responses.NearbyJobs(view.name, latitude, longitude, radius_km, items))


def _distance_km(reader: Reader, job_id: str, latitude: float, longitude: float) -> float:
    """To the nearest place of the job."""
    job = _PLACES.decode(reader.get(keys.JOB_DETAIL_PREFIX, job_id) or b"{}")
    points = [
        (place.latitude, place.longitude)
        for place in (job, *(job.locations or ()))
        if place.latitude is not None and place.longitude is not None
    ]
    here = (latitude, longitude)
    return min((float(h3.great_circle_distance(here, point, unit="km")) for point in points), default=math.inf)


def market(view: View, request: Request) -> Answer:
    """Trends of the market and the demand for skills in an area, at most `limit` rows of each."""
    values = request.values
    stored = view.reader().get(keys.DOCUMENT_PREFIX, f"market-{values['area']}") or _NO_MARKET
    overview: Any = msgspec.Raw(stored)
    if values["limit"] < MOST_MARKET_ROWS:
        lists = _MARKET_LISTS.decode(stored)
        overview = {name: rows[: values["limit"]] if rows is not None else None for name, rows in lists.items()}
    return answer(insight_responses.Market(view.name, values["area"], overview))


def metrics(view: View, request: Request) -> Answer:
    """Recommendation metrics per recipe, arm and surface."""
    return answer(insight_responses.Metrics(view.name, _document(view, "metrics", _EMPTY)))


def names(view: View, request: Request) -> Answer:
    """Names of skills, roles, tags, countries and towns in a language, where they differ from those in the tables."""
    found = _document(view, f"names-{request.language}", b"{}")
    return _in_language(request, responses.Names(view.name, cast(Any, request.language), found))


def _in_language(request: Request, body: msgspec.Struct) -> Answer:
    """An answer whose texts are in the language of the request."""
    return Answer(answer(body).body, headers={"content-language": request.language})


def _document(view: View, name: str, default: bytes) -> Any:
    return msgspec.Raw(view.reader().get(keys.DOCUMENT_PREFIX, name) or default)


def about_generation(view: View, request: Request) -> Answer:
    """The served generation: when it was made, for which instant, from what, and its numbers of rows."""
    return answer(msgspec.convert(view.generation.manifest, responses.GenerationInfo, from_attributes=True))
