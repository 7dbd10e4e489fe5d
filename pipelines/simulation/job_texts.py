"""What postings say: titles, HTML descriptions and search snippets, put together column by column from fragments."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines.simulation.companies import Companies
from pipelines.simulation.jobs import MAX_SKILLS, Jobs
from pipelines.simulation.rng import IntArray
from pipelines.simulation.world import LANGUAGES, LEVELS, Family, World

_N_DUTIES = 3
_N_VARIANTS = 3


def with_texts(world: World, companies: Companies, jobs: Jobs, rows: IntArray) -> pl.DataFrame:
    """The frame's `rows` with company, employer_id, title, description (HTML), pay (text or null), requirement and
    responsibility (snippets), about, and key_skills (a list).
    """
    frame = jobs.frame[rows.tolist()]
    employer = companies.frame[frame["company"].to_list()]
    frame = frame.drop("company").with_columns(employer["employer_id"], employer["company"])
    picked = jobs.skills[rows]
    parts = [_texts(world, language, frame, employer=employer, picked=picked) for language in LANGUAGES]
    english = pl.col("is_english")
    chosen = [pl.when(english).then(parts[0][name]).otherwise(parts[1][name]).alias(name) for name in parts[0].columns]
    texts: pl.DataFrame = frame.with_columns(chosen)
    return texts


def _texts(
    world: World, language: str, frame: pl.DataFrame, *, employer: pl.DataFrame, picked: IntArray
) -> pl.DataFrame:
    family, level, seed = (frame[name].to_numpy() for name in ("family", "level", "text_seed"))
    names = ("openings", "years", "offers", "pay", "pay_line", "posting")
    texts = {name: world.texts[name][language] for name in names}
    skills = pl.Series([pair[LANGUAGES.index(language)] for pair in world.skills], dtype=pl.String)
    positions = [pl.Series(column).set(pl.Series(column < 0), None) for column in picked.T]
    columns = pl.DataFrame({f"s{n}": skills.gather(position) for n, position in enumerate(positions)})
    duty = seed // 3 % _N_DUTIES
    next_duty = (duty + 1 + seed // 11 % (_N_DUTIES - 1)) % _N_DUTIES
    offer = seed // 17 % len(texts["offers"])
    next_offer = (offer + 1 + seed // 19 % 3) % len(texts["offers"])
    titles = [
        _title(world, each, language, variant=variant, level=n)
        for each in world.families
        for variant in range(_N_VARIANTS)
        for n in range(len(LEVELS))
    ]
    duties = [text for each in world.families for text in each.duties[language]]
    columns = columns.with_columns(
        title=_gather(titles, (family * _N_VARIANTS + seed % _N_VARIANTS) * len(LEVELS) + level),
        opening=_gather(texts["openings"], seed // 7 % len(texts["openings"])),
        duty=_gather(duties, family * _N_DUTIES + duty),
        next_duty=_gather(duties, family * _N_DUTIES + next_duty),
        years=_gather(texts["years"], level),
        offer=_gather(texts["offers"], offer),
        next_offer=_gather(texts["offers"], next_offer),
        about=employer[f"about_{language}"],
        company=employer["company"].str.replace_all("&", "&amp;", literal=True),
        pay=_pay(texts["pay"], frame),
    ).with_columns(
        known=pl.concat_str("s0", "s1", "s2", separator=", "),
        plus=pl.concat_str([f"s{n}" for n in range(3, MAX_SKILLS)], separator=", ", ignore_nulls=True),
    )
    pay_line = pl.when(pl.col("pay").is_null()).then(pl.lit("")).otherwise(pl.format(texts["pay_line"], "pay"))
    return columns.select(
        "title",
        "pay",
        "about",
        pl.format(
            texts["posting"], "company", "opening", "duty", "next_duty", "years", "known", "plus", "offer",
            "next_offer", pay_line, "about",
        ).alias("description"),
        pl.format("{}. {}.", "years", "known").alias("requirement"),
        pl.format("{}. {}.", "duty", "next_duty").alias("responsibility"),
        pl.concat_list([f"s{n}" for n in range(MAX_SKILLS)]).list.drop_nulls().alias("key_skills"),
    )  # fmt: skip


def _gather(texts: Sequence[str], position: IntArray) -> pl.Series:
    return pl.Series(list(texts), dtype=pl.String).gather(pl.Series(np.asarray(position)))


def _title(world: World, family: Family, language: str, *, variant: int, level: int) -> str:
    titles = family.titles[language]
    title = titles[variant % len(titles)]
    template: str = world.texts["titles"][family.ranks][language][level]
    is_russian_word = "а" <= title[1:2] <= "я"
    if is_russian_word and not template.startswith("{}"):
        title = title[0].lower() + title[1:]
    return template.format(title)


def _pay(words: Sequence[str], frame: pl.DataFrame) -> pl.Series:
    """`1500 - 2000 USD`, `from 1500 USD`, `up to 2000 USD` or null."""
    low, high = pl.col("salary_min"), pl.col("salary_max")
    currency = pl.col("currency").replace({"RUR": "RUB", "BYR": "BYN"})
    text = (
        pl.when(low.is_not_null() & high.is_not_null())
        .then(pl.format(words[0], low, high, currency))
        .when(low.is_not_null())
        .then(pl.format(words[1], low, currency))
        .when(high.is_not_null())
        .then(pl.format(words[2], high, currency))
    )
    return frame.select(text.alias("pay"))["pay"]
