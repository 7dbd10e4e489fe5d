import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from assets.config.files import SHIPPED_VOCABULARY
from features.errors import VocabularyError
from features.vocabulary.display_names import display_names
from models.explanations.names import Names

TABLE = display_names(SHIPPED_VOCABULARY)
NAMES = Names(TABLE.iter_rows())


@pytest.mark.parametrize(
    ("code", "ref", "english", "russian"),
    [
        ("skills", "Python, Data Analysis", "Python, Data Analysis", "Python, Анализ данных"),
        ("skills", "English, Язык 1С", "English, 1C Language", "Английский язык, Язык 1С"),
        ("skills", "Armenian language", "Armenian", "Армянский язык"),
        ("role", "python_developer", "Python Developer", "Python-разработчик"),
        ("role", "Keeper of bees", "Keeper of bees", "Keeper of bees"),
        ("tags", "python, data analysis", "Python, Data Analysis", "Python, Анализ данных"),
        (
            "tags",
            "frontend developer, анализ данных",
            "Frontend Developer, Data Analysis",
            "Frontend-разработчик, Анализ данных",
        ),
        ("company", "python_developer", "python_developer", "python_developer"),
        ("skills", None, None, None),
    ],
)
def test_reasons_name_skills_and_roles_as_people_write_them(
    code: str, ref: str | None, english: str | None, russian: str | None
) -> None:
    assert NAMES.reference(code, ref, "en") == english
    assert NAMES.reference(code, ref, "ru") == russian


def test_a_name_is_given_once_for_each_kind_and_language() -> None:
    assert not TABLE.select("kind", "name", "language").is_duplicated().any()
    assert TABLE["text"].str.strip_chars().equals(TABLE["text"])


def test_english_names_hold_no_cyrillic() -> None:
    skills = pl.read_csv(SHIPPED_VOCABULARY / "skills.csv", infer_schema=False)["skill"]
    roles = pl.read_csv(SHIPPED_VOCABULARY / "roles.csv", infer_schema=False)["role"]
    shown = [NAMES.of("skill", name, "en") for name in skills] + [NAMES.of("role", name, "en") for name in roles]
    assert [name for name in shown if re.search("[а-яё]", name, re.IGNORECASE)] == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_two_skills_or_roles_never_have_one_name(language: str) -> None:
    for kind, file, column in (("skill", "skills.csv", "skill"), ("role", "roles.csv", "role")):
        names = pl.read_csv(SHIPPED_VOCABULARY / file, infer_schema=False)[column]
        shown = pl.Series([NAMES.of(kind, name, language) for name in names])
        assert shown.filter(shown.is_duplicated()).to_list() == []


def test_a_name_of_an_unknown_skill_is_refused(tmp_path: Path) -> None:
    for file in ("skills.csv", "roles.csv"):
        shutil.copy(SHIPPED_VOCABULARY / file, tmp_path)
    (tmp_path / "skill_names.csv").write_text("skill,name_en,name_ru\nPyhton,,Питон\n", encoding="utf-8")
    with pytest.raises(VocabularyError, match="Pyhton"):
        display_names(tmp_path)
