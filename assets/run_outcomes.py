"""How the last run of each job ended, for `jobfeed status` and the metrics: names, counts and seconds, a file a job.

Nothing here imports Dagster, so that an idle run costs no start of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from assets.lake import Lake, write_bytes

# Of a run that materialises chosen assets Dagster says no name of ours.
_UNNAMED = "__"


@dataclass(frozen=True)
class RunOutcome:
    """Instants are seconds since 1970. `last_success_at` also counts runs that ended at once, with nothing new.

    `steps`: seconds by step. `rows`: rows by table that the run wrote. `failed_step` is empty if the run succeeded, or
    failed outside of its steps.
    """

    job: str
    run_id: str
    as_of: str
    ended_at: float
    succeeded: bool
    last_success_at: float | None
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    failed_step: str = ""
    steps: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)


def keep_outcome(lake: Lake, outcome: RunOutcome) -> RunOutcome:
    """Keeps the outcome of a job's last run, and when one last succeeded. Returns what was kept."""
    if outcome.last_success_at is None and (last := read_outcome(lake, outcome.job)) is not None:
        outcome = replace(outcome, last_success_at=last.last_success_at)
    if not outcome.job.startswith(_UNNAMED):
        write_bytes(_path(lake, outcome.job), json.dumps(asdict(outcome)).encode())
    return outcome


def note_nothing_new(lake: Lake, job: str, *, at: float) -> RunOutcome | None:
    """Notes that a run of `job` had nothing to do. Returns the last outcome; None if the last run did not succeed."""
    last = read_outcome(lake, job)
    if last is None or not last.succeeded:
        return None
    kept = replace(last, last_success_at=at)
    write_bytes(_path(lake, job), json.dumps(asdict(kept)).encode())
    return kept


def read_outcome(lake: Lake, job: str) -> RunOutcome | None:
    """The outcome of the last run of `job`; None if there was none, or its file can't be read."""
    try:
        return RunOutcome(**json.loads(_path(lake, job).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def read_outcomes(lake: Lake) -> list[RunOutcome]:
    """The outcomes of all jobs, in the order of their names."""
    found = (read_outcome(lake, path.stem) for path in sorted(_folder(lake).glob("*.json")))
    return [one for one in found if one is not None]


def _folder(lake: Lake) -> Path:
    return lake.root / ".runs" / "outcomes"


def _path(lake: Lake, job: str) -> Path:
    return _folder(lake) / f"{job}.json"
