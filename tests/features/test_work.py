"""Work format, employment, experience and level in the sources' many words."""

import polars as pl
import pytest

from features import work


@pytest.mark.parametrize(
    ("stated", "location", "title", "expected"),
    [
        ("REMOTE", None, None, "remote"),
        ("remote", None, None, "remote"),
        ("fullDay", None, None, "on_site"),
        ("ON_SITE,REMOTE", None, None, "hybrid"),
        ("HYBRID", None, None, "hybrid"),
        ("FIELD_WORK", None, None, "on_site"),
        ("flyInFlyOut", None, None, "on_site"),
        ("flexible", None, "Водитель", None),
        ("flexible", None, "Дизайнер (удалённо)", "remote"),
        ("not remote", None, None, "on_site"),
        ("TELECOMMUTE", None, None, "remote"),
        (None, "Anywhere in the World", None, "remote"),
        (None, "Remote - Europe", None, "remote"),
        (None, "Berlin", "Engineer", None),
        (None, None, "Engineer (hybrid)", "hybrid"),
        (None, None, None, None),
    ],
)
def test_work_format_is_told_from_the_first_that_says_it(
    stated: str | None, location: str | None, title: str | None, expected: str | None
) -> None:
    row = pl.DataFrame({"s": [stated], "l": [location], "t": [title]}, schema=dict.fromkeys("slt", pl.String))
    assert row.select(work.work_format(pl.col("s"), location=pl.col("l"), title=pl.col("t"))).item() == expected


@pytest.mark.parametrize(
    ("stated", "title", "expected"),
    [
        ("full", None, "full_time"),
        ("FULL_TIME", None, "full_time"),
        ("Full-Time", None, "full_time"),
        ("Полная занятость", None, "full_time"),
        ("part", None, "part_time"),
        ("SIDE_JOB", None, "part_time"),
        ("project", None, "project"),
        ("CONTRACTOR", None, "contract"),
        ("probation", None, "internship"),
        ("volunteer", None, "volunteer"),
        ("PER_DIEM", None, "temporary"),
        ("International", None, None),
        (None, "Data science intern", "internship"),
        (None, "International manager", None),
    ],
)
def test_employment_types_have_many_names(stated: str | None, title: str | None, expected: str | None) -> None:
    row = pl.DataFrame({"s": [stated], "t": [title]}, schema=dict.fromkeys("st", pl.String))
    assert row.select(work.employment_type(pl.col("s"), title=pl.col("t"))).item() == expected


_EXPERIENCE = [
    ("noExperience", 0, 1),
    ("between1And3", 1, 3),
    ("between3And6", 3, 6),
    ("moreThan6", 6, None),
    ("от 3 лет", 3, None),
    ("От 1 года до 3 лет", 1, 3),
    ("5+ years", 5, None),
    ("3-5 years", 3, 5),
    ("up to 2 years", 0, 2),
    ("36 months", 3, None),
    ("Нет опыта", 0, 1),
    ("900 years", None, None),
    ("some", None, None),
    (None, None, None),
]


def test_experience_is_a_range_of_years() -> None:
    stated = pl.Series([text for text, *_ in _EXPERIENCE], dtype=pl.String)
    years = work.experience_years(stated, descriptions=pl.Series([None] * len(stated), dtype=pl.String))
    for case, found in zip(_EXPERIENCE, years.iter_rows(), strict=True):
        assert found == case[1:], case[0]


@pytest.mark.parametrize(
    ("description", "low"),
    [
        ("Нам важен опыт работы в продажах от 2 лет.", 2),
        ("You bring 5+ years of hands-on experience with Go.", 5),
        ("Our company is 20 years old.", None),
        ("Работаем 15 лет на рынке.", None),
    ],
)
def test_descriptions_count_only_years_of_experience(description: str, low: float | None) -> None:
    years = work.experience_years(pl.Series([None], dtype=pl.String), descriptions=pl.Series([description]))
    assert years["experience_min_years"].to_list() == [low]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("Senior", "senior"), ("Mid-level", "middle"), ("Entry", "junior"), ("Director", "executive"), ("Any", None)],
)
def test_career_levels_of_boards_are_understood(stated: str, expected: str | None) -> None:
    assert pl.select(work.career_level(pl.lit(stated))).item() == expected
