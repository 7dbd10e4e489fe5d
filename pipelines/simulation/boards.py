"""The market's boards: RSS files of an English and a Russian board, and job advertisements as JSON lines."""

from pathlib import Path

import numpy as np
import polars as pl

from pipelines.simulation.companies import Companies
from pipelines.simulation.job_texts import with_texts
from pipelines.simulation.jobs import DAY_SECONDS, FILE, NO_CITY, REMOTE, SIMBOARD, SIMRABOTA, SOURCES, Jobs
from pipelines.simulation.rng import IntArray
from pipelines.simulation.world import LANGUAGES, World
from pipelines.simulation.writing import by_language, escaped, folder, mail_time, slices, utc_time

ITEMS_PER_FEED = 500
_BLOCK = 20_000
_OPEN_DAYS = 100
_BOARDS = {
    SIMBOARD: ("en", "Simboard: remote jobs", "https://simboard.example", ("Full-Time", "Contract")),
    SIMRABOTA: ("ru", "Симработа: вакансии", "https://simrabota.example", ("Полная занятость", "Проектная работа")),
}
_REGIONS = ("Anywhere in the World", "Anywhere in the World", "Europe Only", "USA Only")
_ITEM = (
    "    <item>\n      <title>{}: {}</title>\n      <region>{}</region>\n      <category>{}</category>\n"
    "      <type>{}</type>\n      <skills>{}</skills>\n      <description>{}</description>\n"
    "      <pubDate>{}</pubDate>\n      <expires_at>{}</expires_at>\n"
    '      <guid isPermaLink="false">{}</guid>\n      <link>{}/jobs/{}</link>\n    </item>'
)


def write_boards(world: World, companies: Companies, jobs: Jobs, out: Path) -> dict[str, int]:
    """Writes `out/<board>/<n>.xml`, newest first; returns the items per board."""
    written = {}
    for source, (language, title, site, _) in _BOARDS.items():
        rows = np.flatnonzero(jobs.column("source") == source)[::-1]
        target = folder(out / SOURCES[source])
        head = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0">\n  <channel>\n    <title>{title}</title>\n'
            f"    <link>{site}/jobs.rss</link>\n    <description>{title}</description>\n"
            f"    <language>{language}</language>\n    <ttl>60</ttl>\n"
        )
        for n, part in enumerate(slices(rows, size=ITEMS_PER_FEED), start=1):
            items = "\n".join(_items(world, with_texts(world, companies, jobs, part), source=source))
            (target / f"{n}.xml").write_text(f"{head}{items}\n  </channel>\n</rss>\n", encoding="utf-8", newline="\n")
        written[SOURCES[source]] = len(rows)
    return written


def _items(world: World, frame: pl.DataFrame, *, source: int) -> list[str]:
    _, _, site, types = _BOARDS[source]
    seed, city = frame["text_seed"].to_numpy(), frame["city"].to_numpy()
    if source == SIMBOARD:
        region = pl.Series(_REGIONS).gather(seed % len(_REGIONS))
    else:
        names = pl.Series([c.ru for c in world.cities] + ["Удалённо"])
        region = names.gather(np.where(frame["work_format"].to_numpy() == REMOTE, len(names) - 1, city))
    first_sector = np.array([f.sectors[0] for f in world.families])
    categories = pl.Series([world.texts["sectors"][name]["category"] for name in world.sectors])
    ready = frame.with_columns(
        region=region,
        category=categories.gather(first_sector[frame["family"].to_numpy()]),
        type=pl.Series(types).gather((seed % 9 == 0).astype(np.int64)),
        skills=pl.col("key_skills").list.join(", "),
        published=mail_time(pl.col("created_s")),
        expires=mail_time(pl.col("created_s") + _OPEN_DAYS * DAY_SECONDS),
        site=pl.lit(site),
    )
    item = pl.format(
        _ITEM, escaped("company"), escaped("title"), "region", "category", "type", escaped("skills"),
        escaped("description"), "published", "expires", "source_id", "site", "source_id",
    )  # fmt: skip
    return ready.select(item.alias("item"))["item"].to_list()


def write_job_files(world: World, companies: Companies, jobs: Jobs, out: Path) -> int:
    """Writes `out/jobs-<n>.jsonl`, one advertisement a line; returns the lines."""
    rows = np.flatnonzero(jobs.column("source") == FILE)
    folder(out)
    for n, part in enumerate(slices(rows, size=_BLOCK), start=1):
        frame = with_texts(world, companies, jobs, part)
        _advertisements(world, frame, part).write_ndjson(out / f"jobs-{n:04}.jsonl")
    return len(rows)


def _advertisements(world: World, frame: pl.DataFrame, rows: IntArray) -> pl.DataFrame:
    city = frame["city"].to_numpy()
    if (city == NO_CITY).any():
        raise ValueError(f"{len(rows)} job advertisements: each needs a city, some have none")
    jitter = (frame["text_seed"].to_numpy() % 2001 - 1000) * 0.00005
    city_names = {language: world.of_cities(language).tolist() for language in LANGUAGES}
    return frame.select(
        "source_id",
        "title",
        "company",
        "description",
        url=pl.format("https://ads.example/{}", "source_id"),
        city=by_language(pl.col("is_english"), city_names, city),
        country=pl.Series(world.of_cities("country")[city].tolist()),
        latitude=pl.Series(np.round(world.of_cities("lat")[city] + jitter, 6)),
        longitude=pl.Series(np.round(world.of_cities("lon")[city] - jitter, 6)),
        remote=pl.col("work_format") == REMOTE,
        employment_type=pl.lit("full_time"),
        salary_min="salary_min",
        salary_max="salary_max",
        salary_currency=pl.col("currency").replace({"RUR": "RUB", "BYR": "BYN"}),
        salary_period=pl.lit("month"),
        skills="key_skills",
        tags=pl.concat_list(pl.Series([f.key.replace("_", " ") for f in world.families]).gather(frame["family"])),
        language=pl.when("is_english").then(pl.lit("en")).otherwise(pl.lit("ru")),
        published_at=utc_time("created_s"),
        expires_at=utc_time("created_s", later_s=_OPEN_DAYS * DAY_SECONDS),
    )
