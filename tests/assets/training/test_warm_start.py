import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from assets.training.warm_start import PREVIOUS_FILE, warm_start
from models.fitting.als import AlsModel

DAYS = [dt.datetime(2026, 3, day, 2, tzinfo=dt.UTC) for day in (1, 2, 3)]


def fitted(as_of: dt.datetime, path: Path) -> None:
    users, jobs = np.ones((1, 2), dtype=np.float32), np.full((1, 2), as_of.day, dtype=np.float32)
    AlsModel(as_of.isoformat(), 2.0, 0.1, 30.0, pl.Series(["anna"]), pl.Series(["j"]), users, jobs, jobs[:, 0]).save(
        path
    )


def start_day(path: Path, as_of: dt.datetime) -> float | None:
    start = warm_start(path, as_of=as_of)
    return None if start is None else float(start.job_factors[0, 0])


def test_the_first_run_starts_from_noise(tmp_path: Path) -> None:
    assert start_day(tmp_path / "als.npz", DAYS[0]) is None


def test_a_run_repeated_for_the_same_instant_starts_from_the_same_factors(tmp_path: Path) -> None:
    path = tmp_path / "als.npz"
    fitted(DAYS[0], path)
    assert start_day(path, DAYS[1]) == 1
    fitted(DAYS[1], path)
    assert start_day(path, DAYS[1]) == 1
    fitted(DAYS[1], path)
    assert start_day(path, DAYS[2]) == 2


def test_the_first_run_repeated_starts_from_noise_again(tmp_path: Path) -> None:
    path = tmp_path / "als.npz"
    fitted(DAYS[0], path)
    assert start_day(path, DAYS[0]) is None


def test_a_replay_of_the_past_does_not_start_from_the_future(tmp_path: Path) -> None:
    path = tmp_path / "als.npz"
    fitted(DAYS[2], path)
    assert start_day(path, DAYS[0]) is None


def test_no_user_is_kept_beside_the_model(tmp_path: Path) -> None:
    path = tmp_path / "als.npz"
    fitted(DAYS[0], path)
    warm_start(path, as_of=DAYS[1])
    assert b"anna" in path.read_bytes()
    assert b"anna" not in (tmp_path / PREVIOUS_FILE).read_bytes()


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "als.npz"
    path.write_bytes(b"not a model")
    assert start_day(path, DAYS[1]) is None
