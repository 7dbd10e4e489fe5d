"""HeadHunter's part of the market: saved search pages and vacancy bodies, in the old and the new shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipelines.simulation.companies import Companies
from pipelines.simulation.job_texts import with_texts
from pipelines.simulation.jobs import HH, REMOTE, Jobs
from pipelines.simulation.rng import IntArray
from pipelines.simulation.world import City, Family, World
from pipelines.simulation.writing import folder, moscow_time, slices

PER_PAGE = 100
_BLOCK = 100 * PER_PAGE
_DEEPEST_PAGES = 20
_NO_DETAIL_EVERY = 40  # one vacancy in 40 is known from search pages only
_SITE = "https://hh.ru"
_API = "https://api.hh.ru"
_EXPERIENCE = (
    ("noExperience", "Нет опыта"),
    ("between1And3", "От 1 года до 3 лет"),
    ("between3And6", "От 3 до 6 лет"),
    ("between3And6", "От 3 до 6 лет"),
    ("moreThan6", "Более 6 лет"),
)
_SCHEDULES = (("fullDay", "Полный день"), ("flexible", "Гибкий график"), ("remote", "Удаленная работа"))
_WORK_FORMATS = (("ON_SITE", "На месте работодателя"), ("HYBRID", "Гибрид"), ("REMOTE", "Удалённо"))
_EMPLOYMENT = (
    (("full", "Полная занятость"), ("FULL", "Полная")),
    (("part", "Частичная занятость"), ("PART", "Частичная")),
    (("project", "Проектная работа"), ("PROJECT", "Проект")),
)


def write_hh(world: World, companies: Companies, jobs: Jobs, out: Path, *, progress: Callable[[int, int], None]) -> int:
    """Writes `out/search/*.json` and `out/vacancies/<id>.json`; newest first. Returns the vacancies."""
    rows = np.flatnonzero(jobs.column("source") == HH)[::-1]
    search, vacancies = folder(out / "search"), folder(out / "vacancies")
    n_pages, page = -(-len(rows) // PER_PAGE), 0
    for block in slices(rows, size=_BLOCK):
        bodies = _vacancies(world, companies, jobs, block)
        for start in range(0, len(bodies), PER_PAGE):
            items = [item for item, _ in bodies[start : start + PER_PAGE]]
            body = orjson.dumps(_page(items, page=page, n_pages=n_pages, found=len(rows)))
            (search / f"page-{page + 1:05}.json").write_bytes(body)
            page += 1
        for item, detail in bodies:
            if int(item["id"]) % _NO_DETAIL_EVERY:
                (vacancies / f"{item['id']}.json").write_bytes(orjson.dumps(item | detail))
        progress(page, n_pages)
    return len(rows)


def _page(items: list[dict[str, Any]], *, page: int, n_pages: int, found: int) -> dict[str, Any]:
    """A window of the search holds at most 2,000 results: its pages are counted from 0 again."""
    window, last = page % _DEEPEST_PAGES, n_pages - page // _DEEPEST_PAGES * _DEEPEST_PAGES
    return {
        "items": items,
        "found": min(found, _DEEPEST_PAGES * PER_PAGE),
        "pages": min(last, _DEEPEST_PAGES),
        "page": window,
        "per_page": PER_PAGE,
        **dict.fromkeys(("clusters", "arguments", "fixes", "suggests")),
        "alternate_url": f"{_SITE}/search/vacancy?page={window}",
    }


def _vacancies(
    world: World, companies: Companies, jobs: Jobs, rows: IntArray
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(search item, what the vacancy's own body adds) per row."""
    frame = with_texts(world, companies, jobs, rows).with_columns(
        published=moscow_time("published_s"), created=moscow_time("created_s")
    )
    return [(_item(world, row), _detail(row)) for row in frame.iter_rows(named=True)]


def _item(world: World, row: dict[str, Any]) -> dict[str, Any]:
    id_, city = row["source_id"], world.cities[row["city"]]
    family: Family = world.families[row["family"]]
    employment = _EMPLOYMENT[0 if row["text_seed"] % 10 < 8 else 1 + row["text_seed"] % 2]
    salary = _salary(row)
    item: dict[str, Any] = {
        "id": id_,
        "premium": False,
        "name": row["title"],
        "department": None,
        "has_test": False,
        "response_letter_required": row["text_seed"] % 5 == 0,
        "area": {"id": city.area, "name": city.ru, "url": f"{_API}/areas/{city.area}"},
        "salary": salary,
        "type": _named(("open", "Открытая")),
        "address": None if row["work_format"] == REMOTE else _address(world, city, row["text_seed"]),
        "response_url": None,
        "published_at": row["published"],
        "created_at": row["published"],
        "archived": row["is_archived"],
        "apply_alternate_url": f"{_SITE}/applicant/vacancy_response?vacancyId={id_}",
        "url": f"{_API}/vacancies/{id_}?host=hh.ru",
        "alternate_url": f"{_SITE}/vacancy/{id_}",
        "relations": [],
        "employer": _employer(row),
        "snippet": {"requirement": row["requirement"], "responsibility": row["responsibility"]},
        "contacts": None,
        "schedule": _named(_SCHEDULES[row["work_format"]]),
        "professional_roles": [{"id": family.hh_role_id, "name": family.hh_role_name}],
        "accept_incomplete_resumes": row["level"] == 0,
        "experience": _named(_EXPERIENCE[row["level"]]),
        "employment": _named(employment[0]),
    }
    if row["text_seed"] % 5 >= 2:  # the shape of 2025, beside the older keys
        period = {"mode": _named(("MONTH", "За месяц")), "frequency": _named(("TWICE_PER_MONTH", "Два раза"))}
        item |= {
            "salary_range": salary and salary | period,
            "work_format": [_named(_WORK_FORMATS[row["work_format"]])],
            "employment_form": _named(employment[1]),
            "working_hours": [_named(("HOURS_8", "8 часов"))],
            "work_schedule_by_days": [_named(("FIVE_ON_TWO_OFF", "5/2"))],
            "internship": row["level"] == 0,
            "night_shifts": False,
        }
    return item


def _detail(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": row["description"],
        "branded_description": None,
        "key_skills": [{"name": name} for name in row["key_skills"]],
        "languages": [],
        "initial_created_at": row["created"],
        "allow_messages": True,
        **dict.fromkeys(("accept_handicapped", "accept_kids"), False),
        "approved": True,
        "hidden": False,
        "driver_license_types": [],
        **dict.fromkeys(("test", "code", "negotiations_url", "suitable_resumes_url")),
    }


def _salary(row: dict[str, Any]) -> dict[str, Any] | None:
    low, high = row["salary_min"], row["salary_max"]
    if low is None and high is None:
        return None
    return {"from": low, "to": high, "currency": row["currency"], "gross": row["is_gross"]}


def _address(world: World, city: City, seed: int) -> dict[str, Any]:
    street, building = world.texts["streets"][seed % len(world.texts["streets"])], str(1 + seed % 97)
    return {
        "city": city.ru,
        "street": street,
        "building": building,
        "description": None,
        "lat": round(city.lat + (seed // 97 % 2001 - 1000) * 0.00006, 6),
        "lng": round(city.lon + (seed // 211 % 2001 - 1000) * 0.0001, 6),
        "raw": f"{city.ru}, {street}, {building}",
        "metro": None,
        "metro_stations": [],
        "id": str(seed),
    }


def _employer(row: dict[str, Any]) -> dict[str, Any]:
    id_ = str(row["employer_id"])
    return {
        "id": id_,
        "name": row["company"],
        "url": f"{_API}/employers/{id_}",
        "alternate_url": f"{_SITE}/employer/{id_}",
        "logo_urls": None,
        "vacancies_url": f"{_API}/vacancies?employer_id={id_}",
        "accredited_it_employer": False,
        "trusted": True,
    }


def _named(pair: tuple[str, str]) -> dict[str, str]:
    return {"id": pair[0], "name": pair[1]}
