"""Names of skills, roles, tags and countries as people write them, in the languages of the readers."""

from pathlib import Path

import polars as pl

from features.errors import VocabularyError
from features.vocabulary.roles import Roles
from serving.contract.tables import LANGUAGES, TABLES

_COLUMNS = ("skill", "name_en", "name_ru")


def display_names(folder: Path) -> pl.DataFrame:
    """The published table `display_names` from the vocabulary in `folder`, sorted by its key.

    Raises VocabularyError for a skill in skill_names.csv that skills.csv lacks.
    """
    skills = _skill_names(folder)
    roles = Roles.load(folder).names.select("name_en", "name_ru", name="slug")
    countries = pl.read_csv(folder / "countries.csv", infer_schema=False).rename({"country": "name"})
    frames = [
        frame.select(pl.lit(kind).alias("kind"), "name", language=pl.lit(language), text=f"name_{language}")
        for kind, frame in (("skill", skills), ("role", roles), ("tag", _tags(skills, roles)), ("place", countries))
        for language in LANGUAGES
    ]
    names = pl.concat(frames).filter(pl.col("text") != pl.col("name"))
    return (
        names.select(list(TABLES["display_names"]))
        .unique(["kind", "name", "language"], keep="first", maintain_order=True)
        .sort(pl.all())
    )


def _tags(skills: pl.DataFrame, roles: pl.DataFrame) -> pl.DataFrame:
    """Tags, which are in lower case: one that is a skill or a role in any language is written like it."""
    spellings = [
        names.with_columns(name=pl.col(column).str.to_lowercase())
        for names, columns in ((skills, ("name", "name_en", "name_ru")), (roles, ("name_en", "name_ru")))
        for column in columns
    ]
    return pl.concat(spellings, how="diagonal")


def _skill_names(folder: Path) -> pl.DataFrame:
    """Columns name, name_en, name_ru of every skill; without a name of its own, a skill has its canonical one."""
    known = pl.read_csv(folder / "skills.csv", infer_schema=False).select(name="skill")
    path = folder / "skill_names.csv"
    named = pl.read_csv(path, infer_schema=False)
    if named.columns != list(_COLUMNS):
        raise VocabularyError(f"{path}: columns {named.columns}; expected {list(_COLUMNS)}")
    unknown = named.join(known, left_on="skill", right_on="name", how="anti")["skill"].to_list()
    if unknown:
        raise VocabularyError(f"{path}: {unknown} are not in skills.csv; correct or remove them")
    joined = known.join(named, left_on="name", right_on="skill", how="left")
    return joined.with_columns(pl.coalesce(f"name_{language}", "name") for language in LANGUAGES)
