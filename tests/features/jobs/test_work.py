"""Work format, employment and level in the sources' many words."""

import polars as pl
import pytest

from features.jobs import work


def _text(value: str | None) -> pl.Series:
    return pl.Series([value], dtype=pl.String)


@pytest.mark.parametrize(
    ("stated", "location", "title", "expected"),
    [
        ("remote not possible", None, None, "on_site"),
        ("remote: no", None, None, "on_site"),
        ("не предполагает удалённую работу", None, None, "on_site"),
        ("100% office, no home office", None, None, "on_site"),
        ("2 дня в офисе, 3 дня удалённо", None, None, "hybrid"),
        ("Удалённая работа", None, None, "remote"),
        ("Удалённая работа: нет", None, None, "on_site"),
        ("частичная удалёнка", None, None, "hybrid"),
        ("Частичная занятость, удалённо", None, None, "remote"),
        ("Удалённо, опыт не нужен", None, None, "remote"),
        ("Remote, no travel", None, None, "remote"),
        ("Kein Homeoffice", None, None, "on_site"),
        ("Homeoffice nicht möglich", None, None, "on_site"),
        ("Pas de télétravail", None, None, "on_site"),
        ("Sin teletrabajo", None, None, "on_site"),
        ("Office, no hybrid", None, None, "on_site"),
        ("Hybrid, not remote", None, None, "hybrid"),
        ("Home Office", None, None, "remote"),
        ("Office / Home Office", None, None, "hybrid"),
        ("Homeoffice 2 Tage pro Woche", None, None, "hybrid"),
        ("2 jours de télétravail", None, None, "hybrid"),
        ("3 days in the office", None, None, "hybrid"),
        (None, "Oslo / Home-Office", None, "remote"),
        (None, "Berlin, Germany or Remote", None, "remote"),
        (None, "NYC but love remote", None, "remote"),
        (None, None, "Global Account Manager", None),
        (None, None, "Distributed Systems Engineer", None),
        (None, None, "Remote Sensing Scientist", None),
        (None, None, "Hybrid Cloud Architect", None),
        (None, None, "Менеджер по удалённым продажам", None),
        (None, None, "Специалист по дистанционному обучению", None),
        (None, None, "Remote Python Developer", "remote"),
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
        *(
            (None, place, None, "on_site")
            for place in (
                "In-Office",
                "in office",
                "On-site",
                "Onsite",
                "ON SITE",
                "Office",
                "In-person",
                "Oslo (On-site)",
                "In-Office - Oslo",
                "On-site, Oslo",
                "Oslo | Office only",
                "В офисе",
                "Москва (офис)",
                "Vor Ort",
            )
        ),
        *(
            (None, place, None, "hybrid")
            for place in (
                "Hybrid",
                "Hybrid - Oslo",
                "Oslo (hybrid)",
                "Remote / On-site",
                "Hybride",
            )
        ),
        *((None, place, None, "remote") for place in ("Télétravail", "Teletrabajo", "Zdalnie", "Remoto", "Homeoffice")),
        *(
            (None, place, None, None)
            for place in (
                "Head Office, Oslo",
                "Office 12, Oslo",
                "Oslo, Officers Row",
                "Post Office Square",
                "Home Affairs",
            )
        ),
        (None, None, "Engineer (hybrid)", "hybrid"),
        (None, None, None, None),
    ],
)
def test_work_format_comes_from_the_first_text_that_states_it(
    stated: str | None, location: str | None, title: str | None, expected: str | None
) -> None:
    assert _work_format(stated, location, title, None) == expected


def _work_format(stated: str | None, location: str | None, title: str | None, description: str | None) -> str | None:
    found: str | None = work.work_format(
        _text(stated), location=_text(location), title=_text(title), description=_text(description)
    ).item()
    return found


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Формат работы: удалённо", "remote"),
        ("Формат работы: офис", "on_site"),
        ("Work model: hybrid", "hybrid"),
        ("This is a fully remote position", "remote"),
        ("Условия:\nУдалённая работа, гибкий график", "remote"),
        ("Удалённая работа не предусмотрена", None),
        ("Удалённый формат работы не рассматривается.", None),
        ("Удалённая работа (в том числе частичная) не предусмотрена", None),
        ("Гибридный формат не предусмотрен", None),
        ("Возможна удалённая работа 1-2 дня в неделю", "hybrid"),
        ("Удалённая работа 5 дней в неделю", "remote"),
        ("2 days of home office a week", "hybrid"),
        ("Fully remote, 4-day work week", "remote"),
        ("Hybrid work model: 3 days in the office", "hybrid"),
        ("We build payroll for fully remote companies", None),
        ("You will support 100% remote customers", None),
        ("Fully remote interview process", None),
        ("We are a fully remote company", "remote"),
        ("We shape the future of hybrid work", None),
        ("Experience with hybrid model development", None),
        ("We work in a hybrid model", "hybrid"),
        ("Проведение мероприятий в гибридном формате", None),
        ("We have customers worldwide and remote teams", None),
        ("Место работы: м. Тверская", None),
        (None, None),
    ],
)
def test_a_description_states_a_format_only_outright(description: str | None, expected: str | None) -> None:
    assert _work_format(None, None, None, description) == expected
    assert _work_format("ON_SITE", None, None, description) == "on_site"


_EMPLOYMENT = [
    ("Permanent Part-time", "part_time"),
    ("Бессрочный трудовой договор", "full_time"),
    ("Permanent, full-time", "full_time"),
    ("Permanent", "full_time"),
    ("Full-time contract", "full_time"),
    ("Open-ended contract", "full_time"),
    ("Permanent contract", "full_time"),
    ("Temporary contract", "temporary"),
    ("Contract to hire", "contract"),
    ("Non-permanent", "temporary"),
    ("Regular part time", "part_time"),
    ("постоянная, частичная занятость", "part_time"),
    ("Срочный трудовой договор", "temporary"),
    ("Трудовой договор", "full_time"),
    ("Договор ГПХ", "contract"),
    ("Работа по совместительству", "part_time"),
    ("Разовое задание", "project"),
    ("Minijob", "part_time"),
    ("Festanstellung", "full_time"),
    ("Freie Mitarbeit", "contract"),
    ("Teilzeit, unbefristet", "part_time"),
    ("Vollzeit/Teilzeit", "full_time"),
    ("Befristet", "temporary"),
    ("CDI temps partiel", "part_time"),
    ("Stage", "internship"),
    ("Alternance", "internship"),
    ("Intérim", "temporary"),
    ("Jornada completa", "full_time"),
    ("Media jornada", "part_time"),
    ("Prácticas", "internship"),
    ("Tempo indeterminato", "full_time"),
    ("Tempo parziale", "part_time"),
    ("Tempo pieno", "full_time"),
    ("Tirocinio", "internship"),
    ("Período integral", "full_time"),
    ("Meio período", "part_time"),
    ("Estágio", "internship"),
    ("Umowa o pracę", "full_time"),
    ("Pół etatu", "part_time"),
    ("Staż", "internship"),
    ("Plný úvazek", "full_time"),
    ("Zkrácený úvazek", "part_time"),
    ("Heltid", "full_time"),
    ("Deltid", "part_time"),
    ("Fulltime", "full_time"),
    ("Parttime", "part_time"),
    ("Deeltijd", "part_time"),
    ("Повна зайнятість", "full_time"),
    ("Неповна зайнятість", "part_time"),
    ("FULL_TIME,PART_TIME", "full_time"),
    ("FULLTIME", "full_time"),
    ("PartTime", "part_time"),
    ("Intern", "internship"),
    ("Internal", None),
    ("Seasonal", "temporary"),
    ("Zero hours", None),
    ("Tam zamanlı", "full_time"),
    ("Yarı zamanlı", "part_time"),
    ("To'liq stavka", "full_time"),
    ("Толық жұмыс күні", "full_time"),
    ("not part-time, full-time", "full_time"),
    ("Project-based", "project"),
    ("Ehrenamt", "volunteer"),
    ("Bénévolat", "volunteer"),
    ("Werkstudent", "part_time"),
    ("Ausbildung", "internship"),
    ("Other", None),
    ("0.5 FTE", "part_time"),
    ("1.0 FTE", "full_time"),
    ("20 hours per week", "part_time"),
    ("40 hours/week", "full_time"),
    ("Employee", None),
    ("Salaried", None),
    ("Full-time (permanent)", "full_time"),
    ("Fixed-term contract", "contract"),
    ("Contract / Freelance", "contract"),
    ("B2B", "contract"),
    ("Perm", "full_time"),
    ("Polny etat", None),
    ("正社員", "full_time"),
    ("アルバイト", "part_time"),
    ("兼职", "part_time"),
    ("全职", "full_time"),
]
_DESCRIBED_EMPLOYMENT = [
    ("This is a permanent part-time position.", "part_time"),
    ("We offer a permanent position.", "full_time"),
    ("Unbefristete Festanstellung in Vollzeit", "full_time"),
    ("Employment type: Part-time, permanent", "part_time"),
    ("Тип занятости: частичная", "part_time"),
    ("Job type: Contract", "contract"),
    ("Open-ended contract", "full_time"),
    ("We sign contracts with clients", None),
]


@pytest.mark.parametrize(("stated", "expected"), _EMPLOYMENT)
def test_employment_is_named_in_the_languages_of_the_boards(stated: str, expected: str | None) -> None:
    assert _employment_type(stated, None, None) == expected


@pytest.mark.parametrize(("description", "expected"), _DESCRIBED_EMPLOYMENT)
def test_a_part_time_job_stays_so_if_it_is_permanent(description: str, expected: str | None) -> None:
    assert _employment_type(None, None, description) == expected


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
        ("Неполный день", None, "part_time"),
        ("неполная занятость", None, "part_time"),
        ("Temps plein", None, "full_time"),
        ("Teilzeit", None, "part_time"),
        ("Self-employed", None, "contract"),
        ("самозанятость", None, "contract"),
    ],
)
def test_employment_types_have_many_names(stated: str | None, title: str | None, expected: str | None) -> None:
    assert _employment_type(stated, title, None) == expected


def _employment_type(stated: str | None, title: str | None, description: str | None) -> str | None:
    found: str | None = work.employment_type(_text(stated), title=_text(title), description=_text(description)).item()
    return found


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("This is a full-time exempt position.", "full_time"),
        ("Contract offered: Full time", "full_time"),
        ("Employment type: Contract", "contract"),
        ("Тип занятости: частичная", "part_time"),
        ("Условия: полная занятость, график 5/2", "full_time"),
        ("Неполный рабочий день", "part_time"),
        ("Benefits for full-time employees", None),
        ("No more than four full-time engineers", None),
    ],
)
def test_a_description_states_an_employment_only_outright(description: str, expected: str | None) -> None:
    assert _employment_type(None, None, description) == expected
    assert _employment_type("Contract", None, description) == "contract"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("Senior", "senior"), ("Mid-level", "middle"), ("Entry", "junior"), ("Director", "executive"), ("Any", None)],
)
def test_career_levels_of_boards_are_understood(stated: str, expected: str | None) -> None:
    assert pl.select(work.career_level(pl.lit(stated))).item() == expected
