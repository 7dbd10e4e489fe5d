"""How right the fields of typed jobs are: precision and coverage of pay, place, time, format, employment, experience.

Run by hand: `python -m tests.benchmarks.bench_postings [--postings 420] [--wrong]`. A posting is a row of a job file in
one of seven languages. It says each thing by a phrase of `posting_phrases.tsv`, in a column of its own or as a sentence
of the description, beside sentences of noise: perks, budgets, the age of the company. A phrase has its right value as
label; values of several columns are separated by |, "?" allows anything.
"""

import argparse
import datetime as dt
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl

from assets.config.loading import SHIPPED_VOCABULARY
from features.jobs.postings import Vocabulary, normalise
from features.schemas.bronze import POSTINGS
from features.sources.jobs.files import parse_jobs_jsonl

PHRASES = Path(__file__).with_name("posting_phrases.tsv")
SEEN_AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
COLUMNS = {
    "pay": ("salary_min", "salary_max", "salary_currency", "salary_period"),
    "place": ("city", "country"),
    "time": ("published_at",),
    "format": ("work_format",),
    "employment": ("employment_type",),
    "experience": ("experience_min_years", "experience_max_years"),
}
_TITLES = {
    "en": "Account Manager", "ru": "Менеджер по закупкам", "de": "Einkäufer (m/w/d)", "fr": "Chargé de clientèle",
    "es": "Responsable de tienda", "pl": "Specjalista ds. zakupów", "uk": "Менеджер із закупівель",
}  # fmt: skip
_SHARE_STATED = 0.75
Labels = dict[str, str]


def main() -> None:
    """Prints the table, and with --wrong every value that is not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postings", type=int, default=420)
    parser.add_argument("--wrong", action="store_true")
    options = parser.parse_args()
    made = make_postings(options.postings, seed=7)
    jobs = typed([posting for posting, _ in made])
    counts, wrong = judge(jobs, made)
    print("| field | stated | read | right | precision | coverage |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in (column for columns in COLUMNS.values() for column in columns):
        n = counts[name]
        precision, coverage = n["right"] / max(1, n["read"]), n["right_stated"] / max(1, n["stated"])
        print(f"| {name} | {n['stated']} | {n['read']} | {n['right']} | {precision:.3f} | {coverage:.3f} |")
    if options.wrong:
        print("\n".join(sorted(set(wrong))))


def make_postings(n_postings: int, *, seed: int) -> list[tuple[dict[str, str], Labels]]:
    """Rows of a job file, each with the phrases that it was made of, by field, and their labels."""
    phrases: defaultdict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for line in PHRASES.read_text(encoding="utf-8").splitlines()[1:]:
        field, where, language, text, label = [*line.split("\t"), ""][:5]
        phrases[field, language].append([where, text, label])
    draw = random.Random(seed)
    weights = {language: len(phrases["pay", language]) for language in _TITLES}
    return [
        _posting(number, draw, draw.choices(list(weights), list(weights.values()))[0], phrases)
        for number in range(n_postings)
    ]


def _posting(
    number: int, draw: random.Random, language: str, phrases: dict[tuple[str, str], list[list[str]]]
) -> tuple[dict[str, str], Labels]:
    row = {"source_id": str(number), "title": _TITLES[language]}
    labels: Labels = {}
    sentences = [text for _, text, _ in draw.sample(phrases["noise", language], k=1)]
    for field in COLUMNS:
        if field not in ("place", "time") and draw.random() > _SHARE_STATED:
            labels[field] = f"\t{'|' * (len(COLUMNS[field]) - 1)}"
            continue
        where, text, label = draw.choice(phrases[field, language])
        labels[field] = f"{text}\t{label}"
        if where == "description":
            sentences.append(text)
        else:
            row[where] = text
    draw.shuffle(sentences)
    return {**row, "description": "\n".join(sentences)}, labels


def typed(postings: list[dict[str, str]]) -> list[dict[str, object]]:
    """The typed jobs of rows of a job file, in their order."""
    body = "\n".join(json.dumps(posting, ensure_ascii=False) for posting in postings).encode()
    rows = parse_jobs_jsonl(body).rows.with_columns(pl.lit(SEEN_AT).dt.cast_time_unit("us").alias("seen_at"))
    vocabulary = Vocabulary.load(SHIPPED_VOCABULARY)
    return normalise(POSTINGS.conform(rows), vocabulary=vocabulary, normaliser="benchmark").to_dicts()


def judge(
    jobs: list[dict[str, object]], made: list[tuple[dict[str, str], Labels]]
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Counts per column (stated, read, right, right where stated) and lines about what is wrong."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    wrong = []
    for job, (_, labels) in zip(jobs, made, strict=True):
        for field, written in labels.items():
            text, label = written.split("\t")
            for name, expected in zip(COLUMNS[field], label.split("|"), strict=True):
                found = _as_label(job[name])
                if expected == "?":
                    continue
                is_right = found == expected or (field == "format" and not text and not expected)
                counts[name] += Counter(
                    stated=expected != "", read=found != "", right=is_right and found != "",
                    right_stated=is_right and expected != "",
                )  # fmt: skip
                if not is_right:
                    wrong.append(f"{name} of {text!r}: {found!r}, not {expected!r}")
    return counts, wrong


def _as_label(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) else str(int(value))
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%dT%H:%M}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
