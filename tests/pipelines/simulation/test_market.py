"""The market as a whole: its files are what the sources' readers expect, of the size and tastes that were asked for."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import feedparser
import polars as pl
import pytest

from features.sources.events.files import read_events
from features.sources.feeds.entries import FeedContext
from features.sources.feeds.formats import parse_feed
from features.sources.hh.vacancies import parse_hh_bodies
from features.sources.jobs.files import parse_jobs_jsonl
from features.sources.people.users import parse_users
from pipelines.simulation.market import MarketSize, SimulationSummary, simulate
from pipelines.simulation.users import DEMO_DESIGNER, DEMO_PYTHON

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
SIZE = MarketSize(n_users=300, n_jobs=400, n_events=12_000, n_days=14)
MALFORMED_SHARE = 0.01
BOARDS = ("simboard", "simrabota")


@dataclass(frozen=True)
class Market:
    landing: Path
    truth: Path
    summary: SimulationSummary
    events: pl.DataFrame
    rejects: pl.DataFrame

    @property
    def with_tastes(self) -> pl.DataFrame:
        """Distinct events beside the true tastes of their users and the nature of their jobs (suffix `_job`)."""
        users, jobs = (pl.read_parquet(self.truth / f"{name}.parquet") for name in ("users", "jobs"))
        events = self.events.unique("event_id", maintain_order=True)
        return events.join(users, on="user_id", maintain_order="left").join(jobs, on="job_id", suffix="_job")


def read_all(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    blocks = [block for path in sorted(folder.iterdir()) for block in read_events(path, as_of=UNTIL)]
    return pl.concat([block.rows for block in blocks]), pl.concat([block.rejects for block in blocks])


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    folder = tmp_path_factory.mktemp("market")
    landing, truth = folder / "landing", folder / "truth"
    summary = simulate(landing, SIZE, seed=3, until=UNTIL, malformed_share=MALFORMED_SHARE, truth_folder=truth)
    return Market(landing, truth, summary, *read_all(landing / "interactions"))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_arguments_write_the_same_bytes(market: Market, tmp_path: Path) -> None:
    again = simulate(
        tmp_path / "landing",
        SIZE,
        seed=3,
        until=UNTIL,
        malformed_share=MALFORMED_SHARE,
        truth_folder=tmp_path / "truth",
    )
    assert again == market.summary
    assert digests(tmp_path / "landing") == digests(market.landing)
    assert digests(tmp_path / "truth") == digests(market.truth)


def test_another_seed_makes_another_market(tmp_path: Path) -> None:
    size = MarketSize(n_users=20, n_jobs=50, n_events=200, n_days=2)
    for seed in (1, 2):
        simulate(tmp_path / str(seed), size, seed=seed, until=UNTIL)
    one, other = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert not {name for name in one.keys() & other.keys() if one[name] == other[name] and "lost" not in name} - {
        "hh/vacancies/cut-000.json"
    }


@pytest.mark.parametrize("board", BOARDS)
def test_every_feed_is_well_formed_and_complete(market: Market, board: str) -> None:
    n_entries = 0
    for path in sorted((market.landing / "feeds" / board).glob("[0-9]*.xml")):
        feed = feedparser.parse(path.read_bytes())
        assert not feed.bozo
        assert all(entry.title.count(": ") == 1 and entry.published_parsed for entry in feed.entries)
        n_entries += len(feed.entries)
    assert n_entries == market.summary.n_jobs_by_source[board] > 0


def test_feed_items_keep_the_job_ids_that_events_use(market: Market) -> None:
    known = set(pl.read_parquet(market.truth / "jobs.parquet")["job_id"])
    for board in BOARDS:
        for path in (market.landing / "feeds" / board).glob("[0-9]*.xml"):
            parsed = parse_feed(path.read_bytes(), feed=FeedContext(name=board, format="rss"))
            assert parsed.rejects.is_empty()
            assert set(parsed.rows["job_id"]) <= known


def hh_documents(market: Market, part: str) -> Iterator[dict[str, object]]:
    for path in sorted((market.landing / "hh" / part).glob("[p0-9]*.json")):
        yield json.loads(path.read_bytes())


def test_search_pages_hold_every_vacancy_once(market: Market) -> None:
    pages = list(hh_documents(market, "search"))
    ids = [item["id"] for page in pages for item in page["items"]]  # type: ignore[attr-defined]
    assert len(ids) == len(set(ids)) == market.summary.n_jobs_by_source["hh"]
    assert all({"found", "pages", "page", "per_page"} <= page.keys() for page in pages)


def test_vacancies_come_in_the_old_and_the_new_shape(market: Market) -> None:
    vacancies = list(hh_documents(market, "vacancies"))
    required = {"id", "name", "area", "salary", "employer", "published_at", "initial_created_at", "description"} | {
        "key_skills", "schedule", "employment", "experience", "professional_roles", "archived", "alternate_url",
    }  # fmt: skip
    assert all(required <= vacancy.keys() for vacancy in vacancies)
    assert all(str(vacancy["published_at"]).endswith("+0300") for vacancy in vacancies)
    n_new = sum({"salary_range", "work_format", "employment_form"} <= vacancy.keys() for vacancy in vacancies)
    assert 0 < n_new < len(vacancies)


def test_the_vacancy_reader_takes_them_all(market: Market) -> None:
    bodies = [(path.name, path.read_bytes()) for path in sorted((market.landing / "hh").rglob("[p0-9]*.json"))]
    parsed = parse_hh_bodies(bodies)
    assert parsed.rejects.is_empty()
    whole = parsed.rows.filter("is_complete")
    assert whole["skills"].list.len().min() >= 4  # type: ignore[operator]
    assert whole["description"].str.contains("О компании", literal=True).all()


def test_advertisements_and_people_are_read_without_rejects(market: Market) -> None:
    advertisements = [parse_jobs_jsonl(path.read_bytes()) for path in (market.landing / "jobs").glob("jobs-*.jsonl")]
    people = [parse_users(path.read_bytes()) for path in (market.landing / "users").glob("users-0*.jsonl")]
    assert all(parsed.rejects.is_empty() for parsed in [*advertisements, *people])
    assert sum(len(parsed.rows) for parsed in advertisements) == market.summary.n_jobs_by_source["file"]
    assert pl.concat([parsed.rows for parsed in people])["user_id"].n_unique() == market.summary.n_profiles


def test_a_few_users_have_no_profile_and_a_few_have_a_resume(market: Market) -> None:
    assert 0.8 * SIZE.n_users < market.summary.n_profiles < SIZE.n_users
    assert {path.suffix for path in (market.landing / "resumes").iterdir()} == {".txt", ".md", ".json"}


def test_the_log_has_as_many_distinct_events_as_asked_for(market: Market) -> None:
    assert market.summary.n_events == SIZE.n_events == market.events["event_id"].n_unique()
    assert len(market.events) == SIZE.n_events + market.summary.n_repeated_events


def test_every_bad_line_is_one_reject_and_nothing_else_is(market: Market) -> None:
    assert len(market.rejects) == market.summary.n_bad_events > 0
    assert market.rejects["reason"].n_unique() >= 4


def test_without_malformed_entries_nothing_is_refused_or_repeated(tmp_path: Path) -> None:
    size = MarketSize(n_users=30, n_jobs=60, n_events=1_000, n_days=3)
    summary = simulate(tmp_path, size, seed=1, until=UNTIL, malformed_share=0.0)
    events, rejects = read_all(tmp_path / "interactions")
    assert (summary.n_bad_events, summary.n_bad_others, summary.n_repeated_events, summary.n_late_events) == (0,) * 4
    assert rejects.is_empty()
    assert len(events) == size.n_events
    assert not list(tmp_path.rglob("*lost*"))


def test_parquet_holds_the_same_events_as_json_lines(market: Market, tmp_path: Path) -> None:
    simulate(tmp_path, SIZE, seed=3, until=UNTIL, event_format="parquet", malformed_share=MALFORMED_SHARE)
    events, rejects = read_all(tmp_path / "interactions")
    assert len(rejects) == market.summary.n_bad_events
    assert events.unique().sort("event_id").equals(market.events.unique().sort("event_id"))


def test_events_stay_within_their_days(market: Market) -> None:
    times = market.events["occurred_at"]
    assert UNTIL - timedelta(days=SIZE.n_days) <= times.min() <= times.max() < UNTIL  # type: ignore[operator]


def test_every_event_is_of_a_published_job(market: Market) -> None:
    known = market.with_tastes
    assert len(known) == SIZE.n_events
    assert (known["occurred_at"] >= known["created_at"]).all()


def test_nobody_applies_to_a_job_twice(market: Market) -> None:
    applies = market.with_tastes.filter(event_type="apply")
    assert applies.select("user_id", "job_id").is_unique().all()


def test_people_apply_to_jobs_of_their_own_kind(market: Market) -> None:
    applies = market.with_tastes.filter(event_type="apply")
    by_chance = applies.select((pl.col("family") == pl.col("family_job").shuffle(seed=1)).mean()).item()
    assert applies.select((pl.col("family") == pl.col("family_job")).mean()).item() > max(0.6, 5 * by_chance)


def test_users_who_want_remote_work_only_apply_to_little_else(market: Market) -> None:
    remote = (
        market.with_tastes.filter(event_type="apply").group_by("remote").agg((pl.col("work_format") == "remote").mean())
    )
    shares = dict(remote.iter_rows())
    assert shares["only"] > 0.75 > shares["no"]


def test_lower_positions_are_viewed_less(market: Market) -> None:
    events = market.with_tastes.filter(pl.col("event_type").is_in(["impression", "view"]))
    rates = events.group_by(pl.col("position") <= 3).agg(
        (pl.col("event_type") == "view").sum() / (pl.col("event_type") == "impression").sum()
    )
    is_top = dict(rates.iter_rows())
    assert is_top[True] > 1.3 * is_top[False]


def test_the_example_users_have_history_and_different_tastes(market: Market) -> None:
    history = market.with_tastes
    python, designer = (history.filter(user_id=user_id) for user_id in (DEMO_PYTHON, DEMO_DESIGNER))
    assert python["family"][0] == "python_backend" and python["city"][0] == "Almaty"
    assert designer["family"][0] == "product_designer" and designer["remote"][0] == "only"
    assert (python["event_type"] == "view").sum() >= 3 and (designer["event_type"] == "view").sum() >= 3


def test_the_smallest_market_is_made_to_the_end(tmp_path: Path) -> None:
    size = MarketSize(n_users=2, n_jobs=50, n_events=3_000, n_days=1)
    assert simulate(tmp_path, size, seed=1, until=UNTIL).n_events == 3_000


def test_a_market_without_events_has_jobs_and_people(tmp_path: Path) -> None:
    summary = simulate(tmp_path, MarketSize(n_users=5, n_jobs=50, n_events=0), seed=1, until=UNTIL)
    assert (summary.n_events, summary.n_jobs) == (0, 50)


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    reported: dict[str, tuple[int, int]] = {}
    size = MarketSize(n_users=20, n_jobs=50, n_events=500, n_days=2)
    simulate(tmp_path, size, seed=1, until=UNTIL, progress=lambda stage, done, n: reported.update({stage: (done, n)}))
    assert reported.keys() == {"vacancy pages", "users", "events"}
    assert all(done == n for done, n in reported.values())


def test_sizes_that_make_no_market_are_refused() -> None:
    with pytest.raises(ValueError, match="n_jobs must be at least 50; received 3"):
        MarketSize(n_users=10, n_jobs=3, n_events=0)


def test_a_time_without_offset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="UTC offset"):
        simulate(tmp_path, SIZE, seed=1, until=UNTIL.replace(tzinfo=None))


def test_a_malformed_share_beyond_a_half_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="malformed_share"):
        simulate(tmp_path, SIZE, seed=1, until=UNTIL, malformed_share=0.9)
