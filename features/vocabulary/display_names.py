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
    # Tags are in lower case; a tag that is a skill is written like the skill.
    tags = skills.with_columns(name=pl.col("name").str.to_lowercase())
    roles = Roles.load(folder).names.rename({"slug": "name"})
    countries = pl.read_csv(folder / "countries.csv", infer_schema=False).rename({"country": "name"})
    frames = [
        frame.select(pl.lit(kind).alias("kind"), "name", language=pl.lit(language), text=f"name_{language}")
        for kind, frame in (("skill", skills), ("role", roles), ("tag", tags), ("place", countries))
        for language in LANGUAGES
    ]
    names = pl.concat(frames).filter(pl.col("text") != pl.col("name"))
    return names.select(list(TABLES["display_names"])).unique(["kind", "name", "language"]).sort(pl.all())


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
