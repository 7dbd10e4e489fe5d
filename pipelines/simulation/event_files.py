"""Writes event blocks as JSON lines or Parquet, with a chosen share of the faults of real logs.

The faults: malformed lines, events sent twice, events that arrive in a later file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from pipelines.simulation.events import Block
from pipelines.simulation.malformed import MALFORMED_KINDS, malformed_line, malformed_rows
from pipelines.simulation.rng import Purpose, generator
from pipelines.simulation.writing import folder

FEEDBACK_COLUMNS = ("is_relevant", "rating", "skill_match_feedback", "location_feedback", "salary_feedback")


@dataclass
class EventFiles:
    """Writes `out/<date>.jsonl|parquet`, or `<date>-<n>` if a day has several blocks; counts the faults it adds.

    Late events wait in memory for the next file: a share of one block at most.
    """

    out: Path
    event_format: Literal["jsonl", "parquet"]
    malformed_share: float
    first_day: datetime
    seed: int
    n_bad: int = 0
    n_repeated: int = 0
    n_late: int = 0
    _late: pl.DataFrame | None = field(default=None, init=False)

    def write_all(self, blocks: Iterable[Block]) -> Iterable[int]:
        """Writes block by block; yields the number of events of each block once it is written."""
        folder(self.out)
        waiting: Block | None = None
        for block in blocks:
            if waiting is not None:
                yield self._write(waiting, is_last=False)
            waiting = block
        if waiting is not None:
            yield self._write(waiting, is_last=True)

    def _write(self, block: Block, *, is_last: bool) -> int:
        rng = generator(self.seed, Purpose.MALFORMED, block.day, block.number)
        frame, n = block.frame, len(block.frame)
        n_bad, n_repeated, n_late = (int(count) for count in rng.binomial(n, self.malformed_share, 3))
        carried, self._late = self._late, None
        if n_late and not is_last:
            is_late = np.zeros(n, dtype=np.bool_)
            is_late[rng.choice(n, n_late, replace=False)] = True
            self._late, frame = frame.filter(pl.Series(is_late)), frame.filter(pl.Series(~is_late))
            self.n_late += n_late
        repeated = frame[np.sort(rng.integers(0, len(frame), n_repeated)).tolist()] if len(frame) else frame
        self.n_repeated += len(repeated)
        frame = pl.concat([frame, repeated, *([] if carried is None else [carried])])
        bad = frame[rng.integers(0, len(frame), n_bad).tolist()] if len(frame) else frame
        bad = bad.with_columns(kind=pl.int_range(self.n_bad, self.n_bad + len(bad), eager=True) % MALFORMED_KINDS)
        self.n_bad += len(bad)
        date = (self.first_day + timedelta(days=block.day)).date().isoformat()
        name = date if block.n_blocks == 1 else f"{date}-{block.number:03}"
        if self.event_format == "parquet":
            pl.concat([frame, malformed_rows(bad)]).write_parquet(self.out / f"{name}.parquet", statistics=False)
        else:
            _write_lines(self.out / f"{name}.jsonl", frame, bad)
        return n


def _write_lines(path: Path, frame: pl.DataFrame, bad: pl.DataFrame) -> None:
    texts = frame.with_columns(pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    is_feedback = pl.col("event_type") == "feedback"
    with path.open("wb") as file:
        texts.filter(~is_feedback).drop(FEEDBACK_COLUMNS).write_ndjson(file)
        feedback = texts.filter(is_feedback)
        if len(feedback):
            feedback.write_ndjson(file)
        file.writelines(malformed_line(kind, event_id) for kind, event_id in bad.select("kind", "event_id").iter_rows())
