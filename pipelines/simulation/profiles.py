"""User records as JSON lines: what users state about themselves, less exact than their true tastes."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.simulation.jobs import DAY_SECONDS
from pipelines.simulation.rng import FloatArray, Purpose, generator
from pipelines.simulation.users import N_DEMO, REMOTE_WISHES, USERS_PER_BLOCK, Users
from pipelines.simulation.world import LANGUAGES, LEVEL_YEARS, LEVELS, UNITS_PER_USD, World
from pipelines.simulation.writing import by_language, folder, utc_time

_NO_PROFILE_SHARE = 0.08
_BARE_PROFILE_SHARE = 0.15  # name, e-mail and place only
_UPDATED_SHARE = 0.03  # the file has an older record of the same user too
_SUMMARY_SHARE = 0.3
_SKILL_LEVELS = ("beginner", "intermediate", "advanced", "expert")
_DIGESTS = ("none", "daily", "weekly")
_CATEGORIES = {
    "python_backend": "programming", "java_backend": "programming", "frontend": "programming", "mobile": "programming",
    "product_designer": "design", "graphic_designer": "design", "marketing": "marketing", "smm": "marketing",
    "data_analyst": "data_analysis", "data_scientist": "data_analysis", "project_manager": "management",
    "accountant": "finance", "financial_analyst": "finance",
}  # fmt: skip


def write_profiles(
    world: World, users: Users, out: Path, *, until: datetime, seed: int, progress: Callable[[int, int], None]
) -> int:
    """Writes `out/users-<n>.jsonl`; returns the number of users with a record. `until` bounds the times of update."""
    folder(out)
    n_profiles = 0
    for number, start in enumerate(range(0, len(users), USERS_PER_BLOCK), start=1):
        part = users.part(start, min(start + USERS_PER_BLOCK, len(users)))
        rng = generator(seed, Purpose.USERS, start, 1)
        records = _records(world, part, rng, until=until, is_first=start == 0)
        n_profiles += len(records)
        is_updated = pl.Series(rng.random(len(records)) < _UPDATED_SHARE)
        older = records.filter(is_updated).with_columns(
            updated_s=pl.col("updated_s") - 90 * DAY_SECONDS,
            desired_roles=pl.col("desired_roles").list.head(0),
            max_distance_km=pl.lit(25, pl.Int64),
        )
        lines = pl.concat([records, older]).with_columns(updated_at=utc_time("updated_s")).drop("updated_s")
        lines.write_ndjson(out / f"users-{number:04}.jsonl")
        progress(start + len(part), len(users))
    return n_profiles


def _records(world: World, users: Users, rng: np.random.Generator, *, until: datetime, is_first: bool) -> pl.DataFrame:
    n, end = len(users), int(until.timestamp())
    has_profile, is_bare = rng.random(n) >= _NO_PROFILE_SHARE, rng.random(n) < _BARE_PROFILE_SHARE
    if is_first:
        has_profile[:N_DEMO], is_bare[:N_DEMO] = True, False
    years = np.round((LEVEL_YEARS[users.level] * rng.uniform(0.7, 1.3, n)) * 2) / 2
    frame = pl.concat(
        [
            _person(world, users, rng),
            _work(world, users, rng, years=years),
            _wishes(world, users, rng, is_first=is_first),
            pl.DataFrame({"updated_s": end - rng.integers(DAY_SECONDS // 24, 300 * DAY_SECONDS, n)}),
            _summaries(world, users, rng, years=years, is_first=is_first),
        ],
        how="horizontal",
    )
    stated = [name for name in frame.columns if name not in _PERSON_COLUMNS and name != "updated_s"]
    bare = pl.Series(is_bare)
    frame = frame.with_columns(pl.when(~bare).then(pl.col(name)).alias(name) for name in stated)
    return frame.filter(pl.Series(has_profile))


_PERSON_COLUMNS = ("user_id", "full_name", "email", "locale", "timezone", "city", "country", "latitude", "longitude")


def _person(world: World, users: Users, rng: np.random.Generator) -> pl.DataFrame:
    n, english, texts = len(users), users.is_english, world.texts
    cities = {name: world.of_cities(name).tolist() for name in ("en", "ru", "country", "zone")}
    kind = np.where(english, 0, rng.integers(1, 3, n))
    first, last = rng.integers(0, 2**20, n), rng.integers(0, 2**20, n)
    pieces = []
    for number, group in enumerate(("en", "male", "female")):
        given, surnames = (pl.Series(texts[name][group]) for name in ("first_names", "last_names"))
        parts = pl.lit(given.gather(first % len(given))), pl.lit(surnames.gather(last % len(surnames)))
        pieces.append(pl.when(pl.lit(pl.Series(kind == number))).then(pl.format("{} {}", *parts)))
    names = pl.select(pl.coalesce(pieces).alias("full_name"))
    latitude = world.of_cities("lat")[users.city] + rng.normal(0, 0.04, n)
    longitude = world.of_cities("lon")[users.city] + rng.normal(0, 0.06, n)
    shares_place = pl.Series(rng.random(n) < 0.6)
    in_russian = pl.Series(~english)
    return names.select(
        pl.lit(users.user_id).alias("user_id"),
        "full_name",
        email=pl.format("{}@mail.example", pl.lit(users.user_id)),
        locale=pl.when(in_russian).then(pl.lit("ru")).otherwise(pl.lit("en")),
        timezone=pl.Series(cities["zone"]).gather(users.city),
        city=by_language(pl.Series(english), cities, users.city),
        country=pl.Series(cities["country"]).gather(users.city),
        latitude=pl.when(shares_place).then(pl.Series(np.round(latitude, 5))),
        longitude=pl.when(shares_place).then(pl.Series(np.round(longitude, 5))),
    )


def _work(world: World, users: Users, rng: np.random.Generator, *, years: FloatArray) -> pl.DataFrame:
    titles = {language: [family.titles[language][0] for family in world.families] for language in LANGUAGES}
    english = pl.Series(users.is_english)
    role, second = (by_language(english, titles, family) for family in (users.family, users.second_family))
    n = len(users)
    category = pl.Series([_CATEGORIES.get(f.key) for f in world.families], dtype=pl.String).gather(users.family)
    skills = stated_skills(world, users, rng, years=years)
    states_category = pl.Series(rng.random(n) < 0.2) & category.is_not_null()
    wants_both = pl.Series(rng.random(n) < 0.3)
    return pl.select(
        skills.alias("skills"),
        skill_categories=pl.when(states_category).then(pl.concat_list(pl.lit(category))),
        desired_roles=pl.when(wants_both).then(pl.concat_list(role, second)).otherwise(pl.concat_list(role)),
        professions=pl.concat_list(role),
        years_of_experience=pl.Series(years),
        career_level=pl.Series(LEVELS).gather(users.level),
        work_authorization=pl.concat_list(pl.Series(world.of_cities("country")).gather(users.city)),
    )


def stated_skills(world: World, users: Users, rng: np.random.Generator, *, years: FloatArray) -> pl.Series:
    """Per user a list of {name, level, years}; a sixth of the true skills is left out."""
    picked = users.skills
    is_stated = (picked >= 0) & (rng.random(picked.shape) > 1 / 6)
    is_stated[:, 0] = True
    rows, columns = np.nonzero(is_stated)
    names = {language: [pair[n] for pair in world.skills] for n, language in enumerate(LANGUAGES)}
    grade = (users.level[rows] + rng.integers(-1, 2, len(rows)) - columns // 5).clip(0, len(_SKILL_LEVELS) - 1)
    skill_years = np.round(years[rows] * rng.uniform(0.3, 1.0, len(rows)), 1)
    flat = pl.select(
        name=by_language(pl.Series(users.is_english[rows]), names, picked[rows, columns]),
        level=pl.Series(_SKILL_LEVELS).gather(grade),
        years=pl.Series(skill_years),
    )
    offsets = np.concatenate([[0], np.cumsum(is_stated.sum(axis=1))]).astype(np.int64)
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), flat.to_struct("skill").to_arrow())
    return pl.Series("skills", pl.from_arrow(lists))


def _wishes(world: World, users: Users, rng: np.random.Generator, *, is_first: bool) -> pl.DataFrame:
    n = len(users)
    digest = rng.choice(3, n, p=[0.35, 0.35, 0.3])
    digest[: N_DEMO if is_first else 0] = _DIGESTS.index("daily")
    currency = pl.Series(world.of_cities("currency")).gather(users.city)
    units = currency.replace_strict(UNITS_PER_USD, return_dtype=pl.Float64).to_numpy()
    minimum = users.minimum_usd * units
    step = 10 ** np.floor(np.log10(minimum) - 1)
    minimum = (np.round(minimum / step) * step).astype(np.int64)
    tags = pl.Series([f.key.replace("_", " ") for f in world.families])
    sectors = pl.Series(world.sectors).gather(np.array([f.sectors[0] for f in world.families])[users.family])
    skill_names = pl.Series([pair[0].lower() for pair in world.skills])
    first_skill = skill_names.gather(users.skills[:, 0])
    says_pay, says_tags, wants_part = (pl.Series(rng.random(n) < share) for share in (0.7, 0.5, 0.15))
    return pl.select(
        max_distance_km=pl.Series([25, 25, 15, 40]).gather(rng.integers(0, 4, n)),
        remote=pl.Series(REMOTE_WISHES).gather(users.remote),
        salary_min=pl.when(says_pay).then(pl.Series(minimum)),
        salary_currency=pl.when(says_pay).then(currency.replace({"RUR": "RUB", "BYR": "BYN"})),
        salary_period=pl.when(says_pay).then(pl.lit("month")),
        job_types=pl.when(wants_part).then(pl.lit(["full_time", "part_time"])).otherwise(pl.lit(["full_time"])),
        preferred_tags=pl.when(says_tags).then(pl.concat_list(tags.gather(users.family), sectors, first_skill)),
        blocked_tags=pl.when(pl.Series(rng.random(n) < 0.03)).then(pl.lit(["cold calls"])),
        digest=pl.struct(
            frequency=pl.Series(_DIGESTS).gather(digest),
            hour=pl.Series([7, 8, 9, 18]).gather(rng.integers(0, 4, n)),
        ),
        personalization_enabled=pl.Series(rng.random(n) > 0.01),
    )


def _summaries(
    world: World, users: Users, rng: np.random.Generator, *, years: FloatArray, is_first: bool
) -> pl.DataFrame:
    n = len(users)
    writes = rng.random(n) < _SUMMARY_SHARE
    if is_first:
        writes[:N_DEMO] = True
    variant, value = rng.integers(0, 3, n), rng.integers(0, 8, n)
    pieces = []
    for number, language in enumerate(LANGUAGES):
        templates, values = world.texts["summaries"][language], pl.Series(world.texts["values"][language])
        names = pl.Series([pair[number] for pair in world.skills])
        roles = pl.Series([family.titles[language][0] for family in world.families])
        first, second = (names.gather(users.skills[:, n]) for n in (0, 1))
        whole_years = pl.Series(np.maximum(1, years).astype(np.int64)).cast(pl.String)
        words = (first, second, whole_years, roles.gather(users.family), values.gather(value))
        speaks = users.is_english == (language == "en")
        for choice, template in enumerate(templates):
            pieces.append(pl.when(pl.Series(writes & speaks & (variant == choice))).then(_filled(template, words)))
    return pl.select(pl.coalesce(pieces).alias("summary"))


def _filled(template: str, words: tuple[pl.Series, ...]) -> pl.Expr:
    """`template` with its numbered gaps filled from `words`."""
    used = sorted((template.index(f"{{{n}}}"), n) for n in range(len(words)) if f"{{{n}}}" in template)
    for _, n in used:
        template = template.replace(f"{{{n}}}", "{}")
    return pl.format(template, *(pl.lit(words[n]) for _, n in used))
