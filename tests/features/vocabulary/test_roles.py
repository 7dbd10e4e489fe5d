"""Titles of both languages under one role, and the level they state."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import VocabularyError
from features.schemas.catalog import CAREER_LEVELS
from features.vocabulary.roles import Roles, career_level

FOLDER = Path(__file__).parents[3] / "data" / "vocabulary"
ROLES = Roles.load(FOLDER)


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("Senior Python-разработчик (удалённо)", "python_developer"),
        ("Python Developer", "python_developer"),
        ("Backend-разработчик (Python)", "python_developer"),
        ("Senior C++ Engineer", "cpp_developer"),
        ("C# / .NET developer", "csharp_developer"),
        ("Ведущий программист 1С", "1c_developer"),
        ("Врач-терапевт", "physician"),
        ("Менеджер по продажам", "sales_manager"),
        ("Head of Sales", "head_of_sales"),
        ("Водитель погрузчика", "forklift_operator"),
        ("Data Scientist / ML", "data_scientist"),
        ("Frontend Developer (React)", "react_developer"),
        ("Product Manager", "product_manager"),
        ("python_developer", "python_developer"),
        ("Chef de projet digital", "project_manager"),
        ("Chef de produit", None),
        ("Chef des ventes", None),
        ("Chef d'équipe", None),
        ("Chef de partie", "cook"),
        ("Chef de cuisine", "cook"),
        ("Sous Chef", "cook"),
        ("Водитель генерального директора", "driver"),
        ("Секретарь генерального директора", "secretary"),
        ("Заместитель генерального директора", "chief_executive_officer"),
        ("Vice President, Software Engineering", None),
        ("Chief of Staff", None),
        ("President", "chief_executive_officer"),
        ("nothing of the kind", None),
        ("", None),
        (None, None),
    ],
)
def test_titles_become_roles(title: str | None, role: str | None) -> None:
    assert ROLES.canonicalise(pl.Series([title], dtype=pl.String)).to_list() == [role]


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("Стажёр-аналитик", "intern"),
        ("Junior/Middle QA Engineer", "junior"),
        ("Middle/Senior Frontend", "middle"),
        ("Старший кассир", "senior"),
        ("Sr. Developer", "senior"),
        ("Ведущий программист", "lead"),
        ("Java Team Lead", "lead"),
        ("Арт-директор", "lead"),
        ("Руководитель отдела продаж", "lead"),
        ("CTO", "executive"),
        ("Генеральный директор", "executive"),
        ("Помощник генерального директора", None),
        ("Account Executive", None),
        ("Lead generation manager", None),
        ("Ведущий мероприятий", None),
        ("Middleware developer", None),
        ("Developer", None),
        ("Team Leader", "lead"),
        ("Leading Engineer", "lead"),
        ("Staff Engineer", "lead"),
        ("Staff Accountant", None),
        ("Главный бухгалтер", "lead"),
        ("Chief Accountant", "lead"),
        ("Директор магазина", "lead"),
        ("Бригадир", "lead"),
        ("Заместитель директора", "executive"),
        ("Software Engineer II", "middle"),
        ("Software Engineer III", "senior"),
        ("Graduate Engineer", "junior"),
        ("Senior Care Assistant", None),
        ("Ведущий концертов", None),
        ("Executive Assistant", None),
        ("Middle School Teacher", None),
        ("Mid-Market Account Executive", None),
        ("Middle Office Analyst", None),
        ("Middle Python Developer", "middle"),
        ("Personal driver to CEO", None),
        ("Assistant to CFO", None),
        ("Водитель генерального директора", None),
        ("Director of Photography", None),
        ("Funeral Director", None),
        ("Director of Engineering", "executive"),
        ("Graduate School Admissions Manager", None),
        ("Head Start Teacher", None),
        ("Head of Design", "lead"),
        ("Lead Time Analyst", None),
        ("Lead Designer", "lead"),
        (None, None),
    ],
)
def test_titles_state_a_level(title: str | None, level: str | None) -> None:
    assert career_level(pl.Series([title], dtype=pl.String)).to_list() == [level]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.none() | st.text(max_size=40), max_size=5))
def test_any_title_gives_a_known_role_and_level_or_none(titles: list[str | None]) -> None:
    series = pl.Series(titles, dtype=pl.String)
    assert set(ROLES.canonicalise(series).drop_nulls()) <= set(ROLES.names["slug"])
    assert set(career_level(series).drop_nulls()) <= set(CAREER_LEVELS)
    assert len(ROLES.canonicalise(series)) == len(career_level(series)) == len(titles)


def test_slugs_and_names_lead_to_their_role() -> None:
    names = ROLES.names
    for column in ("slug", "name_en", "name_ru"):
        wrong = names.filter(ROLES.canonicalise(names[column]) != pl.col("slug"))
        assert wrong.height == 0, wrong.select("slug", column)


def test_there_are_many_roles_each_with_a_family() -> None:
    assert ROLES.names.height >= 120
    assert ROLES.names["slug"].is_unique().all()
    assert ROLES.names["family"].null_count() == 0


def test_a_spelling_of_two_roles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "roles.csv").write_text(
        "role,family,name_en,name_ru,aliases\na_x,f,One,Один,same\nb_x,f,Two,Два,Same\n"
    )
    with pytest.raises(VocabularyError, match="same"):
        Roles.load(tmp_path)
