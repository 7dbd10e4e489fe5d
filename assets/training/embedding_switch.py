"""The change from one embedding model to another: the old vectors serve until all texts have new ones.

Each run embeds texts with the new model for a limited time, and a run of everything switches when no text is left, so
that all feeds change at once. What is known of it lies in a small file in the lake. Nothing here imports an encoder.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.lake import Lake, write_bytes
from assets.notes import read_note
from features.errors import JobfeedError

if TYPE_CHECKING:
    from assets.training.embedding_models import EmbeddingModel

_FILE = "embedding_model.json"


class OtherSpaceError(JobfeedError, ValueError):
    """Vectors of two embedding models would be compared."""


@dataclass(frozen=True)
class Serving:
    """The model whose vectors are used, and how far the one after it is.

    `n_done` of `n_wanted` texts have a vector of the model with the identity `following`; empty if there is none.
    `problem` says why it can't be used. `is_pinned`: of a replay, which never switches.
    """

    model: "EmbeddingModel"
    following: str = ""
    n_done: int = 0
    n_wanted: int = 0
    problem: str = ""
    is_pinned: bool = False

    @property
    def share(self) -> float:
        """Of the texts, those that the model to come has embedded."""
        return self.n_done / self.n_wanted if self.n_wanted else 0.0


def read_serving(lake: Lake) -> Serving | None:
    """None before the first run, or if nobody can read what the last one noted."""
    from assets.training.embedding_models import EmbeddingModel

    stored = _stored(lake)
    try:
        return Serving(**{**stored, "model": EmbeddingModel.of_json(stored["model"])})
    except (KeyError, TypeError):
        return None


def write_serving(lake: Lake, serving: Serving) -> None:
    """Leaves the file alone if it says so already."""
    body = json.dumps(asdict(serving), ensure_ascii=False, indent=1).encode()
    if not _path(lake).is_file() or _path(lake).read_bytes() != body:
        write_bytes(_path(lake), body)


def pin_serving(source: Lake, target: Lake) -> None:
    """Makes the replay in `target` use the model that serves in `source`, whatever is configured."""
    serving = read_serving(source)
    if serving is not None:
        write_serving(target, Serving(serving.model, is_pinned=True))


def require_one_space(found: str, expected: str, of: str) -> None:
    """Raises OtherSpaceError unless job vectors are of the model `expected`; older versions did not note theirs."""
    if found and expected and found != expected:
        raise OtherSpaceError(
            f"training/job_vectors are of the model {found}, and {of} of {expected}: a run broke off between them; "
            "`jobfeed run hourly` makes them anew"
        )


def is_switching(lake: Lake) -> bool:
    """Whether another model is configured than serves, as the last run found it."""
    return bool(_stored(lake).get("following"))


def _stored(lake: Lake) -> dict[str, Any]:
    return read_note(_path(lake), dict) or {}


def _path(lake: Lake) -> Path:
    return lake.root / "training" / _FILE
