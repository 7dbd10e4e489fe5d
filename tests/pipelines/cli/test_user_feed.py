import io
import re
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from assets.config.files import SHIPPED_VOCABULARY
from features.schemas.ranking import FEEDS
from features.vocabulary.display_names import display_names
from models.explanations.templates import REASON_TEMPLATES
from pipelines.cli.user_feed import print_feed, read_feed
from tests.factories import AS_OF, item, jobs, publish_small, reason_tables

JOB = {
    "job_id": "hh:1",
    "title": "Инженер",
    "company": "Компания",
    "city": "Almaty",
    "city_ru": "Алматы",
    "board": "Доска",
    "employment_type": "full_time",
    "career_level": "senior",
    "salary_gross": True,
    "skills": ["Sales"],
}
REFERENCES = {"same_city": "Almaty", "popular_in_area": "KZ", "skills": "Sales", "company": "Компания", "tags": "sales"}
NAMES = display_names(SHIPPED_VOCABULARY)
TOWN = pl.DataFrame({"kind": ["place"], "name": ["Almaty"], "language": ["ru"], "text": ["Алматы"]})


def shown(published: Path, language: str, user_id: str = "anna") -> str:
    reasons = [
        {"code": code, "ref": REFERENCES.get(code, "hh:1" if "similar" in code else None), "value": 2.0}
        for code in REASON_TEMPLATES
    ]
    row = item(1, "hh:1", score=0.85, seen=True) | {"explored": True, "reasons": reasons}
    feed = {"user_id": "anna", "generated_at": AS_OF, "recipe": "R", "arm": "A", "source": "personal", "items": [row]}
    named = publish_small(
        published,
        jobs=jobs([JOB]),
        feeds=FEEDS.conform(pl.DataFrame([feed], schema_overrides=dict(FEEDS.columns))),
        display_names=pl.concat([NAMES, TOWN]),
        **reason_tables(REASON_TEMPLATES),
    ).manifest.generation
    written = io.StringIO()
    print_feed(
        Console(file=written, width=200), user_id, read_feed(published / named, user_id, limit=1), language=language
    )
    return written.getvalue()


@pytest.mark.parametrize("user_id", ["anna", "12"])
def test_a_russian_feed_holds_no_english_word_outside_of_names(tmp_path: Path, user_id: str) -> None:
    text = shown(tmp_path, "ru", user_id)
    assert "Алматы, Казахстан, удалённо" in text
    assert "Доска" in text
    outside = text.replace("jobfeed why anna hh:1", "").replace("hh:1", "").replace("anna", "").replace("UTC", "")
    outside = re.sub(r"рецепт R, группа A", "", outside)
    assert re.findall("[A-Za-z]+", outside) == (["Python", "SQL"] if user_id == "12" else [])


def test_an_english_feed_holds_no_russian_word_outside_of_names(tmp_path: Path) -> None:
    text = shown(tmp_path, "en")
    assert "Almaty, Kazakhstan, remote" in text
    assert "from $1,000 a month, before tax" in text
    outside = text.replace("Инженер", "").replace("Компания", "").replace("Доска", "")
    assert re.findall("[А-Яа-я]+", outside) == []
