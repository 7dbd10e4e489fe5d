"""The files of an evaluation, `evaluation/<run>/`: what was held out, the figures, and the report."""

import datetime as dt
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from assets.evaluation.evaluation import Counts, Evaluation
from assets.lake import write_bytes, write_parquet
from features.errors import JobfeedError
from models.evaluation.comparing import paired_differences
from models.evaluation.judging import SUMMARY, USER_METRICS

ABOUT_FILE, REPORT_FILE, USERS_FILE = "run.json", "report.html", "per_user.parquet"
EVALUATIONS = "evaluation"  # the folder of all runs in the data folder
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class EvaluationRunError(JobfeedError, ValueError):
    """A run of the evaluation can't be found, read or compared."""


@dataclass(frozen=True)
class About:
    """What a run held out and how: `holdout` is a sentence, `pairs_digest` is that of the judged pairs."""

    name: str
    holdout: str
    source: str
    as_of: dt.datetime
    until: dt.datetime
    seed: int
    pairs_digest: str
    recipes: tuple[str, ...]
    default_recipe: str
    counts: Counts


def run_folder(evaluations: Path, name: str) -> Path:
    """The folder of a run. Raises EvaluationRunError for a name that could lead elsewhere."""
    if not _NAME.fullmatch(name):
        raise EvaluationRunError(f"{name!r} is no name of a run; letters, digits, '.', '_' and '-' are allowed")
    return evaluations / name


def work_folders(evaluations: Path) -> Path:
    """Where runs work, see work_folders.py: on what is held out, which names users."""
    return evaluations / ".work"


def write_results(folder: Path, about: About, found: Evaluation, report: str) -> None:
    """Writes the run's files; the report comes last."""
    write_parquet(found.per_user, folder / USERS_FILE)
    write_parquet(found.summary, folder / "summary.parquet")
    write_parquet(found.calibration, folder / "calibration.parquet")
    write_bytes(folder / ABOUT_FILE, json.dumps(asdict(about), default=str, indent=1).encode())
    write_bytes(folder / REPORT_FILE, report.encode())


def drop_user_values(evaluations: Path, *, before: dt.datetime) -> list[Path]:
    """Removes the values per user of runs written before then, because they name users. Reports and totals stay."""
    old = [path for path in evaluations.glob(f"*/{USERS_FILE}") if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def compare(evaluations: Path, before: str, after: str, *, seed: int) -> pl.DataFrame:
    """DIFFERENCES of two runs. Raises EvaluationRunError if they did not judge the same held-out interactions."""
    digests, rows = [], []
    for name in (before, after):
        folder = run_folder(evaluations, name)
        try:
            digests.append(json.loads((folder / ABOUT_FILE).read_bytes())["pairs_digest"])
            rows.append(pl.read_parquet(folder / USERS_FILE, columns=["user_id", "list", *USER_METRICS], glob=False))
        except KeyError as error:
            raise EvaluationRunError(
                f"{name} is of an older version, which did not keep what was held out; to compare it, make it again: "
                "`jobfeed evaluate` on the same data with the same hold-out and seed"
            ) from error
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            known = sorted(path.parent.name for path in evaluations.glob(f"*/{ABOUT_FILE}"))
            raise EvaluationRunError(f"run {name!r} can't be read ({error}); runs are {known}") from error
    if digests[0] != digests[1]:
        raise EvaluationRunError(
            f"{before} and {after} judged different users or held-out interactions; compare runs on the same data with "
            "the same hold-out and seed"
        )
    return paired_differences(rows[0], rows[1], seed=seed)


def totals(summary: pl.DataFrame) -> pl.DataFrame:
    """The rows of SUMMARY over all users and jobs."""
    return summary.filter(pl.col("slice") == "all").select(list(SUMMARY))
