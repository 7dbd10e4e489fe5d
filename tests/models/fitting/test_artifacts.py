from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.fitting.artifacts import Artifact, ArtifactError


@dataclass(frozen=True, eq=False)
class Model(Artifact):
    as_of: str
    alpha: float
    n: int
    ids: pl.Series
    rows: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Other(Artifact):
    as_of: str


def model(ids: list[str], as_of: str = "2026-03-01") -> Model:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    return Model(as_of, 0.1, 7, pl.Series(ids, dtype=pl.String), rows)


@given(ids=st.lists(st.text(alphabet=st.characters(exclude_categories=("Cs",)))), as_of=st.text(alphabet="абв+:Z"))
def test_what_was_saved_is_loaded(ids: list[str], as_of: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("models") / "model.npz"
    saved = model(ids, as_of)
    saved.save(path)
    loaded = Model.load(path)
    assert loaded.ids.to_list() == ids
    assert (loaded.as_of, loaded.alpha, loaded.n) == (as_of, 0.1, 7)
    assert loaded.rows.dtype == np.float32
    np.testing.assert_array_equal(loaded.rows, saved.rows)


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    model(["a", "б"]).save(tmp_path / "one.npz")
    model(["a", "б"]).save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_numpy_reads_the_file_without_pickle(tmp_path: Path) -> None:
    model(["a"]).save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as stored:
        assert stored["rows"].shape == (2, 3)


def test_another_models_file_is_refused(tmp_path: Path) -> None:
    Other("now").save(tmp_path / "model.npz")
    with pytest.raises(ArtifactError, match="holds a Other; expected a Model"):
        Model.load(tmp_path / "model.npz")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    model(["a", "b"]).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ArtifactError, match="can't be read as Model"):
        Model.load(path)


def test_a_damaged_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path, saved = tmp_path / "model.npz", model(["a", "b"])
    saved.save(path)
    written = path.read_bytes()
    n_refused = 0
    for place in range(len(written)):
        path.write_bytes(written[:place] + bytes([written[place] ^ 0xFF]) + written[place + 1 :])
        try:
            loaded = Model.load(path)
        except ArtifactError:
            n_refused += 1
            continue
        assert loaded.ids.equals(saved.ids) and (loaded.rows == saved.rows).all(), place
        assert (loaded.as_of, loaded.alpha, loaded.n) == (saved.as_of, saved.alpha, saved.n), place
    assert n_refused > len(written) / 2


def test_a_pickled_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "model.npz").open("wb") as handle:
        np.savez(handle, artifact=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ArtifactError):
        Model.load(tmp_path / "model.npz")


def test_null_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="1 nulls"):
        Model("", 0, 0, pl.Series(["a", None]), np.zeros(1, np.float32)).save(tmp_path / "model.npz")


def test_a_field_with_a_default_may_be_missing_in_a_file_of_an_older_version(tmp_path: Path) -> None:
    @dataclass(frozen=True, eq=False)
    class Model(Artifact):
        as_of: str
        version: str = "unknown"

    @dataclass(frozen=True, eq=False)
    class Old(Artifact):
        as_of: str

    Old.__name__ = "Model"
    Old("2026").save(tmp_path / "model.npz")
    loaded = Model.load(tmp_path / "model.npz")
    assert (loaded.as_of, loaded.version) == ("2026", "unknown")
