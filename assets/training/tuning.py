"""The choice of the collaborative model: the search over the lake, and the file that keeps it and all that was tried.

The search spaces and the metric are in models.fitting.tuning.
"""

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assets.config.pipeline import Als, Pipeline
from assets.lake import write_bytes
from assets.notes import read_note
from assets.resources import Workspace
from assets.training.inputs import consented, representatives
from features.errors import JobfeedError
from features.schemas.catalog import DAILY_INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from models.evaluation.splits import Split, choose_split
from models.fitting.als import AlsSettings
from models.fitting.collaborative import ALS, MODELS, Member
from models.fitting.tuning import Budget, OnTrial, Tuned, tune_collaborative

TUNE_TAG = "jobfeed/tune"  # of a run: "always" chooses anew, whatever is kept
TUNED_FILE = "collaborative.json"
_ALS_CHOSEN = ("factors", "regularization", "alpha", "popularity_power", "half_life_days")
_KEPT_HISTORY = 52


class TunedFileError(JobfeedError, ValueError):
    """The file of the chosen model is invalid."""


@dataclass(frozen=True)
class Choice:
    """The chosen members, the settings of ALS even if it is none of them, and where they come from."""

    members: tuple[Member, ...]
    als: AlsSettings
    origin: str


def choice(models: Path, configured: Als) -> Choice:
    """The kept choice, or ALS as configured: origin "configuration", or "tuned" with the instant it was tuned for.

    Raises TunedFileError for a file that is damaged or has values that the configuration does not allow.
    """
    path = tuned_path(models)
    stated = AlsSettings(**configured.model_dump(exclude={"use_tuned"}))
    if not configured.use_tuned or not path.is_file():
        return Choice((Member(ALS, 1.0, stated),), stated, "configuration")
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        members = tuple(_member(member, configured) for member in kept["chosen"])
        of_als = [member.settings for member in members if member.model == ALS]
        als = (
            of_als[0]
            if of_als
            else _member(kept["models"][ALS], configured).settings
            if ALS in kept["models"]
            else stated
        )
        if not members:
            raise ValueError("no model is chosen")
        return Choice(members, als, f"tuned for {kept['as_of']}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TunedFileError(
            f"{path}: can't be used ({error}); run `jobfeed tune` again, remove it, or set als.use_tuned to false"
        ) from error


def als_settings(models: Path, configured: Als) -> tuple[AlsSettings, str]:
    """The settings to fit ALS with, and their origin as in `choice`."""
    found = choice(models, configured)
    return found.als, found.origin


def tuned_path(models: Path) -> Path:
    """The file of the choice in the folder of all models."""
    return models / "training" / TUNED_FILE


def count_interactions(workspace: Workspace) -> int:
    """Rows of positive weight in the daily counters of users who consent to personalisation."""
    rows = _interactions(workspace).filter(pl.col("weight") > 0).select(pl.len())
    return int(rows.collect(engine="streaming").item())


def tune(
    workspace: Workspace,
    *,
    as_of: dt.datetime,
    n_trials: int | None = None,
    held_out_days: int | None = None,
    max_users: int | None = None,
    on_trial: OnTrial | None = None,
) -> tuple[Tuned, Split]:
    """Searches by the interactions in the lake up to `as_of`; the kept choice is the incumbent, and where trials begin.

    None takes the value of `tuning` in the configuration. Raises TuningError if there are no interactions to choose by.
    """
    config = workspace.config.pipeline
    limits = config.tuning
    split = choose_split(
        _interactions(workspace),
        representatives=representatives(workspace.lake.scan("catalog", JOBS)),
        as_of=as_of,
        held_out_days=held_out_days or limits.held_out_days,
        max_users=max_users or limits.max_users,
        seed=config.seed,
    )
    found = choice(workspace.models, config.als)
    tuned = tune_collaborative(
        split,
        incumbent=found.members,
        starts=_starts(workspace.models, found, config.als),
        budget=Budget(
            n_trials=n_trials or limits.trials,
            seconds=limits.budget_seconds,
            now=time.monotonic,
            max_factors=limits.max_factors,
            memory_bytes=limits.max_memory_gb * 1e9,
        ),
        seed=config.seed,
        on_trial=on_trial,
    )
    return tuned, split


def keep_tuned(models: Path, tuned: Tuned, split: Split, *, as_of: dt.datetime, config: Pipeline) -> Path:
    """Writes the choice with its scores, all trials and the choices before it; the next training fits it.

    Models that the search had no time for keep their last best settings.
    """
    path = tuned_path(models)
    before = _kept(path)
    best = {name: {**member.as_json(), "ndcg": ndcg} for name, (member, ndcg) in tuned.best.items()}
    summary = {
        "as_of": as_of.isoformat(),
        "ndcg": tuned.ndcg,
        "incumbent_ndcg": tuned.incumbent_ndcg,
        "challenger_ndcg": tuned.challenger_ndcg,
        "difference": list(tuned.difference),
        "is_replaced": tuned.is_replaced,
        "chosen": [member.as_json() for member in tuned.members],
    }
    body = {
        **summary,
        "seed": config.seed,
        "metric": "ndcg@20",
        "is_cut_by_time": tuned.is_cut_by_time,
        "split": {
            "kind": split.kind,
            "reason": split.reason,
            "n_users": split.truth["user_id"].n_unique(),
            "n_pairs": len(split.truth),
        },
        "incumbent": [member.as_json() for member in tuned.incumbent],
        "challenger": [member.as_json() for member in tuned.challenger],
        "models": {**before.get("models", {}), **best},
        "trials": list(tuned.trials),
        "history": [summary, *_history(before, but=summary["as_of"])][:_KEPT_HISTORY],
    }
    write_bytes(path, json.dumps(body, indent=1).encode())
    return path


def _interactions(workspace: Workspace) -> pl.LazyFrame:
    lake = workspace.lake
    return consented(lake.scan("catalog", DAILY_INTERACTIONS), lake.scan("features", USER_PROFILES))


def _member(kept: Mapping[str, Any], configured: Als) -> Member:
    """A kept member; what the search does not choose of ALS comes from the configuration."""
    if kept["model"] != ALS:
        return Member.from_json(kept)
    settings = configured.model_dump() | {name: kept["settings"][name] for name in _ALS_CHOSEN}
    checked = Als(**settings).model_dump(exclude={"use_tuned"})
    return Member.from_json({**kept, "settings": checked})


def _starts(models: Path, found: Choice, configured: Als) -> dict[str, Any]:
    """The settings that the search of each model begins with: the best of the last one, else the defaults."""
    starts = {name: kind.settings() for name, kind in MODELS.items()} | {ALS: found.als}
    if found.origin != "configuration":
        kept = json.loads(tuned_path(models).read_text(encoding="utf-8"))["models"]
        starts |= {name: _member(one, configured).settings for name, one in kept.items()}
    return starts


def _kept(path: Path) -> Mapping[str, Any]:
    """The content of the file of the choice; empty if there is none or it is damaged."""
    return read_note(path, dict) or {}


def _history(kept: Mapping[str, Any], *, but: object) -> Sequence[Mapping[str, Any]]:
    try:
        return [one for one in kept["history"] if one["as_of"] != but]
    except (KeyError, TypeError):
        return []
