"""Affinities of users per dimension (skills, companies …), learned from their interactions with jobs.

Stated wishes are in profiles.
"""

import datetime as dt
import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.interactions import CLOCK_SKEW
from features.schemas.features import PREFERENCE_DIMENSIONS, PREFERENCES, TITLE_WORDS
from features.users.preference_sums import strongest_values

# In tenths, so that sums are exact.
APPLICATION, SAVE, CLICK, DISMISSAL, NEGATIVE_FEEDBACK = 7, 4, 3, -3, -3
VALUES_PER_DIMENSION = 20
CONFIDENCE_PRIOR = 5
_GROUPS = {name: rank for rank, name in enumerate(PREFERENCE_DIMENSIONS)}

# Words of a title that say nothing about the work.
_STOP_WORDS = (
    "and the for with from into our you your job jobs work remote hybrid office full time part new per all are "
    "для или что это как при под над без вакансия работа работы удаленно удаленная удалённо офис гибрид полная "
    "неполная занятость день дня рабочий можно опыт опытом"
)
_WORD = r"[\p{L}][\p{L}\p{N}]*[+#]*"


def job_values(jobs: pl.LazyFrame) -> pl.DataFrame:
    """The preference features of each job: job_id, dimension, value, distinct and without nulls.

    company: `company_id`; role: slugs; skill: canonical names; keyword: words of the title in lower case.
    """
    by_dimension: Mapping[str, pl.Expr] = {
        "company": pl.concat_list("company_id"),
        "role": pl.col("professional_roles"),
        "skill": pl.col("skills"),
        "city": pl.concat_list("city"),
        "career_level": pl.concat_list("career_level"),
        "keyword": title_words(),
    }
    parts = [
        jobs.select("job_id", pl.lit(dimension).alias("dimension"), values.alias("value")).explode("value")
        for dimension, values in by_dimension.items()
    ]
    return pl.concat(parts).drop_nulls("value").filter(pl.col("value") != "").unique().collect()


def title_words() -> pl.Expr:
    """The words of `title` in lower case, three letters or more (or C++ and the like), without stop words."""
    word = pl.element()
    is_informative = ((word.str.len_chars() >= 3) | word.str.contains(r"[+#]$")) & ~word.is_in(_STOP_WORDS.split())
    return pl.col("title").str.to_lowercase().str.extract_all(_WORD).list.eval(word.filter(is_informative))


def signal_tenths() -> pl.Expr:
    """The signal of an interaction, in tenths; each kind of event counts once."""
    signals = (
        (pl.col("is_applied"), APPLICATION),
        (pl.col("is_saved"), SAVE),
        (pl.col("n_clicks") > 0, CLICK),
        (pl.col("n_dismissals") > 0, DISMISSAL),
        (pl.col("n_not_relevant") > 0, NEGATIVE_FEEDBACK),
    )
    return pl.sum_horizontal(is_given.fill_null(False).cast(pl.Int64) * tenths for is_given, tenths in signals)


def title_rarities(jobs: pl.LazyFrame) -> pl.DataFrame:
    """TITLE_WORDS: ln(1 + N / n) / ln(1 + N) for a word in n of N titles (TF-IDF, K. Sparck Jones, 1972)."""
    titles = jobs.select(word=title_words().list.unique()).collect()
    counted = titles.explode("word").drop_nulls().group_by("word").agg(n_jobs=pl.len().cast(pl.Int64)).sort("word")
    rarity = np.log1p(len(titles) / counted["n_jobs"].to_numpy()) / math.log1p(max(len(titles), 1))
    return TITLE_WORDS.conform(counted.with_columns(rarity=pl.Series(rarity)))


def preferences(
    interactions: pl.LazyFrame,
    jobs: pl.LazyFrame,
    users: pl.LazyFrame,
    *,
    words: pl.DataFrame,
    as_of: dt.datetime,
) -> pl.DataFrame:
    """PREFERENCES: at most 20 values per user and dimension, those with the largest |affinity| * confidence.

    affinity = tanh(sum of signals): application +0.7, save +0.4, click +0.3, dismissal and negative feedback -0.3. The
    sum of a keyword is weighted by its rarity among all titles, `words` (TITLE_WORDS); a new word has 1.
    confidence = n / (n + 5) for n jobs with signals. Users who opted out of personalisation have no rows.
    """
    opted_out = users.filter(~pl.col("personalization_enabled").fill_null(True)).select("user_id")
    signals = (
        interactions.filter(pl.col("last_at") <= as_of + CLOCK_SKEW)
        .select("user_id", "job_id", amount=signal_tenths())
        .filter(pl.col("amount") != 0)
        .join(opted_out, on="user_id", how="anti")
        .collect()
    )
    of_signals = jobs.join(signals.lazy().select("job_id").unique(), on="job_id", how="semi")
    values = _weighted_values(of_signals, words)

    def strength(
        total: NDArray[np.int64], n: NDArray[np.int64], weight: NDArray[np.float64], _: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        return np.asarray(np.abs(_affinity(total, weight)) * n / (n + CONFIDENCE_PRIOR), dtype=np.float64)

    found = strongest_values(signals, values, strength=strength, per_group=VALUES_PER_DIMENSION)
    affinity = _affinity(found["total"].to_numpy(), found["weight"].to_numpy())
    n = pl.col("n")
    return (
        found.with_columns(
            pl.Series("affinity", affinity).round(6),
            pl.col("group")
            .replace_strict(list(_GROUPS.values()), list(_GROUPS), return_dtype=pl.String)
            .alias("dimension"),
            (n / (n + CONFIDENCE_PRIOR)).round(6).alias("confidence"),
        )
        .select(list(PREFERENCES.columns))
        .sort("user_id", "dimension", "value")
        .pipe(PREFERENCES.conform)
    )


def _weighted_values(jobs: pl.LazyFrame, words: pl.DataFrame) -> pl.DataFrame:
    """The values of the jobs for `strongest_values`; keywords weigh by their rarity."""
    rarities = words.select(dimension=pl.lit("keyword"), value="word", weight="rarity")
    return (
        job_values(jobs)
        .join(rarities, on=["dimension", "value"], how="left")
        .select(
            "job_id",
            pl.col("dimension").replace_strict(_GROUPS, return_dtype=pl.UInt8, default=None).alias("group"),
            "value",
            pl.col("weight").fill_null(1.0),
        )
    )


def _affinity(total: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.tanh(total / 10 * weight), dtype=np.float64)
