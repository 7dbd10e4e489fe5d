"""Where the factors that ALS starts from come from, so that a run repeated for the same instant starts the same."""

import datetime as dt
from pathlib import Path

from assets.lake import atomic_path
from models.fitting.als import AlsModel, WarmStart
from models.fitting.artifacts import ArtifactError

PREVIOUS_FILE = "als-previous.npz"


def warm_start(model_path: Path, *, as_of: dt.datetime) -> WarmStart | None:
    """The job factors of the newest model that was fitted for an instant before `as_of`; None to start from noise.

    A run writes its model over the one that it started from. Run again for the same instant it finds its own, which it
    must not start from: that would give other bytes. So what a run starts from is kept beside the model, and serves
    whoever does not come later than the model. A file that can't be read is as good as none.
    """
    previous_path = model_path.with_name(PREVIOUS_FILE)
    model = _load_model(model_path)
    if model is not None and _is_before(model.as_of, as_of):
        start = WarmStart(as_of=model.as_of, job_ids=model.job_ids, job_factors=model.job_factors)
        with atomic_path(previous_path) as temporary:
            start.save(temporary)
        return start
    previous = _load_start(previous_path)
    return previous if previous is not None and _is_before(previous.as_of, as_of) else None


def _is_before(stored: str, as_of: dt.datetime) -> bool:
    return dt.datetime.fromisoformat(stored) < as_of


def _load_model(path: Path) -> AlsModel | None:
    try:
        return AlsModel.load(path)
    except (FileNotFoundError, ArtifactError):
        return None


def _load_start(path: Path) -> WarmStart | None:
    try:
        return WarmStart.load(path)
    except (FileNotFoundError, ArtifactError):
        return None
