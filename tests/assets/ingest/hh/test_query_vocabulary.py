"""Ids of HH's areas and roles: the shipped ones, what the API has added since, and the hints for unknown ones."""

from pathlib import Path

import polars as pl
import pytest

from assets.config.files import SHIPPED_VOCABULARY
from assets.config.loading import load_config
from assets.config.yaml_files import ConfigError
from assets.ingest.hh.query_vocabulary import HHIds
from assets.lake import Lake
from features.schemas.bronze import HH_AREAS, HH_ROLES

SHIPPED = HHIds.load(SHIPPED_VOCABULARY)


def config_of(folder: Path, query: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sources.yaml").write_text(f"hh: {{queries: [{{name: a, {query}}}]}}", encoding="utf-8")
    return folder


def refusal(folder: Path, query: str, lake: Lake | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(config_of(folder, query), lake=lake)
    return str(error.value)


@pytest.mark.parametrize(
    ("area_id", "name"),
    [("160", "Almaty, Алматы"), ("205", "Shymkent, Шымкент"), ("161", "Arkalyk, Аркалык"), ("1", "Moscow, Москва"),
     ("2019", "Moscow Oblast, Московская область"), ("1002", "Minsk, Минск"), ("2759", "Tashkent, Ташкент")],
)  # fmt: skip
def test_ids_have_the_names_of_their_places(area_id: str, name: str) -> None:
    assert SHIPPED.area_name(area_id) == name


def test_every_area_is_below_another_or_a_country() -> None:
    reached, pending = set(), list(SHIPPED.children[""])
    while pending:
        area_id = pending.pop()
        assert area_id not in reached
        reached.add(area_id)
        pending += SHIPPED.children.get(area_id, [])
    assert len(reached) == SHIPPED.areas.height > 9_000
    assert {"113", "40", "16"} <= set(SHIPPED.children[""]) and "160" in SHIPPED.children["40"]
    assert SHIPPED.roles.height > 150 and SHIPPED.roles["role_id"].is_unique().all()


def test_unknown_ids_are_refused_with_file_key_value_and_what_may_be_meant(tmp_path: Path) -> None:
    found = refusal(tmp_path, "area: [Shymkent, 99999999], professional_role: [программист]")
    assert "sources.yaml: hh.queries.0.area: 'Shymkent' is not one of" in found and "205 (Shymkent, Шымкент)" in found
    assert "'99999999'" in found and "hh.queries.0.professional_role: 'программист'" in found and "96 (" in found
    assert "jobfeed config dictionaries" in found
    assert "1600 (" in refusal(tmp_path, "area: ['16000']") or "160 (" in refusal(tmp_path, "area: ['16O']")


def test_numbers_are_as_good_as_texts(tmp_path: Path) -> None:
    assert load_config(config_of(tmp_path, "area: [160]")).sources.hh.queries[0].area == ["160"]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("{work_formt: REMOTE}", ["'work_formt'", "allowed are", "work_format"]),
        ("{experience: none}", ["experience: 'none'", "noExperience"]),
        ("{page: '3'}", ["'page'"]),
        ("{top_lat: '1'}", ["go together", "bottom_lat"]),
    ],
)
def test_what_hh_would_silently_ignore_is_refused(tmp_path: Path, extra: str, expected: list[str]) -> None:
    found = refusal(tmp_path, f"extra: {extra}")
    assert all(part in found for part in ["hh.queries.0.extra", *expected])


def test_two_queries_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text("hh: {queries: [{name: a}, {name: a}]}")
    with pytest.raises(ConfigError, match="occur more than once"):
        load_config(tmp_path)


def test_ids_of_the_api_are_known_too(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    query = "area: ['990001'], professional_role: ['9901']"
    assert "990001" in refusal(tmp_path / "config", query, lake)
    area = {"area_id": "990001", "parent_id": "40", "name": "Новый Город"}
    lake.replace("bronze", HH_AREAS, HH_AREAS.conform(pl.DataFrame([area])))
    role = {"role_id": "9901", "name": "Новая роль", "is_search_deprecated": False}
    lake.replace("bronze", HH_ROLES, HH_ROLES.conform(pl.DataFrame([role])))
    assert load_config(config_of(tmp_path / "config", query), lake=lake).sources.hh.queries[0].area == ["990001"]
    found = HHIds.load(SHIPPED_VOCABULARY, lake)
    assert found.area_name("990001") == "Новый Город" and "990001" in found.children["40"]
    assert found.area_name("205") == "Shymkent, Шымкент" and found.role_name("9901") == "Новая роль"
