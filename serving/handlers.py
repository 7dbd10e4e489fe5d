"""What each endpoint answers, from one generation. Look-ups and joins only, no HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import h3
import orjson

from serving import contract
from serving.contract import FLAG_EXPLORED, FLAG_SEEN, match_percent
from serving.problems import ProblemError
from serving.requests import Request
from serving.store import Generation, Reader

MAX_LIMIT = 100


@dataclass(frozen=True)
class Answer:
    """A body with its type; `headers` beside those that every answer carries."""

    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Generation, Request, tuple[str, ...]], Answer]


def feed(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """The user's feed; the fallback feed of `country` and `role` for a user without one."""
    offset = request.integer("offset", 0, low=0, high=10_000)
    minimum = request.number("min_score", 0.0, low=0, high=1)
    return _feed(generation, request, parts[0], offset=offset, minimum=minimum, default_limit=20)


def matches(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """The user's best items: the feed from a threshold on, by default 60 %."""
    minimum = request.number("min_score", 0.6, low=0, high=1)
    return _feed(generation, request, parts[0], offset=0, minimum=minimum, default_limit=10)


def _feed(
    generation: Generation, request: Request, user_id: str, *, offset: int, minimum: float, default_limit: int
) -> Answer:
    limit = request.integer("limit", default_limit, low=1, high=MAX_LIMIT)
    leaves_out_seen = request.flag("exclude_seen")
    language = request.language()
    country, role = request.text("country", ""), request.text("role", "")
    with generation.reader() as reader:
        stored = reader.get(contract.FEED_PREFIX, user_id) or _fallback(reader, country, role)
        generated_at, recipe, arm, source, rows = orjson.loads(stored or b'[null,"fallback","default","global",[]]')
        templates = generation.templates.get(language, {})
        items: list[dict[str, object]] = []
        skipped = 0
        for rank, row in enumerate(rows, start=1):
            if row[1] < minimum or (leaves_out_seen and row[3] & FLAG_SEEN):
                continue
            card = reader.get(contract.JOB_PREFIX, row[0])
            if card is None or b'"status":"open"' not in card:
                continue
            if skipped < offset:
                skipped += 1
                continue
            items.append(_item(rank, row, card, _reasons(reader, row[5], templates, language)))
            if len(items) == limit:
                break
    document = {
        "user_id": user_id,
        "generation": generation.name,
        "generated_at": generated_at,
        "recipe": recipe,
        "arm": arm,
        "source": source,
        "language": language,
        "limit": limit,
        "offset": offset,
        "items": items,
    }
    return Answer(orjson.dumps(document), headers={"content-language": language})


def _fallback(reader: Reader, country: str, role: str) -> bytes | None:
    segments = [f"country={country}/role={role}"] if country and role else []
    segments += [f"country={country}"] if country else []
    for segment in [*segments, contract.GLOBAL_SEGMENT]:
        found = reader.get(contract.FALLBACK_PREFIX, segment)
        if found is not None:
            return found
    return None


def _item(rank: int, row: list[Any], card: bytes, reasons: list[dict[str, object]]) -> dict[str, object]:
    job_id, score, confidence, flags, propensity, _ = row
    return {
        "rank": rank,
        "job_id": job_id,
        "score": score,
        "match_percent": match_percent(score),
        "confidence": confidence,
        "seen": bool(flags & FLAG_SEEN),
        "explored": bool(flags & FLAG_EXPLORED),
        "propensity": propensity,
        "reasons": reasons,
        "job": orjson.Fragment(card),
    }


def _reasons(reader: Reader, rows: list[Any], templates: Mapping[str, str], language: str) -> list[dict[str, object]]:
    reasons: list[dict[str, object]] = []
    for code, ref, value in rows:
        shown = ref or ""
        if code in contract.JOB_REFERENCE_CODES:
            card = reader.get(contract.JOB_PREFIX, shown)
            shown = orjson.loads(card)["title"] if card is not None else shown
        text = templates.get(code, code).replace("{value}", _number(value, language)).replace("{ref}", shown)
        reasons.append({"code": code, "ref": ref, "value": value, "text": text})
    return reasons


def _number(value: float | None, language: str) -> str:
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"
    return text.replace(".", ",") if language == "ru" else text


def digest(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """The user's digest as JSON."""
    return Answer(_digest(generation, request, parts[0]))


def digest_html(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """The user's digest as a page. Scripts can't run in it."""
    body = orjson.loads(_digest(generation, request, parts[0]))["html"]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return Answer(body.encode(), "text/html; charset=utf-8", {"content-security-policy": policy})


def digest_text(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """The user's digest as plain text."""
    body = orjson.loads(_digest(generation, request, parts[0]))["text"]
    return Answer(body.encode(), "text/plain; charset=utf-8")


def _digest(generation: Generation, request: Request, user_id: str) -> bytes:
    date = request.date("date")
    with generation.reader() as reader:
        found = reader.get(contract.DIGEST_PREFIX, *((user_id, date) if date else (user_id,)))
    if found is None:
        raise ProblemError(404, "this user has no digest" + (f" of {date}" if date else ""))
    return found


def preferences(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """What was learned of the user, with confidence; an empty list where nothing was."""
    return _owned_list(generation, contract.PREFERENCES_PREFIX, parts[0], "preferences")


def skill_gaps(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """The user's skill gaps by wanted role; an empty list where no role is wanted."""
    return _owned_list(generation, contract.SKILL_GAPS_PREFIX, parts[0], "skill_gaps")


def _owned_list(generation: Generation, prefix: str, user_id: str, name: str) -> Answer:
    with generation.reader() as reader:
        found = reader.get(prefix, user_id) or b"[]"
    document = {"user_id": user_id, "generation": generation.name, name: orjson.Fragment(found)}
    return Answer(orjson.dumps(document))


def job(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """One job with every column."""
    with generation.reader() as reader:
        found = reader.get(contract.JOB_DETAIL_PREFIX, parts[0])
    if found is None:
        raise ProblemError(404, "no such job in this generation", job_id=parts[0])
    return Answer(found)


def similar(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """Jobs like this one, open ones only."""
    limit = request.integer("limit", 10, low=1, high=20)
    with generation.reader() as reader:
        if reader.get(contract.JOB_PREFIX, parts[0]) is None:
            raise ProblemError(404, "no such job in this generation", job_id=parts[0])
        rows = orjson.loads(reader.get(contract.SIMILAR_PREFIX, parts[0]) or b"[]")
        items = _carded(reader, rows, limit)
    return _list_answer(generation, items, job_id=parts[0])


def trending(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """What is trending in a window and an area (`all`, a country code, `country/city`)."""
    window = request.choice("window", contract.TRENDING_WINDOWS[0], allowed=contract.TRENDING_WINDOWS)
    area = request.text("area", contract.GLOBAL_AREA)
    limit = request.integer("limit", 20, low=1, high=MAX_LIMIT)
    with generation.reader() as reader:
        rows = orjson.loads(reader.get(contract.TRENDING_PREFIX, window, area) or b"[]")
        items = _carded(reader, rows, limit)
    return _list_answer(generation, items, window=window, area=area)


def nearby(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """Open jobs around a point, nearest cells first."""
    latitude = request.number("lat", None, low=-90, high=90)
    longitude = request.number("lon", None, low=-180, high=180)
    radius_km = request.number("radius_km", 25.0, low=1, high=200)
    limit = request.integer("limit", 20, low=1, high=MAX_LIMIT)
    centre = h3.latlng_to_cell(latitude, longitude, contract.NEARBY_CELL_RESOLUTION)
    rings = int(radius_km // contract.NEARBY_CELL_SPACING_KM) + 1
    items: list[dict[str, object]] = []
    with generation.reader() as reader:
        for ring in range(rings + 1):
            for cell in sorted(h3.grid_ring(centre, ring)):
                rows = orjson.loads(reader.get(contract.NEARBY_PREFIX, cell) or b"[]")
                items += _carded(reader, [(job_id, None) for job_id in rows], limit - len(items))
            if len(items) >= limit:
                break
    return _list_answer(generation, items, lat=latitude, lon=longitude, radius_km=radius_km)


def _carded(reader: Reader, rows: list[tuple[str, float | None]], limit: int) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    for job_id, score in rows:
        if len(items) >= limit:
            break
        card = reader.get(contract.JOB_PREFIX, job_id)
        if card is not None and b'"status":"open"' in card:
            items.append({"job_id": job_id, "score": score, "job": orjson.Fragment(card)})
    return items


def _list_answer(generation: Generation, items: list[dict[str, object]], **about: object) -> Answer:
    return Answer(orjson.dumps({"generation": generation.name, **about, "items": items}))


def market(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """Trends of the market and the demand for skills."""
    return _document(generation, "market")


def metrics(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """Recommendation metrics per recipe, arm and surface."""
    return _document(generation, "metrics")


def _document(generation: Generation, name: str) -> Answer:
    with generation.reader() as reader:
        found = reader.get(contract.DOCUMENT_PREFIX, name) or b"[]"
    return Answer(orjson.dumps({"generation": generation.name, name: orjson.Fragment(found)}))


def about_generation(generation: Generation, request: Request, parts: tuple[str, ...]) -> Answer:
    """The served generation: when, for when, from what, how many rows."""
    left_out = {"files", "config_hash", "sources", "lookup", "checksum"}
    return Answer(orjson.dumps({key: value for key, value in generation.manifest.items() if key not in left_out}))
