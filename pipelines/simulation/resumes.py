"""A handful of resumes as plain text, Markdown and JSON Resume."""

from pathlib import Path
from typing import Any

import orjson

from pipelines.simulation.companies import Companies
from pipelines.simulation.users import N_DEMO, Users
from pipelines.simulation.world import LANGUAGES, LEVEL_YEARS, World
from pipelines.simulation.writing import folder

N_RESUMES = 6


def write_resumes(world: World, companies: Companies, users: Users, out: Path, *, last_year: int) -> int:
    """Writes `out/<user_id>.txt|md|json` for the first people after the example users; returns how many."""
    folder(out)
    rows = range(N_DEMO, min(N_DEMO + N_RESUMES, len(users)))
    for row in rows:
        resume = _resume(world, companies, users, row, last_year=last_year)
        path = out / users.user_id[row]
        if row % 3 == 0:
            path.with_suffix(".txt").write_text(_text(resume, heading="{}", item="- {}"), encoding="utf-8")
        elif row % 3 == 1:
            path.with_suffix(".md").write_text(_text(resume, heading="## {}", item="* {}"), encoding="utf-8")
        else:
            path.with_suffix(".json").write_bytes(_json(resume))
    return len(rows)


def _resume(world: World, companies: Companies, users: Users, row: int, *, last_year: int) -> dict[str, Any]:
    language = "en" if users.is_english[row] else "ru"
    family, city = world.families[users.family[row]], world.cities[users.city[row]]
    years = max(1, int(LEVEL_YEARS[users.level[row]]))
    employers = companies.frame["company"]
    return {
        "language": language,
        "email": f"{users.user_id[row]}@mail.example",
        "title": family.titles[language][0],
        "city": city.en if language == "en" else city.ru,
        "country": city.country,
        "skills": [world.skills[n][LANGUAGES.index(language)] for n in users.skills[row].tolist() if n >= 0],
        "employer": employers[row % len(employers)],
        "start": last_year - years,
        "end": last_year,
        "duties": list(family.duties[language]),
        "words": world.texts["resume"][language],
        "studied": last_year - years - 4,
    }


def _text(resume: dict[str, Any], *, heading: str, item: str) -> str:
    words = resume["words"]
    lines = [
        resume["title"],
        f"{resume['city']}, {resume['email']}",
        "",
        heading.format(words["skills"]),
        ", ".join(resume["skills"]),
        "",
        heading.format(words["work"]),
        f"{resume['start']} - {resume['end']}, {resume['employer']}, {resume['title']}",
        *(item.format(duty) for duty in resume["duties"]),
        "",
        heading.format(words["education"]),
        f"{resume['studied']} - {resume['start']}, {words['degree']}",
        "",
    ]
    return "\n".join(lines)


def _json(resume: dict[str, Any]) -> bytes:
    document = {
        "basics": {
            "label": resume["title"],
            "email": resume["email"],
            "location": {"city": resume["city"], "countryCode": resume["country"]},
        },
        "work": [
            {
                "name": resume["employer"],
                "position": resume["title"],
                "startDate": f"{resume['start']}-03-01",
                "endDate": f"{resume['end']}-03-01",
                "highlights": resume["duties"],
            }
        ],
        "education": [
            {
                "institution": resume["words"]["degree"],
                "startDate": f"{resume['studied']}",
                "endDate": f"{resume['start']}",
            }
        ],
        "skills": [{"name": name, "level": "Advanced"} for name in resume["skills"]],
        "languages": [
            {"language": "English" if resume["language"] == "en" else "Russian", "fluency": "Native speaker"}
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)
