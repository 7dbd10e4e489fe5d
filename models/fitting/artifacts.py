"""Fitted models as files: frozen dataclasses of arrays, strings and numbers in one `.npz`, without pickle.

Equal models give equal bytes: the zip entries have a fixed date. The caller replaces the file atomically.
"""

import dataclasses
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Self, get_type_hints

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.errors import JobfeedError

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_CLASS_ENTRY = "artifact"
# Of the header before the bytes of an entry: its length, and where it states those of the name and of what follows it.
_HEADER_BYTES, _LENGTHS_AT = 30, 26
_NPY_HEAD_BYTES = 65_536


class ArtifactError(JobfeedError, ValueError):
    """A file does not hold a model of the expected class."""


class Artifact:
    """Gives a frozen dataclass `save` and `load`.

    Its fields are arrays, `pl.Series` of strings, CSR matrices, str, int or float.
    """

    def save(self, path: Path) -> None:
        """Writes exactly `path`, in the order of the fields."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            _write(archive, _CLASS_ENTRY, _bytes_of(type(self).__name__))
            for field in dataclasses.fields(self):  # type: ignore[arg-type]
                value = getattr(self, field.name)
                if isinstance(value, pl.Series):
                    data, offsets = _encode_strings(value)
                    _write(archive, f"{field.name}.bytes", data)
                    _write(archive, f"{field.name}.offsets", offsets)
                elif sparse.issparse(value):
                    for part in ("indptr", "indices", "data"):
                        _write(archive, f"{field.name}.{part}", getattr(value, part))
                    _write(archive, f"{field.name}.shape", np.array(value.shape, dtype=np.int64))
                else:
                    _write(archive, field.name, _bytes_of(value) if isinstance(value, str) else np.asarray(value))

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model that `save` wrote. Raises ArtifactError for a file of another class, or that is damaged."""
        hints = get_type_hints(cls)
        try:
            with zipfile.ZipFile(path) as archive:
                found = _text_of(_read_array(archive, _CLASS_ENTRY))
                if found != cls.__name__:
                    raise ArtifactError(f"{path}: holds a {found}; expected a {cls.__name__}")
                entries = {name.removesuffix(".npy").split(".")[0] for name in archive.namelist()}
                values = {
                    field.name: _read(archive, field.name, hints[field.name])
                    for field in dataclasses.fields(cls)  # type: ignore[arg-type]
                    # An older version did not write fields that have a default since.
                    if field.name in entries or _is_required(field)
                }
        except (KeyError, ValueError, EOFError, NotImplementedError, struct.error, zipfile.BadZipFile) as error:
            if isinstance(error, ArtifactError):
                raise
            raise ArtifactError(f"{path}: can't be read as {cls.__name__}: {error}; fit it again") from error
        return cls(**values)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _write(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(zipfile.ZipInfo(f"{name}.npy", date_time=_ZIP_DATE), "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)


def _read(archive: zipfile.ZipFile, name: str, kind: Any) -> Any:
    if kind is pl.Series:
        return _decode_strings(_read_array(archive, f"{name}.bytes"), _read_array(archive, f"{name}.offsets"))
    if f"{name}.shape.npy" in archive.namelist():
        indptr, indices, data, shape = (
            _read_array(archive, f"{name}.{part}") for part in ("indptr", "indices", "data", "shape")
        )
        return sparse.csr_matrix((data, indices, indptr), shape=tuple(shape.tolist()))
    array = _read_array(archive, name)
    if kind is str:
        return _text_of(array)
    # `ascontiguousarray` turned the number into an array of one element.
    return kind(array.reshape(-1)[0]) if kind in (int, float) else array


def _read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """The array of an entry, read at once: zipfile would hand out pieces, for three times the work."""
    entry = archive.getinfo(f"{name}.npy")
    file: Any = archive.fp
    if file is None or entry.compress_type != zipfile.ZIP_STORED:
        raise ArtifactError(f"{name}: the entry is compressed; expected it as it is")
    if not 0 <= entry.header_offset <= entry.header_offset + entry.file_size <= file.seek(0, io.SEEK_END):
        raise zipfile.BadZipFile(f"{name} does not lie within the file")
    file.seek(entry.header_offset + _LENGTHS_AT)
    file.seek(entry.header_offset + _HEADER_BYTES + sum(struct.unpack("<HH", file.read(4))))
    body: Any = np.empty(entry.file_size, dtype=np.uint8)
    if file.readinto(body) != entry.file_size or zlib.crc32(body) != entry.CRC:
        raise zipfile.BadZipFile(f"the bytes of {name} are not those that were written")
    head = io.BytesIO(body[:_NPY_HEAD_BYTES].tobytes())
    np.lib.format.read_magic(head)
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(head)
    if is_fortran or dtype.hasobject:
        raise ArtifactError(f"{name}: {dtype}, Fortran order {is_fortran}; expected plain values in C order")
    found: NDArray[Any] = body[head.tell() :].view(dtype).reshape(shape)
    return found


def _bytes_of(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8)


def _text_of(array: NDArray[np.uint8]) -> str:
    return array.tobytes().decode("utf-8")


def _encode_strings(values: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The UTF-8 bytes of all strings and the n + 1 offsets: at most a quarter of NumPy's fixed-width strings."""
    if values.null_count() or values.dtype != pl.String:
        raise ArtifactError(
            f"series {values.name!r}: {values.null_count()} nulls, {values.dtype}; expected strings, no null"
        )
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values.str.len_bytes().to_numpy(), out=offsets[1:])
    return _bytes_of("".join(values.to_list())), offsets


def _decode_strings(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> pl.Series:
    import pyarrow as pa

    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(data) or (np.diff(offsets) < 0).any():
        raise ArtifactError("string offsets do not fit their bytes")
    array = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
    array.validate(full=True)
    return pl.Series(values=array, dtype=pl.String)
