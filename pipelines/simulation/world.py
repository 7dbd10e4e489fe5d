"""The fixed parts of the simulated market: role families, cities and text fragments, from the YAML files beside this.

Nothing here is random.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

_FOLDER = Path(__file__).parent
LANGUAGES = ("en", "ru")
LEVELS = ("intern", "junior", "middle", "senior", "lead")
LEVEL_PAY = np.array([0.4, 0.62, 1.0, 1.5, 2.0])
LEVEL_YEARS = np.array([0.0, 1.5, 4.0, 7.0, 11.0])
# Units of a currency for one US dollar, in round figures.
UNITS_PER_USD = {"RUR": 90.0, "KZT": 480.0, "BYR": 3.2, "UZS": 12600.0, "KGS": 87.0, "GEL": 2.7, "USD": 1.0}
CURRENCIES = {"RU": "RUR", "KZ": "KZT", "BY": "BYR", "UZ": "UZS", "KG": "KGS", "GE": "GEL"}


@dataclass(frozen=True)
class Family:
    """A role family; `skills` index World.skills, the most wanted first, `near` index World.families."""

    key: str
    weight: float
    hh_role_id: str
    hh_role_name: str
    sectors: tuple[int, ...]
    usd: float
    remote: float
    ranks: str
    near: tuple[int, ...]
    titles: Mapping[str, tuple[str, ...]]
    duties: Mapping[str, tuple[str, ...]]
    skills: tuple[int, ...]


@dataclass(frozen=True)
class City:
    """A city; `area` is HeadHunter's id or None where HeadHunter does not hire."""

    en: str
    ru: str
    area: str | None
    country: str
    lat: float
    lon: float
    utc: int
    zone: str
    weight: float
    pay: float

    @property
    def currency(self) -> str:
        """Currency code as HeadHunter writes it (RUR, BYR)."""
        return CURRENCIES.get(self.country, "USD")


@dataclass(frozen=True)
class World:
    """Everything that postings and people are drawn from; `skills` are (English, Russian) names."""

    families: tuple[Family, ...]
    cities: tuple[City, ...]
    skills: tuple[tuple[str, str], ...]
    sectors: tuple[str, ...]
    texts: Mapping[str, Any]

    def of_families(self, attribute: str) -> NDArray[Any]:
        """`attribute` of each family."""
        return np.array([getattr(family, attribute) for family in self.families])

    def of_cities(self, attribute: str) -> NDArray[Any]:
        """`attribute` of each city."""
        return np.array([getattr(city, attribute) for city in self.cities])

    def family_index(self, key: str) -> int:
        """The position of a family. Raises ValueError for an unknown key."""
        return [family.key for family in self.families].index(key)

    def city_index(self, english_name: str) -> int:
        """The position of a city. Raises ValueError for an unknown name."""
        return [city.en for city in self.cities].index(english_name)

    @property
    def is_local_city(self) -> NDArray[np.bool_]:
        """Per city: HeadHunter hires there, and postings are Russian."""
        return np.array([city.area is not None for city in self.cities])


@cache
def load_world() -> World:
    """The world that ships with the project: one object, never changed."""
    files = ((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8") for name in ("roles", "cities", "texts"))
    roles, cities, texts = map(yaml.safe_load, files)
    pairs = sorted({_pair(skill) for role in roles for skill in role["skills"]})
    skill_index = {pair: n for n, pair in enumerate(pairs)}
    keys = [role["key"] for role in roles]
    sectors = tuple(texts["sectors"])
    families = tuple(_family(role, keys=keys, sectors=sectors, skill_index=skill_index) for role in roles)
    return World(families, tuple(City(**{"area": None} | city) for city in cities), tuple(pairs), sectors, texts)


def _pair(skill: str) -> tuple[str, str]:
    english, _, russian = skill.partition("|")
    return english, russian or english


def _family(
    role: Mapping[str, Any], *, keys: Sequence[str], sectors: Sequence[str], skill_index: Mapping[tuple[str, str], int]
) -> Family:
    return Family(
        key=role["key"],
        weight=float(role["weight"]),
        hh_role_id=role["hh"]["id"],
        hh_role_name=role["hh"]["name"],
        sectors=tuple(sectors.index(name) for name in role["sectors"]),
        usd=float(role["usd"]),
        remote=float(role["remote"]),
        ranks=role["ranks"],
        near=tuple(keys.index(key) for key in role["near"]),
        titles={language: tuple(role["titles"][language]) for language in LANGUAGES},
        duties={language: tuple(role["duties"][language]) for language in LANGUAGES},
        skills=tuple(skill_index[_pair(skill)] for skill in role["skills"]),
    )
