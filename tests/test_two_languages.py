"""Russian users and English jobs, and the other way round: from landing files to feeds, with the shipped encoder."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from assets.config.files import SHIPPED_FOLDER
from assets.resources import AS_OF_TAG, Workspace
from features.schemas.ranking import FEEDS
from pipelines.definitions import build_defs

AS_OF = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)

# Trade -> language -> title, what the posting asks for, and what a user of the trade calls the same skills.
TRADES: Mapping[str, Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "backend": {
        "en": (
            "Backend Developer (Python)",
            "You write services in Python, Django and PostgreSQL.",
            ("Python", "PostgreSQL"),
        ),
        "ru": (
            "Бэкенд-разработчик Python",
            "Пишем сервисы на Python и Django, данные храним в PostgreSQL.",
            ("питон", "PostgreSQL"),
        ),
    },
    "analyst": {
        "en": (
            "Data Analyst",
            "Data analysis with SQL, reports in Power BI, some statistics.",
            ("SQL", "Power BI", "Data analysis"),
        ),
        "ru": (
            "Аналитик данных",
            "Анализ данных на SQL, отчёты в Power BI, немного статистики.",
            ("анализ данных", "SQL"),
        ),
    },
    "learning": {
        "en": (
            "Machine Learning Engineer",
            "Machine learning models in PyTorch, from data to production.",
            ("Machine Learning", "PyTorch"),
        ),
        "ru": (
            "Инженер по машинному обучению",
            "Обучаем модели на PyTorch: машинное обучение от данных до внедрения.",
            ("машинное обучение", "PyTorch"),
        ),
    },
    "books": {
        "en": (
            "Chief Accountant",
            "Accounting, tax reporting and closing of the year.",
            ("Accounting", "Tax reporting"),
        ),
        "ru": (
            "Главный бухгалтер",
            "Бухгалтерский учёт, налоговая отчётность, закрытие года.",
            ("бухгалтерский учёт", "налоговая отчётность"),
        ),
    },
    "interfaces": {
        "en": (
            "UX/UI Designer",
            "Prototypes in Figma, user research, a design system to look after.",
            ("Figma", "UX design"),
        ),
        "ru": (
            "Дизайнер интерфейсов",
            "Прототипы в Figma, исследования пользователей, развитие дизайн-системы.",
            ("Figma", "дизайн интерфейсов"),
        ),
    },
    "sales": {
        "en": (
            "Sales Manager",
            "Sales to companies: cold calling, negotiations, keeping the CRM in order.",
            ("Sales", "Cold calling", "Negotiation"),
        ),
        "ru": (
            "Менеджер по продажам",
            "Продажи компаниям: холодные звонки, переговоры, порядок в CRM.",
            ("продажи", "холодные звонки", "переговоры"),
        ),
    },
    "testing": {
        "en": ("QA Engineer", "Manual testing, test cases, automation with Selenium.", ("Manual testing", "Selenium")),
        "ru": (
            "Тестировщик",
            "Ручное тестирование, тест-кейсы, автоматизация на Selenium.",
            ("ручное тестирование", "Selenium"),
        ),
    },
    "hiring": {
        "en": (
            "Recruiter",
            "You look for engineers: recruiting, interviews, onboarding.",
            ("Recruiting", "Interviewing"),
        ),
        "ru": (
            "Рекрутер",
            "Рекрутинг в технические команды: поиск персонала, собеседования.",
            ("подбор персонала", "рекрутинг"),
        ),
    },
}
USERS = [f"{language}-{trade}" for trade in TRADES for language in ("en", "ru")]
JOBS_OF_TRADE = {trade: {f"file:en-{trade}", f"file:ru-{trade}"} for trade in TRADES}


def write_landing(landing: Path) -> None:
    jobs, users = [], []
    for trade, by_language in TRADES.items():
        for language, (title, asked, skills) in by_language.items():
            jobs.append(
                {
                    "source_id": f"{language}-{trade}",
                    "title": title,
                    "company": f"{language} {trade}",
                    "description": asked,
                    "remote": True,
                    "published_at": "2026-02-20T00:00:00Z",
                }
            )
            users.append(
                {
                    "user_id": f"{language}-{trade}",
                    "updated_at": "2026-02-20T00:00:00Z",
                    "desired_roles": [title],
                    "skills": [{"name": skill} for skill in skills],
                    "remote": "ok",
                    "locale": language,
                }
            )
    for name, rows in (("jobs", jobs), ("users", users)):
        (landing / name).mkdir(parents=True)
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (landing / name / "all.jsonl").write_text("\n".join(lines), encoding="utf-8")


def config_of(folder: Path, recipe: str) -> Path:
    """The shipped ranking with one recipe for all, without exploration and diversity."""
    ranking: dict[str, Any] = yaml.safe_load((SHIPPED_FOLDER / "ranking.yaml").read_text(encoding="utf-8"))
    ranking["default_recipe"] = recipe
    for settings in ranking["recipes"].values():
        settings.update(exploration_share=0.0, diversity=0.0)
    folder.mkdir()
    (folder / "ranking.yaml").write_text(yaml.safe_dump(ranking), encoding="utf-8")
    return folder


def run(workspace: Workspace, selection: dg.AssetSelection) -> None:
    job = dg.define_asset_job("two_languages", selection.without_checks())
    defs = dg.Definitions.merge(build_defs(workspace), dg.Definitions(jobs=[job]))
    with dg.DagsterInstance.ephemeral() as instance:
        definition = defs.resolve_job_def("two_languages")
        assert definition.execute_in_process(instance=instance, tags={AS_OF_TAG: AS_OF.isoformat()}).success


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which everything up to the feeds is made."""
    folder = tmp_path_factory.mktemp("two-languages")
    write_landing(folder / "landing")
    feeds = dg.AssetSelection.assets("ranking/feeds")
    run(Workspace(data_dir=str(folder)), feeds.upstream() - feeds)
    yield folder


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["match", "hybrid", "marketplace"])
def test_the_jobs_of_the_own_trade_come_first_in_both_languages(data: Path, recipe: str) -> None:
    workspace = Workspace(data_dir=str(data), config_dir=str(config_of(data / f"config-{recipe}", recipe)))
    run(workspace, dg.AssetSelection.assets("ranking/feeds"))
    items = workspace.lake.scan("ranking", FEEDS).select("user_id", "items").explode("items").unnest("items").collect()
    first = {str(user): set(part.sort("rank").head(2)["job_id"]) for (user,), part in items.group_by("user_id")}
    assert not items["explored"].any()
    assert sorted(first) == sorted(USERS)
    wrong = {user: found for user, found in first.items() if found != JOBS_OF_TRADE[user.split("-")[1]]}
    assert wrong == {}
