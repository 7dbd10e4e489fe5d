"""What reasons refer to: numbers while users are ranked, texts in feeds. Texts are looked up for a whole batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schemas.ranking import REASON_CODES
from models.arrays import Floats, Ints, Longs, names_at
from models.ranking.feed_rows import REASON_ROWS
from models.ranking.interaction_arrays import JobIndex
from models.ranking.job_arrays import JobTable

NO_REFERENCE = -1
NAMES_PER_REASON = 3
# The vocabulary whose names these reasons join; the other codes with a reference name a job, a place or a company.
VOCABULARY = {"skills": "skill", "tags": "tag", "role": "role"}


@dataclass(frozen=True)
class Reasons:
    """One entry per reason, sorted by item and slot; slot 0 is the strongest reason of its item.

    `item` is an index into flattened (n, k) lists, `code` a position in REASON_CODES. What `reference` counts depends
    on the code: jobs of the job index; `packed_names`; `place_codes`; rows of the JobTable for companies. Without a
    reference it is NO_REFERENCE, and `value` is NaN without a number.
    """

    item: Longs
    slot: Longs
    code: Ints
    reference: Longs
    value: Floats

    @staticmethod
    def joined(parts: Sequence["Reasons"], n_items: Sequence[int]) -> "Reasons":
        """Those of several groups of lists, the flattened lists of which have `n_items` entries."""
        first = np.cumsum([0, *n_items])[:-1]
        return Reasons(
            item=np.concatenate([part.item + start for part, start in zip(parts, first, strict=True)]),
            slot=np.concatenate([part.slot for part in parts]),
            code=np.concatenate([part.code for part in parts]),
            reference=np.concatenate([part.reference for part in parts]),
            value=np.concatenate([part.value for part in parts]),
        )

    def rows(self, index: JobIndex) -> pl.DataFrame:
        """REASON_ROWS, with texts."""
        texts, order = [pl.Series([], dtype=pl.String)], [np.zeros(0, dtype=np.int64)]
        for number, code in enumerate(REASON_CODES):
            found = np.flatnonzero(self.code == number)
            if len(found):
                texts.append(_texts(code, self.reference[found], index))
                order.append(found)
        position = np.empty(len(self.code), dtype=np.int64)
        position[np.concatenate(order)] = np.arange(len(self.code))
        return pl.DataFrame(
            {
                "item": self.item,
                "slot": self.slot,
                "code": names_at(pl.Series(REASON_CODES), self.code),
                "ref": pl.concat([text.rename("ref") for text in texts]).gather(position),
                "value": pl.Series(self.value).fill_nan(None),
            },
            schema=REASON_ROWS,
        )


def packed_names(names: Ints, *, n_names: int) -> Longs:
    """Up to NAMES_PER_REASON codes of a vocabulary per row (n, NAMES_PER_REASON), -1 padded, as one number each."""
    packed = np.zeros(len(names), dtype=np.int64)
    for column in names.T:
        packed = packed * (n_names + 1) + column + 1
    return packed


def place_codes(city: Ints, country: Ints, jobs: JobTable) -> Longs:
    """Cities where they are known (not -1), else countries, in one numbering."""
    return np.where(city >= 0, city, len(jobs.vocabularies["city"]) + country.astype(np.int64))


def _texts(code: str, reference: Longs, index: JobIndex) -> pl.Series:
    """The text of each reference of reasons of one code; null without one."""
    jobs = index.jobs
    if code.startswith("similar_to_") or code == "also_applied":
        return index.job_ids.gather(reference)
    if code in VOCABULARY:
        return _joined_names(reference, jobs.vocabularies[VOCABULARY[code]])
    if code in ("same_city", "popular_in_area"):
        places = pl.concat([jobs.vocabularies[name].rename("place") for name in ("city", "country")])
        return places.gather(reference)
    if code == "company":
        return jobs.company_display.gather(reference)
    return pl.Series([None], dtype=pl.String).new_from_index(0, len(reference))


def _joined_names(packed: Longs, vocabulary: pl.Series) -> pl.Series:
    """The names of each number of `packed_names`, joined by commas. Items share few combinations: each is made once."""
    distinct, inverse = np.unique(packed, return_inverse=True)
    columns: list[NDArray[np.int64]] = []
    for _ in range(NAMES_PER_REASON):
        distinct, last = np.divmod(distinct, len(vocabulary) + 1)
        columns.insert(0, last - 1)
    names = {str(number): names_at(vocabulary, column.astype(np.int32)) for number, column in enumerate(columns)}
    joined = pl.DataFrame(names).select(pl.concat_str(pl.all(), separator=", ", ignore_nulls=True))
    return joined.to_series().replace("", None).gather(inverse)
