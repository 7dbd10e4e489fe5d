"""A user from landing files to erasure: who may see what of her, and that nothing is left in the end."""

import datetime as dt
import json
import os
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner

from assets.erasing.scan import find_traces
from assets.lake import Lake
from assets.resources import AS_OF_TAG, Workspace
from assets.run_turns import run_turn
from pipelines.cli.main import app
from pipelines.definitions import build_defs
from pipelines.simulation import market

AS_OF = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
QUARTER, DAY = dt.timedelta(minutes=15), dt.timedelta(days=1)
USER, EMAIL, PHONE, NAME, WORDS = (
    "canary-7f3e",
    "kanarejka@mail.example",
    "+7 701 555 01 99",
    "Kanarejka",
    "zwitscherte",
)
SECRETS = (EMAIL, PHONE, NAME, WORDS)
# Where contacts may lie: what the app stated, and the profile made of it.
PROFILES = ("lake/bronze/user_records/", "lake/bronze/resumes/", "lake/catalog/users.parquet")
# The user's own words are what her vector is made of.
SUMMARIES = (*PROFILES, "lake/features/user_profiles.parquet")

# A moment ago: nobody waits until they are old.
LEFT_BY_KILLED_RUNS = (
    "lake/.duckdb/of-an-engine/duckdb_temp_storage-0.tmp", "lake/.duckdb/duckdb_temp_storage-0.tmp",
    "lake/catalog/.tmp-1-users.parquet", "models/training/.tmp-1-als.npz",
    "lake/digests/digest_outbox/.tmp-1-date=2026-03-02.parquet",
    "published/.building-spill-1/duckdb_temp_storage-0.tmp",
    "evaluation/.work/of-an-evaluation/replay/lake/bronze/events/part-1.parquet",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    folder: Path

    def run(self, job: str, as_of: dt.datetime) -> None:
        (self.folder / "dagster").mkdir(exist_ok=True)
        definition = build_defs(Workspace(data_dir=str(self.data))).resolve_job_def(job)
        turn = run_turn(Lake(self.data / "lake"), job=job)
        with dg.DagsterInstance.local_temp(str(self.folder / "dagster")) as instance, turn:
            result = definition.execute_in_process(
                instance=instance, tags={AS_OF_TAG: as_of.isoformat()}, raise_on_error=False
            )
        assert result.success

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def places(self, *words: str) -> set[str]:
        found = find_traces([self.folder], words)
        paths = {trace.path.relative_to(self.folder).as_posix() for trace in found}
        return {path.removeprefix("data/") for path in paths if not path.startswith("data/landing/")}

    def served(self) -> dict[str, int]:
        published = self.data / "published"
        database = published / (published / "current").read_text().strip() / "jobfeed.duckdb"
        with duckdb.connect(str(database), read_only=True) as con:
            tables = con.execute("select table_name from duckdb_columns() where column_name = 'user_id'").fetchall()
            count = "select count(*) from {} where user_id = ?"
            return {table: con.execute(count.format(table), [USER]).fetchall()[0][0] for (table,) in tables}


def land(folder: Path, name: str, text: str, at: dt.datetime) -> None:
    path = folder / "data/landing" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at.timestamp(), at.timestamp()))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("erasure"))
    landing = made.data / "landing"
    market.simulate(landing, market.MarketSize(n_users=60, n_jobs=80, n_events=2_000, n_days=20), seed=3, until=AS_OF)
    like = next(json.loads(line) for line in (landing / "users/users-0001.jsonl").read_text().splitlines()[5:])
    events = [json.loads(line) for line in (landing / "interactions/2026-02-20.jsonl").read_text().splitlines()]
    user = {
        **like, "user_id": USER, "email": EMAIL, "phone": PHONE, "full_name": NAME, "summary": f"She {WORDS} a lot",
        "education": [f"School of {NAME}"], "digest": {"frequency": "daily", "hour": 0}, "timezone": "UTC",
        "desired_roles": ["Python developer"], "skills": ["Python", "SQL"],
    }  # fmt: skip
    land(made.folder, "users/canary.jsonl", json.dumps(user) + "\n" + json.dumps({**user, "updated_at": 7})[:-9], AS_OF)
    acts = [{**e, "user_id": USER, "event_id": f"c{n}"} for n, e in enumerate(e for e in events if e.get("job_id"))]
    bad = json.dumps({"user_id": USER, "note": f"{EMAIL} {PHONE}", "event_id": "bad"})
    land(made.folder, "interactions/canary.jsonl", "\n".join([*map(json.dumps, acts), bad]) + "\n", AS_OF)
    land(made.folder, f"resumes/{USER}.txt", f"{NAME}\n{EMAIL}\n{PHONE}\n\nSkills\nPython\n\nAbout\n{WORDS}\n", AS_OF)
    applied = {
        "event_type": "status",
        "job_id": acts[0]["job_id"],
        "occurred_at": (AS_OF - DAY).isoformat(),
        "to": "applied",
    }
    note = {
        "event_type": "note",
        "job_id": acts[0]["job_id"],
        "occurred_at": (AS_OF - DAY).isoformat(),
        "text": "called",
    }
    log = [{**one, "event_id": f"a{n}", "user_id": USER} for n, one in enumerate((applied, note))]
    land(made.folder, "applications/canary.jsonl", "".join(json.dumps(one) + "\n" for one in log), AS_OF)
    left = {"user_id": USER, "requested_at": (AS_OF - 2 * DAY).isoformat(), "is_subscribed": True}
    land(made.folder, "unsubscribes/canary.jsonl", json.dumps(left) + "\n", AS_OF)
    made.run("daily", AS_OF)
    return made


def test_contacts_words_and_ids_lie_only_where_they_are_needed(world: World) -> None:
    for secret in (EMAIL, PHONE, NAME):
        found = world.places(secret)
        assert found, secret  # the test would else prove nothing
        assert {place for place in found if not place.startswith(PROFILES)} == set(), secret
    assert {place for place in world.places(WORDS) if not place.startswith(SUMMARIES)} == set()
    assert not [place for place in world.places(USER) if not place.startswith(("lake/", "models/", "published/"))]
    assert sum(world.served().values()) > 5
    personal = [path for path in world.data.rglob("*") if path.is_file() and "landing" not in path.parts]
    open_files = [path for path in personal if path.stat().st_mode & 0o077 and path.suffix not in (".lock", ".json")]
    assert open_files == []


def test_an_erased_user_is_gone_from_what_is_served_at_once_and_from_every_file_within_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(world.data))
    monkeypatch.setenv("DAGSTER_HOME", str(world.folder))
    request = {"user_id": USER, "requested_at": (AS_OF + QUARTER / 2).isoformat()}
    land(world.folder, "erasures/a.jsonl", json.dumps(request) + "\n", AS_OF + QUARTER / 2)
    world.run("frequent", AS_OF + QUARTER)
    assert set(world.served().values()) == {0}
    assert CliRunner().invoke(app, ["erase", "verify", USER]).exit_code == 1  # the lake still knows her
    for left in LEFT_BY_KILLED_RUNS:
        (world.data / left).parent.mkdir(parents=True, exist_ok=True)
        (world.data / left).write_text(USER)
    world.run("daily", AS_OF + DAY)
    assert world.places(USER, *SECRETS) == set()
    # Her landed files are rewritten, as an app does that exports its tables every day.
    for path in (world.data / "landing").rglob("*canary*"):
        path.write_bytes(path.read_bytes() + (b"\n" if path.suffix == ".jsonl" else b""))
        os.utime(path, (AS_OF.timestamp(), AS_OF.timestamp()))
    world.run("frequent", AS_OF + DAY + QUARTER)
    assert world.places(USER, *SECRETS) == set()
    shown = CliRunner().invoke(app, ["erase", "verify", USER, "--also", EMAIL])
    assert (shown.exit_code, "nothing of the user in" in shown.output) == (0, True)
    assert "it is refused from then on" in shown.output  # where her files still lie
