"""Finds postings of the same job: on two boards, or re-posted under a new id.

Only jobs of one company, title and terms (city or remote, country, level, employment, years) are compared. Duplicates
have equal descriptions, or a Jaccard similarity of word triples of at least 0.8; candidates come from MinHash (Broder,
1997). Precision matters more than recall: versions of a job for another city, level or term are other jobs.
"""

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from features.hashing import mix
from features.text.normalise import company_key, fold, name_key

MIN_SIMILARITY = 0.8
MAX_GAP_DAYS = 60
_TERMS = ("city", "is_remote", "country", "career_level", "employment_type", "years")
_TITLE_ADDITIONS = (
    r"\((?:all genders|(?:[mfdwxhnмж]\s?/\s?)+[mfdwxhnмж])\)|\b(?:m/w/d|f/m/d|m/f/d|м/ж)\b"
    r"|\b(?:full[- ]time|100 ?% remote|fully remote|remotely|remote|hybrid|on-?site)\b"
    r"|удаленн\p{L}+ работа|удаленно|удаленка|можно удаленно|гибрид\b|в офис\b|полная занятость"
)
_SHINGLE_WORDS = 3
_MIN_WORDS = 12
_MAX_DESCRIPTION_CHARACTERS = 4_000
# Blocks are independent; a limited number at a time bounds the memory.
_BATCH_BLOCKS = 2_000
# A pair of similarity 0.8 shares a band with a probability of 1 - (1 - 0.8^4)^10 = 0.995.
_N_BANDS, _BAND_ROWS = 10, 4

_Hashes = npt.NDArray[np.uint64]


def collapse(jobs: pl.DataFrame) -> pl.DataFrame:
    """`jobs` (rows of JOBS) with `duplicate_of` set, and with the age of a group on its representative.

    A re-post inherits the publication time of members that are open, or that ended at most MAX_GAP_DAYS before the
    representative was published. Members that ended earlier were another opening.
    """
    duplicates = find_duplicates(jobs)
    grouped = jobs.drop("duplicate_of").join(duplicates, on="job_id", how="left", maintain_order="left")
    published = jobs.select(duplicate_of="job_id", group_published_at="published_at")
    continued = grouped.join(published, on="duplicate_of").filter(
        (pl.col("status") == "open")
        | (pl.col("closed_at") >= pl.col("group_published_at") - pl.duration(days=MAX_GAP_DAYS))
    )
    oldest = continued.group_by(job_id="duplicate_of").agg(oldest_at=pl.col("published_at").min())
    return (
        grouped.join(oldest, on="job_id", how="left", maintain_order="left")
        .with_columns(published_at=pl.min_horizontal("published_at", "oldest_at"))
        .select(jobs.columns)
    )


def find_duplicates(jobs: pl.DataFrame) -> pl.DataFrame:
    """Columns job_id, duplicate_of: one row per job with a representative, sorted by job_id.

    `jobs` are rows of JOBS. The representative is the oldest open job of its group (the oldest one if all are
    closed), ties broken by job_id; it has no representative itself.
    """
    rows = _comparable(jobs)
    if rows.is_empty():
        return pl.DataFrame(schema={"job_id": pl.String, "duplicate_of": pl.String})
    exact = rows.select(left=pl.col("row").first().over("block", "text"), right="row")
    distinct = (
        rows.unique(["block", "text"], keep="first", maintain_order=True)
        .filter(pl.len().over("block") > 1)
        .with_columns(batch=pl.col("block").rank("dense") // _BATCH_BLOCKS)
    )
    near = [_similar_pairs(batch) for batch in distinct.partition_by("batch", maintain_order=True)]
    pairs = pl.concat([exact, *near])
    n = rows.height
    links = coo_matrix((np.ones(pairs.height, np.int8), (pairs["left"].to_numpy(), pairs["right"].to_numpy())), (n, n))
    _, groups = connected_components(links, directed=False)
    # Rows are sorted so that the first of a group is its representative.
    return (
        rows.select("job_id", group=pl.Series(groups))
        .with_columns(duplicate_of=pl.col("job_id").first().over("group"))
        .filter(pl.col("job_id") != pl.col("duplicate_of"))
        .select("job_id", "duplicate_of")
        .sort("job_id")
    )


def _comparable(jobs: pl.DataFrame) -> pl.DataFrame:
    """Jobs that share company, title and terms with another one, oldest open first; row, job_id, block, text."""
    is_remote = pl.col("work_format") == "remote"
    named = (
        jobs.lazy()
        .select(
            "job_id", "status", "published_at", "description", "country", "career_level", "employment_type",
            company=company_key(pl.col("company")),
            title=_title_key(pl.col("title")),
            city=pl.when(~is_remote.fill_null(value=False)).then(fold(pl.col("city"))),
            is_remote=is_remote,
            years=pl.coalesce("experience_min_years", "experience_max_years").cast(pl.String),
        )
        .filter(pl.col("company").is_not_null() & pl.col("title").is_not_null() & pl.col("description").is_not_null())
        .filter(pl.len().over("company", "title") > 1)
    )  # fmt: skip
    # Descriptions are plain text with single spaces here; folding them fully would take most of the time.
    text = pl.col("description").str.slice(0, _MAX_DESCRIPTION_CHARACTERS).str.to_lowercase()
    return (
        named.with_columns(_agreed_value(name) for name in _TERMS)
        .with_columns(key=pl.struct("company", "title", *_TERMS))
        .filter(pl.len().over("key") > 1)
        .with_columns(block=pl.col("key").rank("dense"), text=text)
        .sort(pl.col("status") != "open", "published_at", "job_id", nulls_last=True)
        .with_row_index("row")
        .select(pl.col("row").cast(pl.Int64), "job_id", "block", "text")
        .collect()
    )


def _title_key(title: pl.Expr) -> pl.Expr:
    """The words of a title in any order, without what boards add about sex, place of work and employment."""
    bare = fold(title).str.replace_all(_TITLE_ADDITIONS, " ")
    words = name_key(bare).str.split(" ").list.unique().list.sort().list.join(" ")
    return pl.when(words.str.len_chars() > 0).then(words)


def _agreed_value(name: str) -> pl.Expr:
    """The value; if it is unknown, the one on which all jobs of this company and title agree."""
    among = pl.col(name)
    only = pl.when(among.min().over("company", "title") == among.max().over("company", "title")).then(
        among.min().over("company", "title")
    )
    return pl.coalesce(among, only).alias(name)


def _similar_pairs(documents: pl.DataFrame) -> pl.DataFrame:
    """Columns left, right (values of `row`): pairs within a block with a similarity of at least MIN_SIMILARITY.

    A document is compared only with the first of each of its buckets, so the work is linear in the size of a block.
    """
    documents = documents.with_columns(words=pl.col("text").str.extract_all(r"[\p{L}\p{N}]+")).filter(
        pl.col("words").list.len() >= _MIN_WORDS
    )
    if documents.height < 2:
        return pl.DataFrame(schema={"left": pl.Int64, "right": pl.Int64})
    shingles, starts = _shingles(documents["words"])
    signatures = _signatures(shingles, starts)
    blocks = pl.Series("block", documents["block"])
    candidates = pl.concat(
        [
            pl.DataFrame({"block": blocks, "bucket": _combine(signatures[:, band : band + _BAND_ROWS])})
            .with_row_index("right")
            .with_columns(left=pl.col("right").first().over("block", "bucket"))
            .filter(pl.col("left") != pl.col("right"))
            .select("left", "right")
            for band in range(0, _N_BANDS * _BAND_ROWS, _BAND_ROWS)
        ]
    ).unique(maintain_order=True)
    if candidates.is_empty():
        return pl.DataFrame(schema={"left": pl.Int64, "right": pl.Int64})
    similarity = _jaccard(shingles, starts, candidates)
    rows = documents["row"].to_numpy()
    pairs = candidates.filter(pl.Series(similarity >= MIN_SIMILARITY))
    return pl.DataFrame({"left": rows[pairs["left"].to_numpy()], "right": rows[pairs["right"].to_numpy()]})


def _shingles(words: pl.Series) -> tuple[_Hashes, npt.NDArray[np.int64]]:
    """Hashes of the word triples of all documents in one array, and the start of each document in it."""
    long = words.explode()
    distinct = long.unique().sort()
    hashes = np.frombuffer(
        b"".join(hashlib.blake2b(word.encode(), digest_size=8).digest() for word in distinct), dtype="<u8"
    ).astype(np.uint64)
    codes = long.replace_strict(distinct, pl.Series(np.arange(len(distinct))), return_dtype=pl.Int64).to_numpy()
    word = hashes[codes]
    lengths = words.list.len().to_numpy().astype(np.int64)
    triples = _combine(np.column_stack([word[:-2], word[1:-1], word[2:]]))
    document = np.repeat(np.arange(len(lengths)), lengths)
    inside = document[:-2] == document[2:]
    starts = np.concatenate([[0], np.cumsum(lengths - (_SHINGLE_WORDS - 1))[:-1]]).astype(np.int64)
    return triples[inside], starts


def _signatures(shingles: _Hashes, starts: npt.NDArray[np.int64]) -> _Hashes:
    n = _N_BANDS * _BAND_ROWS
    seeds = mix(np.arange(1, 2 * n + 1, dtype=np.uint64))
    columns = [np.minimum.reduceat(mix(shingles * (seeds[i] | np.uint64(1)) + seeds[n + i]), starts) for i in range(n)]
    return np.column_stack(columns)


def _jaccard(shingles: _Hashes, starts: npt.NDArray[np.int64], pairs: pl.DataFrame) -> npt.NDArray[np.float64]:
    distinct, codes = np.unique(shingles, return_inverse=True)
    ends = np.append(starts, len(shingles))
    sets = csr_matrix((np.ones(len(codes), np.int32), codes, ends), shape=(len(starts), len(distinct)))
    sets.sum_duplicates()
    sets.data[:] = 1
    left, right = sets[pairs["left"].to_numpy()], sets[pairs["right"].to_numpy()]
    common = np.asarray(left.multiply(right).sum(axis=1), dtype=np.float64).ravel()
    union = np.diff(left.indptr) + np.diff(right.indptr) - common
    return np.asarray(common / union, dtype=np.float64)


def _combine(columns: _Hashes) -> _Hashes:
    """One hash per row that depends on the order of its columns."""
    combined = np.zeros(len(columns), np.uint64)
    for i in range(columns.shape[1]):
        combined = mix(combined * np.uint64(0x100000001B3) + columns[:, i])
    return combined
