"""The factors that a fit of ALS starts from; a run repeated for the same instant starts from the same ones."""

import datetime as dt
from pathlib import Path
from typing import TypeVar

from assets.lake import atomic_path
from models.fitting.als import AlsModel, WarmStart
from models.fitting.artifacts import Artifact, ArtifactError

PREVIOUS_FILE = "als-previous.npz"
Model = TypeVar("Model", bound=Artifact)


def warm_start(model_path: Path, *, as_of: dt.datetime) -> WarmStart | None:
    """The job factors of the newest model that was fitted for an instant before `as_of`; None to start from noise.

    A run overwrites the model that it started from. A repeated run for the same instant finds its own model, and
    starting from it would give other bytes. Therefore the start is kept beside the model, and runs for instants up to
    the model's use it. A file that can't be read is ignored.
    """
    previous_path = model_path.with_name(PREVIOUS_FILE)
    model = _load(AlsModel, model_path)
    if model is not None and _is_before(model.as_of, as_of):
        start = WarmStart(as_of=model.as_of, job_ids=model.job_ids, job_factors=model.job_factors)
        with atomic_path(previous_path) as temporary:
            start.save(temporary)
        return start
    previous = _load(WarmStart, previous_path)
    return previous if previous is not None and _is_before(previous.as_of, as_of) else None


def _is_before(stored: str, as_of: dt.datetime) -> bool:
    return dt.datetime.fromisoformat(stored) < as_of


def _load(kind: type[Model], path: Path) -> Model | None:
    try:
        return kind.load(path)
    except (FileNotFoundError, ArtifactError):
        return None
