"""A landed file outlives an erasure, and what it says of the user is refused from then on."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from assets.erasing.requests import Erasures, add_requests, mark_erased, request, salt_path, user_hash
from assets.lake import Lake
from features.schemas.bronze import ERASED, ERASURES

DAY = dt.timedelta(days=1)
AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def pending(lake: Lake) -> list[tuple[str, dt.datetime]]:
    return lake.scan("bronze", ERASURES).sort("user_id").collect().rows()


def erase(lake: Lake, user_id: str, at: dt.datetime = AT) -> None:
    request(lake, user_id, at=at)
    done = lake.scan("bronze", ERASURES).filter(pl.col("user_id") == user_id).collect()
    mark_erased(lake, done, at=at + DAY)


def rows(*made: tuple[str, dt.datetime | None]) -> pl.DataFrame:
    return pl.DataFrame(made, schema={"user_id": pl.String, "at": pl.Datetime("us", "UTC")}, orient="row")


@pytest.mark.parametrize("is_done", [False, True])
def test_what_is_from_before_the_request_is_refused_and_what_is_later_is_not(lake: Lake, is_done: bool) -> None:
    if is_done:
        erase(lake, "u1")
    else:
        request(lake, "u1", at=AT)
    found = rows(("u1", AT - DAY), ("u2", AT - DAY), ("u1", AT), ("u1", AT + DAY), ("u1", None), ("u2", None))
    kept = Erasures.load(lake).without_erased(found, at="at")
    assert kept.rows() == [("u2", AT - DAY), ("u1", AT + DAY), ("u2", None)]


def test_an_erased_user_is_known_by_a_salted_hash_only(lake: Lake) -> None:
    erase(lake, "u1")
    erase(lake, "u2")
    assert pending(lake) == []
    hashes = lake.scan("bronze", ERASED).collect()["user_hash"].to_list()
    assert len(set(hashes)) == 2
    assert user_hash("u1", b"") not in hashes
    assert salt_path(lake).stat().st_mode & 0o777 == 0o600
    other = Lake(lake.root / "other")
    erase(other, "u1")
    assert other.scan("bronze", ERASED).collect()["user_hash"].item() not in hashes


def test_a_request_that_comes_again_after_it_is_done_asks_for_nothing(lake: Lake) -> None:
    erase(lake, "u1")
    add_requests(lake, pl.DataFrame([("u1", AT), ("u1", AT - DAY)], schema=dict(ERASURES.columns), orient="row"))
    assert pending(lake) == []


def test_a_user_who_came_back_can_be_erased_again(lake: Lake) -> None:
    erase(lake, "u1")
    request(lake, "u1", at=AT + 3 * DAY)
    assert pending(lake) == [("u1", AT + 3 * DAY)]
    assert Erasures.load(lake).requested_at("u1") == AT + 3 * DAY
    erase(lake, "u1", AT + 3 * DAY)
    assert lake.scan("bronze", ERASED).collect()["requested_at"].to_list() == [AT + 3 * DAY]


def test_a_request_that_came_while_another_was_done_is_not_lost(lake: Lake) -> None:
    request(lake, "u1", at=AT)
    done = lake.scan("bronze", ERASURES).collect()
    request(lake, "u1", at=AT + DAY)
    request(lake, "u2", at=AT)
    mark_erased(lake, done, at=AT + 2 * DAY)
    assert pending(lake) == [("u1", AT + DAY), ("u2", AT)]


def test_users_who_were_never_erased_have_no_request(lake: Lake) -> None:
    assert Erasures.load(lake).requested_at("u1") is None
    erase(lake, "u2")
    assert Erasures.load(lake).requested_at("u1") is None


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ('{"user_id": "u1", "x": ', True),
        ("user_id=u1&x=2", True),
        ("a;u1;b", True),
        ("resumes/u1.pdf", True),
        (r'{"user_id": "\u00751"}', True),
        ('{"user_id": "u12"}', False),
        ("", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("is_done", [False, True])
def test_a_refused_entry_that_names_an_erased_user_is_known(
    lake: Lake, text: str | None, is_named: bool, is_done: bool
) -> None:
    if is_done:
        erase(lake, "u1")
    else:
        request(lake, "u1", at=AT)
    assert Erasures.load(lake).name_one(pl.Series([text, "x"], dtype=pl.String)).to_list() == [is_named, False]
