"""The parameters of ALS chosen by `jobfeed tune`: the search over the lake, and the file that keeps them.

The search space and the metric are in models.fitting.tuning.
"""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from assets.config.pipeline import Als, Pipeline
from assets.lake import write_bytes
from assets.resources import Workspace
from assets.training.inputs import consented, representatives
from features.errors import JobfeedError
from features.schemas.catalog import DAILY_INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from models.evaluation.splits import time_split
from models.fitting.als import AlsSettings
from models.fitting.tuning import Tuned, tune_als

TUNED_FILE = "als-tuned.json"
_CHOSEN = ("factors", "regularization", "alpha", "popularity_power", "half_life_days")


class TunedFileError(JobfeedError, ValueError):
    """The file of tuned parameters is invalid."""


def als_settings(models: Path, configured: Als) -> tuple[AlsSettings, str]:
    """The settings to fit with, and their origin: "configuration", or "tuned" with the instant they were tuned for.

    Raises TunedFileError for a file that is damaged or has values that the configuration does not allow.
    """
    path = tuned_path(models)
    stated = configured.model_dump(exclude={"use_tuned"})
    if not configured.use_tuned or not path.is_file():
        return AlsSettings(**stated), "configuration"
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        chosen = {name: kept["settings"][name] for name in _CHOSEN}
        checked = Als(**{**stated, **chosen}).model_dump(exclude={"use_tuned"})
        return AlsSettings(**checked), f"tuned for {kept['as_of']}"
    except (ValueError, KeyError, TypeError) as error:
        raise TunedFileError(
            f"{path}: can't be used ({error}); run `jobfeed tune` again, remove it, or set als.use_tuned to false"
        ) from error


def tuned_path(models: Path) -> Path:
    """The file of the chosen parameters in the folder of all models."""
    return models / "training" / TUNED_FILE


def tune(
    workspace: Workspace,
    *,
    as_of: dt.datetime,
    n_trials: int,
    held_out_days: int,
    max_users: int,
    on_trial: Callable[[int, AlsSettings, float], None] | None = None,
) -> Tuned:
    """Searches by the interactions in the lake up to `as_of`, starting from the settings in use.

    The configured number of factors is the upper limit, because it bounds the cost of a fit. Raises TuningError if
    there are no interactions to choose by.
    """
    lake, config = workspace.lake, workspace.config.pipeline
    start, _ = als_settings(workspace.models, config.als)
    split = time_split(
        consented(lake.scan("catalog", DAILY_INTERACTIONS), lake.scan("features", USER_PROFILES)),
        representatives=representatives(lake.scan("catalog", JOBS)),
        as_of=as_of,
        held_out_days=held_out_days,
        max_users=max_users,
    )
    return tune_als(
        split, start=start, n_trials=n_trials, seed=config.seed, max_factors=config.als.factors, on_trial=on_trial
    )


def keep_tuned(models: Path, tuned: Tuned, *, as_of: dt.datetime, config: Pipeline) -> Path:
    """Writes the chosen parameters with their scores and all trials; the next run of `training/als` uses them."""
    path = tuned_path(models)
    body = {
        "as_of": as_of.isoformat(),
        "seed": config.seed,
        "metric": "ndcg@20",
        "start": tuned.start_ndcg,
        "best": tuned.best_ndcg,
        "settings": {name: getattr(tuned.settings, name) for name in _CHOSEN},
        "trials": tuned.trials.with_columns(pl.col(pl.Float64).round(9)).to_dicts(),
    }
    write_bytes(path, json.dumps(body, indent=1).encode())
    return path
