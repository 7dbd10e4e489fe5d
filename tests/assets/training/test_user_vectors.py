import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assets.config.pipeline import Embedding
from assets.increments import LayeredTable
from assets.lake import Lake
from assets.training.user_vectors import Updated, UserSources, update_user_vectors
from features.schemas.catalog import DAILY_INTERACTIONS, INTERACTIONS
from features.schemas.features import USER_PROFILES
from features.schemas.table import Table
from models.arrays import rows_or_zeros
from models.fitting.embeddings import TextModel, embed, keyed_texts
from models.fitting.texts import distinct_texts
from models.fitting.user_vectors import UserVectors
from tests.models.training_world import WORDS, BagOfWords, job_rows, job_vectors_of

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
LATER = AS_OF + dt.timedelta(hours=5)
TITLES = {"j1": "welder", "j2": "cook", "j3": "nurse", "j4": "driver", "j5": "pilot"}
_COUNTERS = {name: 0 for name in DAILY_INTERACTIONS.columns if name.startswith("n_")}
_WORDS = ("steel", "soup", "ward", "truck", "plane")


class Market:
    """Users, what they did on which day, and jobs; `stored` is the file of the last vectors."""

    def __init__(self, folder: Path, *, settings: Embedding | None = None) -> None:
        self.lake, self.stored = Lake(folder / "lake"), folder / "user_vectors.npz"
        self.settings, self.model = settings or Embedding(), WORDS
        self.jobs = dict(TITLES)
        self.profiles: dict[str, dict[str, Any]] = {
            f"u{number}": {"skills": [_WORDS[number]], "summary": f"I like {_WORDS[number]}"} for number in range(4)
        }
        # Days ago, user and job to the counters of that day.
        self.events: dict[tuple[int, str, str], dict[str, Any]] = {
            (2, "u0", "j1"): {"n_applies": 1},
            (5, "u1", "j2"): {"n_saves": 1},
            (1, "u2", "j3"): {"n_views": 1, "dwell_seconds": 60.0},
            (9, "u2", "j2"): {"n_dismissals": 1},
            (3, "visitor", "j1"): {"n_clicks": 1},
        }
        self.lacking: set[str] = set()  # texts without a vector
        self.write_base()

    def write_base(self) -> None:
        for stage, table, rows in self._tables():
            self._layered(stage, table).replace(rows, {})
        self._write_days()

    def write_changes(self) -> None:
        """Writes what differs from the tables in the lake as layers."""
        for stage, table, rows in self._tables():
            old, key = self.lake.scan(stage, table).collect(), list(table.key)
            differing = rows.join(old, on=rows.columns, how="anti", nulls_equal=True)
            gone = old.select(key).join(rows, on=key, how="anti")
            n_before = len(gone) + len(differing.join(old, on=key, how="semi"))
            self._layered(stage, table).add(differing, gone, {}, n_rows_before=n_before)
        self._write_days()

    def update(self, as_of: dt.datetime = LATER, *, only_changes: bool = True) -> Updated:
        updated = update_user_vectors(
            self.lake,
            self.stored,
            self._sources(),
            self.settings,
            model=self.model,
            as_of=as_of,
            only_changes=only_changes,
        )
        updated.vectors.save(self.stored)
        return updated

    def _tables(self) -> list[tuple[str, Table, pl.DataFrame]]:
        sums: dict[tuple[str, str], dict[str, Any]] = {}
        for (days, user, job), counters in self.events.items():
            row = sums.setdefault((user, job), {**_COUNTERS, "user_id": user, "job_id": job, "dwell_seconds": 0.0})
            for name, n in counters.items():
                row[name] += n
            last_at = AS_OF - dt.timedelta(days=days, hours=1)
            row["last_at"] = max(row.get("last_at", last_at), last_at)
        profiles = [{"user_id": user, **row} for user, row in self.profiles.items()]
        return [
            ("catalog", INTERACTIONS, _conform(INTERACTIONS, list(sums.values()))),
            ("features", USER_PROFILES, _conform(USER_PROFILES, profiles)),
        ]

    def _write_days(self) -> None:
        for days in range(100):
            at = AS_OF - dt.timedelta(days=days, hours=1)
            rows = [
                {**_COUNTERS, "date": at.date(), "last_at": at, "user_id": user, "job_id": job, **counters}
                for (day, user, job), counters in self.events.items()
                if day == days
            ]
            if rows:
                table = _conform(DAILY_INTERACTIONS, rows)
                self.lake.replace_partition("catalog", DAILY_INTERACTIONS, f"date={at.date()}", table)
        kept = {f"date={(AS_OF - dt.timedelta(days=days, hours=1)).date()}" for days, _, _ in self.events}
        self.lake.drop_partitions_except("catalog", DAILY_INTERACTIONS, kept)

    def _sources(self) -> UserSources:
        profiles = self.lake.scan("features", USER_PROFILES)
        of_users = profiles.select("skills", "summary").collect()
        texts = distinct_texts(of_users["skills"], of_users["summary"])
        texts = texts.filter(~texts.is_in(list(self.lacking)))
        embeddings = embed(keyed_texts(self.model, passages=texts.clear(), queries=texts), BagOfWords())
        jobs = job_vectors_of(job_rows(*({"job_id": job, "title": title} for job, title in sorted(self.jobs.items()))))
        return UserSources(
            profiles,
            self.lake.scan("catalog", DAILY_INTERACTIONS),
            embeddings.lazy(),
            dataclasses.replace(jobs, model=self.model.identity),
        )

    def _layered(self, stage: str, table: Table) -> LayeredTable:
        return LayeredTable(self.lake, stage, table, by=table.key)


def _conform(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return table.conform(pl.DataFrame(rows, infer_schema_length=None)) if rows else table.empty()


@pytest.fixture
def market(tmp_path: Path) -> Market:
    made = Market(tmp_path)
    assert made.update(AS_OF, only_changes=False).n_computed == 5
    return made


def of_users(vectors: UserVectors) -> dict[str, tuple[Any, ...]]:
    """User to all that the model holds of them."""
    summaries = rows_or_zeros(vectors.summary_vectors, vectors.summary_rows)
    columns = (vectors.vectors, summaries, vectors.has_profile, vectors.has_history)
    return {user: tuple(column[row].tobytes() for column in columns) for row, user in enumerate(vectors.user_ids)}


def check_against_rebuild(market: Market, updated: Updated, as_of: dt.datetime = LATER) -> None:
    rebuilt = market.update(as_of, only_changes=False)
    assert updated.vectors.user_ids.to_list() == rebuilt.vectors.user_ids.to_list()
    assert of_users(updated.vectors) == of_users(rebuilt.vectors)
    assert updated.vectors.summary_rows.dtype == rebuilt.vectors.summary_rows.dtype


def test_nothing_is_computed_if_nothing_changed(market: Market) -> None:
    updated = market.update()
    assert updated.n_computed == 0
    check_against_rebuild(market, updated)


# What happens to the market -> the users whose vectors are others than before, or gone.
CHANGES: dict[str, tuple[Any, set[str]]] = {
    "a new event": (lambda market: market.events.update({(0, "u1", "j4"): {"n_applies": 1}}), {"u1"}),
    "a late event": (lambda market: market.events.update({(30, "u3", "j5"): {"n_views": 1}}), {"u3"}),
    "another event of a pair": (lambda market: market.events.update({(8, "u0", "j1"): {"n_views": 1}}), {"u0"}),
    "a new user": (lambda market: market.events.update({(0, "u9", "j2"): {"n_saves": 1}}), {"u9"}),
    "an event that is gone": (lambda market: market.events.pop((9, "u2", "j2")), {"u2"}),
    "another skill": (lambda market: market.profiles["u0"].update(skills=["flute"]), {"u0"}),
    "another summary": (lambda market: market.profiles["u1"].update(summary="I like ward"), {"u1"}),
    "a summary that is gone": (lambda market: market.profiles["u2"].update(summary=None), {"u2"}),
    "an opt-out": (lambda market: market.profiles["u2"].update(personalization_enabled=False), {"u2"}),
    "an erased visitor": (lambda market: market.events.pop((3, "visitor", "j1")), {"visitor"}),
    "an erased profile": (lambda market: market.profiles.pop("u3"), {"u3"}),
    "an erased user": (lambda market: (market.profiles.pop("u1"), market.events.pop((5, "u1", "j2"))), {"u1"}),
    "another title": (lambda market: market.jobs.update(j2="baker"), {"u1", "u2"}),
    "a closed job that nobody used": (lambda market: market.jobs.pop("j5"), set()),
    "a used job without a vector": (lambda market: market.jobs.pop("j1"), {"u0", "visitor"}),
    "a new job": (lambda market: market.jobs.update(j6="baker"), set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_only_users_whose_rows_may_differ_are_computed(market: Market, name: str) -> None:
    happen, users = CHANGES[name]
    before = of_users(UserVectors.load(market.stored))
    happen(market)
    market.write_changes()
    updated = market.update()
    now = of_users(updated.vectors)
    assert {user for user in before.keys() | now.keys() if before.get(user) != now.get(user)} == users
    assert updated.n_computed == len(users)
    check_against_rebuild(market, updated)


def test_vectors_after_many_changes_are_those_of_a_rebuild(market: Market) -> None:
    """All changes one after the other, with an update after each or after some."""
    names = list(CHANGES)
    for number, at in enumerate(np.random.default_rng(4).permutation(len(names))):
        happen, _ = CHANGES[names[at]]
        try:
            happen(market)
        except KeyError:
            continue  # of a user who was erased before
        market.write_changes()
        if number % 3:
            assert market.update().n_computed < 5
    check_against_rebuild(market, market.update())


def test_an_event_becomes_a_job_that_was_not_known(market: Market) -> None:
    market.events[0, "u0", "j7"] = {"n_applies": 1}
    market.write_changes()
    market.update()
    market.jobs["j7"] = "violinist"
    updated = market.update()
    assert updated.n_computed == 1
    check_against_rebuild(market, updated)


def other_model(market: Market) -> None:
    market.model = TextModel("words-2")


def other_settings(market: Market) -> None:
    market.settings = Embedding(half_life_days=10)


def damaged_file(market: Market) -> None:
    market.stored.write_bytes(b"damaged")


def no_file(market: Market) -> None:
    market.stored.unlink()


def of_an_older_version(market: Market) -> None:
    dataclasses.replace(UserVectors.load(market.stored), made_of="").save(market.stored)


@pytest.mark.parametrize(
    "happen",
    [Market.write_base, other_model, other_settings, damaged_file, no_file, of_an_older_version],
    ids=lambda happen: happen.__name__,
)
def test_all_users_are_computed_if_the_difference_is_not_known(market: Market, happen: Any) -> None:
    happen(market)
    updated = market.update()
    assert updated.n_computed == 5
    check_against_rebuild(market, updated)


def test_all_users_are_computed_on_another_day(market: Market) -> None:
    tomorrow = AS_OF + dt.timedelta(days=1)
    before = of_users(UserVectors.load(market.stored))
    updated = market.update(tomorrow)
    assert updated.n_computed == 5
    assert of_users(updated.vectors)["u0"] != before["u0"]  # events are a day older
    check_against_rebuild(market, updated, tomorrow)


def test_users_whose_text_gets_its_vector_late_are_not_missed(market: Market) -> None:
    market.profiles["u0"]["skills"] = ["flute"]
    market.lacking = {"flute"}
    market.write_changes()
    check_against_rebuild(market, market.update())
    market.lacking = set()
    updated = market.update()
    assert updated.vectors.has_profile.sum() == 4
    check_against_rebuild(market, updated)


def test_a_summary_that_others_displaced_is_not_kept(tmp_path: Path) -> None:
    market = Market(tmp_path, settings=Embedding(max_summaries=4))
    market.update(AS_OF, only_changes=False)
    market.profiles["u7"] = {"summary": "I like bread"}
    market.lacking = {"I like steel"}  # u0 did not change, and five summaries are more than get a vector
    market.write_changes()
    check_against_rebuild(market, market.update())
