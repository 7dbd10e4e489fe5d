"""Two machines with a store between them, and a small lake."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.lake import Lake
from assets.storage.working_copy import WorkingCopy, working_copy
from features.schemas.catalog import INTERACTIONS
from tests.factories import AS_OF


@dataclass(frozen=True)
class Machine:
    """A machine with its own working copy of a store."""

    copy: WorkingCopy

    @classmethod
    def new(cls, url: str, cache: Path) -> "Machine":
        return cls(working_copy(url, cache))

    @property
    def lake(self) -> Lake:
        return Lake(self.copy.root / "lake")

    @property
    def published(self) -> Path:
        return self.copy.root / "published"

    def files(self) -> dict[str, bytes]:
        """What would have to be equal on another machine."""
        found = {}
        for folder in ("lake", "models", "published"):
            for path in sorted((self.copy.root / folder).rglob("*")):
                relative = path.relative_to(self.copy.root).as_posix()
                if path.is_file() and ".locks" not in relative and not path.name.endswith(".lock"):
                    found[relative] = path.read_bytes()
        return found


def interactions(*users: str) -> pl.DataFrame:
    rows = [{"user_id": user, "job_id": "hh:1", "last_at": AS_OF} for user in users]
    return INTERACTIONS.conform(pl.DataFrame(rows))
