"""Every component of every pair against a slow version that reads the tables row by row, by the definitions."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.schemas.catalog import CAREER_LEVELS
from models.ranking.scoring import component_values
from serving.contract.tables import COMPONENTS
from tests.models.ranking.world import Market, encode, make_market

NAN = math.nan
Row = Mapping[str, Any]


class SlowMarket:
    """The market as dictionaries."""

    def __init__(self, market: Market, shown: list[str]) -> None:
        self.market = market
        self.jobs = {row["job_id"]: row for row in market.jobs.iter_rows(named=True)}
        self.features = {row["job_id"]: row for row in market.job_features.iter_rows(named=True)}
        self.users = {row["user_id"]: row for row in market.profiles.iter_rows(named=True)}
        self.shown = shown
        self.representative_of: dict[str, str] = {}  # every job of a group -> the one that is shown
        group = {job: row["duplicate_of"] or job for job, row in self.jobs.items()}
        for job in self.jobs:
            for other in shown:
                if group[job] == group[other]:
                    self.representative_of[job] = other
        weights = dict(market.skill_weights.select("skill", "rarity").iter_rows())
        self.rarity = {
            skill: weights.get(skill, max(weights.values())) for row in self.jobs.values() for skill in row["skills"]
        }

    def consents(self, user: Row) -> bool:
        return bool(user["personalization_enabled"])

    def events(self, user: Row) -> list[Row]:
        rows = self.market.interactions.filter(pl.col("user_id") == user["user_id"])
        return list(rows.sort(["last_at", "job_id"], descending=[True, False]).iter_rows(named=True))

    def adjacent(self, skill: str) -> set[str]:
        """The ten skills that are closest by the cosine of being asked for together."""
        asked = [set(self.jobs[job]["skills"]) for job in self.shown]
        count = {name: sum(name in one for one in asked) for name in [*self.rarity, skill]}
        close = []
        for other in sorted(self.rarity):
            both = sum(skill in one and other in one for one in asked)
            if other != skill and both:
                close.append((-both / math.sqrt(count[skill] * count[other]), other))
        return {name for _, name in sorted(close)[:10]}

    def vector(self, ids: pl.Series, rows: np.ndarray, wanted: str) -> np.ndarray | None:
        known = ids.to_list()
        return rows[known.index(wanted)].astype(np.float64) if wanted in known else None


def location(world: SlowMarket, user: Row, job: Row) -> float:
    is_remote = job["work_format"] == "remote"
    if is_remote and user["remote"] in ("ok", "only"):
        return 1.0
    if user["remote"] == "only":
        return 0.0
    points = [place for place in places(job) if place["latitude"] is not None]
    if user["latitude"] is not None and points:
        km = min(distance_km(user, place) for place in points)
        return math.exp(-km / (user["max_distance_km"] / 3))
    return 1.0 if is_same_city(user, job) else NAN


def places(job: Row) -> list[Row]:
    return [job, *(job["locations"] or [])]


def is_same_city(user: Row, job: Row) -> bool:
    return any(
        user["city"] is not None
        and user["city"] == place["city"]
        and (None in (user["country"], place["country"]) or user["country"] == place["country"])
        for place in places(job)
    )


def distance_km(user: Row, job: Row) -> float:
    lat1, lon1, lat2, lon2 = (
        math.radians(value) for value in (user["latitude"], user["longitude"], job["latitude"], job["longitude"])
    )
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(h))


def location_match(world: SlowMarket, user: Row, job: Row) -> float:
    if is_same_city(user, job):
        return 1.0
    if job["work_format"] == "remote" and user["remote"] in ("ok", "only"):
        return 1.0
    countries = {place["country"] for place in places(job)} - {None}
    if user["country"] is None or not countries:
        return NAN
    return 0.5 if user["country"] in countries else 0.0


def tags(world: SlowMarket, user: Row, job: Row) -> float:
    mine, theirs = set(user["interest_tags"]), set(job["tags"])
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else NAN


def skills(world: SlowMarket, user: Row, job: Row) -> float:
    if not job["skills"] or not (user["skills"] or user["avoided_skills"]):
        return NAN
    level = dict(zip(user["skills"], user["skill_levels"], strict=True))
    rarity = world.rarity
    matched = sum(rarity[skill] * level.get(skill, 0.0) for skill in job["skills"])
    avoided = sum(rarity[skill] for skill in job["skills"] if skill in user["avoided_skills"])
    return max(0.0, (matched - avoided) / sum(rarity[skill] for skill in job["skills"]))


def experience(world: SlowMarket, user: Row, job: Row) -> float:
    low, years = job["experience_min_years"], user["years_of_experience"]
    if low is None or years is None:
        return NAN
    return max(0.0, 1 - max(0.0, low - years) / 5)


def salary(world: SlowMarket, user: Row, job: Row) -> float:
    wanted, top = user["salary_monthly_usd_min"], job["salary_monthly_usd_max"]
    return 1.0 if top >= wanted else max(0.0, (top - wanted / 2) / (wanted / 2))


def growth(world: SlowMarket, user: Row, job: Row) -> float:
    step = CAREER_LEVELS.index(job["career_level"]) - CAREER_LEVELS.index(user["career_level"])
    by_step = max(0.0, 1 - abs(step - 1) / 2)
    mine = set(user["skills"])
    if not mine or not job["skills"]:
        return by_step
    new = set(job["skills"]) - mine
    near = set().union(*(world.adjacent(skill) for skill in mine))
    learnable = len(new & near) / len(new) if new else 0.0
    return (by_step + learnable) / 2


def collaborative(world: SlowMarket, user: Row, job: Row) -> float:
    model = world.market.fitted.als
    mine = world.vector(model.user_ids, model.user_factors, user["user_id"])
    theirs = world.vector(model.job_ids, model.job_factors, job["job_id"])
    if mine is None or theirs is None or not world.consents(user):
        return NAN
    every = [world.vector(model.job_ids, model.job_factors, other) for other in world.shown]
    best = max(float(mine @ other) for other in every if other is not None)
    return min(max(float(mine @ theirs) / (best if best > 1e-6 else 1.0), 0.0), 1.0)


def content(world: SlowMarket, user: Row, job: Row) -> float:
    users, jobs = world.market.fitted.user_vectors, world.market.fitted.job_vectors
    mine = world.vector(users.user_ids, users.vectors, user["user_id"])
    theirs = world.vector(jobs.job_ids, jobs.vectors, job["job_id"])
    if mine is None or theirs is None:
        return NAN
    has_history = users.has_history[users.user_ids.to_list().index(user["user_id"])]
    if has_history and not world.consents(user):
        return NAN
    return min(max(float(mine @ theirs), 0.0), 1.0)


def culture(world: SlowMarket, user: Row, job: Row) -> float:
    users, jobs = world.market.fitted.user_vectors, world.market.fitted.job_vectors
    mine = world.vector(users.user_ids, users.summary_rows, user["user_id"])
    theirs = world.vector(jobs.job_ids, jobs.about_rows, job["job_id"])
    if mine is None or theirs is None or mine < 0 or theirs < 0:
        return NAN
    product = users.summary_vectors[int(mine)].astype(np.float64) @ jobs.about_vectors[int(theirs)]
    return min(max(float(product), 0.0), 1.0)


def neighbours(world: SlowMarket, user: Row, job: Row) -> float:
    model = world.market.fitted.user_neighbours
    known = model.user_ids.to_list()
    if user["user_id"] not in known or not world.consents(user):
        return NAN
    links, history = model.matrix().toarray(), model.history().toarray()
    total: dict[str, float] = {}
    for other in np.flatnonzero(links[known.index(user["user_id"])]):
        for place in np.flatnonzero(history[other]):
            shown = world.representative_of.get(model.job_ids[int(place)])
            if shown is not None:
                similarity = float(links[known.index(user["user_id"]), other])
                total[shown] = total.get(shown, 0.0) + similarity * float(history[other, place])
    return total.get(job["job_id"], 0.0) / max(total.values()) if total else NAN


def also_applied(world: SlowMarket, user: Row, job: Row) -> float:
    model = world.market.fitted.also_applied
    known, scores = model.job_ids.to_list(), model.matrix().toarray()
    found: dict[str, float] = {}
    if not world.consents(user):
        return NAN
    for event in world.events(user):
        applied = world.jobs.get(event["job_id"], {}).get("duplicate_of") or event["job_id"]
        if event["is_applied"] and not event["is_dismissed"] and applied in known:
            for place, score in enumerate(scores[known.index(applied)]):
                shown = world.representative_of.get(known[place])
                if score > 0 and shown is not None:
                    found[shown] = max(found.get(shown, 0.0), float(score))
    return found.get(job["job_id"], 0.0) if found else NAN


def affinity(world: SlowMarket, user: Row, job: Row) -> float:
    if not world.consents(user):
        return NAN
    of_job = {("company", job["company_id"]), *(("skill", s) for s in job["skills"])}
    of_job |= {("role", role) for role in job["professional_roles"]}
    learned = world.market.preferences.filter(pl.col("user_id") == user["user_id"]).iter_rows(named=True)
    met = [row for row in learned if (row["dimension"], row["value"]) in of_job]
    if not met:
        return NAN
    mean = sum(row["affinity"] * row["confidence"] for row in met) / sum(row["confidence"] for row in met)
    return (mean + 1) / 2


SLOW = {
    "location": location,
    "location_match": location_match,
    "tags": tags,
    "skills": skills,
    "experience": experience,
    "salary": salary,
    "growth": growth,
    "collaborative": collaborative,
    "content": content,
    "culture": culture,
    "neighbours": neighbours,
    "also_applied": also_applied,
    "affinity": affinity,
    "engagement": lambda world, _user, job: world.features[job["job_id"]]["engagement"],
    "recency": lambda world, _user, job: world.features[job["job_id"]]["recency"],
    "poster_quality": lambda world, _user, job: world.features[job["job_id"]]["poster_quality"],
    "trending": lambda world, _user, job: world.features[job["job_id"]]["trending_7d"],
}


@pytest.fixture(scope="module", params=[5, 8])
def computed(request: pytest.FixtureRequest) -> tuple[SlowMarket, list[str], dict[str, Any]]:
    market = make_market(request.param, n_jobs=40, n_users=14)
    made = encode(market)
    values = component_values(COMPONENTS, made.all_pairs())
    return SlowMarket(market, made.jobs.ids.to_list()), made.users.ids.to_list(), values


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_what_its_definition_says(
    computed: tuple[SlowMarket, list[str], dict[str, Any]], name: str
) -> None:
    world, users, found = computed
    expected = np.array(
        [[SLOW[name](world, world.users[user], world.jobs[job]) for job in world.shown] for user in users]
    )
    np.testing.assert_allclose(found[name], expected, atol=2e-4)
    assert not np.isnan(expected).all()
