"""How many true duplicates are found, and how many are made up, in a labelled set full of look-alikes."""

import datetime as dt
import random
from itertools import combinations

import polars as pl

from features.jobs.dedupe import find_duplicates
from features.schemas.catalog import JOBS

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
_RU = (
    "компания ищет специалиста который будет отвечать за участок работы вести документы общаться с клиентами готовить",
    "отчёты проверять качество планировать задачи обучать новых сотрудников соблюдать сроки предлагать улучшения",
    "гибкий график оформление по договору оплата больничных обучение за счёт работодателя дружная команда рост",
)
_EN = (
    "company looks for someone who will own an area of work keep records talk to customers prepare reports check",
    "quality plan tasks train new people meet deadlines suggest improvements flexible hours proper contract sick pay",
    "training paid by us friendly team growth remote days office near the station tools of your choice time to learn",
)
_ROLES = ["Welder", "Accountant", "Python Developer", "Менеджер по продажам", "Инженер-сметчик", "Data Analyst"]
_CITIES = ["Omsk", "Almaty", "Berlin", "Minsk"]


def _text(rng: random.Random, n: int) -> list[str]:
    words = " ".join(_RU if rng.random() < 0.5 else _EN).split()
    return [f"{word}{rng.randrange(8)}" if rng.random() < 0.4 else word for word in rng.choices(words, k=n)]


def _edited(rng: random.Random, words: list[str], share: float) -> list[str]:
    """`words` with a part of them replaced in one place, as an edited paragraph is, and a line of the board's added."""
    n = round(len(words) * share)
    start = rng.randrange(len(words) - n)
    return [*words[:start], *(f"new{rng.randrange(1000)}" for _ in range(n)), *words[start + n :], "apply", "online"]


def _group(rng: random.Random, number: int) -> list[tuple[str, dict[str, object]]]:
    """(label, job) of one opening in several versions, and of its look-alikes, whose labels differ."""
    words, role, city = _text(rng, rng.randint(80, 260)), rng.choice(_ROLES), rng.choice(_CITIES)
    base: dict[str, object] = {
        "company": f"Company {number // 2}", "title": role, "city": city, "country": "XX", "work_format": "on_site",
        "description": " ".join(words), "career_level": "middle", "employment_type": "full_time",
        "experience_min_years": 1.0, "experience_max_years": 3.0,
    }  # fmt: skip

    def but(label: str, **other: object) -> tuple[str, dict[str, object]]:
        return f"{number} {label}", {**base, **other}

    same = [
        but("same"),
        but("same", description=" ".join(words).upper()),  # re-posted under a new id
        but("same", company=f"ООО «Company {number // 2}»", title=f"{role} (m/f/d)"),  # another board
        but("same", description=" ".join(_edited(rng, words, 0.05))),
        but("same", description=" ".join(_edited(rng, words, 0.08)), title=f"{role} (удалённо)"),
    ]
    look_alikes = [
        but("another city", city="Tver"),
        but("senior", title=f"Senior {role}", career_level="senior"),
        but("level", career_level="senior"),
        but("part time", employment_type="part_time"),
        but("more years", experience_min_years=6.0, experience_max_years=None),
        but("another role", title=f"{role} Assistant"),
        but("another text", description=" ".join(_text(rng, 150))),
        but("another project", description=" ".join(_edited(rng, words, 0.3))),
        but("half edited", description=" ".join(_edited(rng, words, 0.45))),
        but("another company", company=f"Agency {number}"),
        but("remote elsewhere", work_format="remote", country="YY", city=None),
    ]
    return [*rng.sample(same, rng.randint(1, len(same))), *rng.sample(look_alikes, rng.randint(2, len(look_alikes)))]


def test_duplicates_are_found_and_look_alikes_left_alone() -> None:
    rng = random.Random(17)
    labelled = [version for number in range(150) for version in _group(rng, number)]
    rng.shuffle(labelled)
    labels = {f"a:{i:04}": label for i, (label, _) in enumerate(labelled)}
    jobs = [
        {"job_id": f"a:{i:04}", "status": "open", "published_at": AT - dt.timedelta(rng.randrange(30)), **job}
        for i, (_, job) in enumerate(labelled)
    ]
    frame = pl.DataFrame(jobs, schema={name: JOBS.columns[name] for name in jobs[0]})
    representative_of = dict(find_duplicates(frame).iter_rows())
    members: dict[str, list[str]] = {}
    for job_id in labels:
        members.setdefault(representative_of.get(job_id, job_id), []).append(job_id)
    found = {pair for group in members.values() for pair in combinations(sorted(group), 2)}
    by_label: dict[str, list[str]] = {}
    for job_id, label in labels.items():
        by_label.setdefault(label, []).append(job_id)
    true = {pair for group in by_label.values() for pair in combinations(sorted(group), 2)}
    precision, recall = len(found & true) / len(found), len(found & true) / len(true)
    assert len(true) >= 400 and len(labels) >= 1000
    made_up = [(labels[a], labels[b]) for a, b in found - true]
    assert precision >= 0.995, (precision, made_up[:10])
    assert recall >= 0.94, recall
