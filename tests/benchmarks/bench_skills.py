"""Skills found in job descriptions per second, beside two plain alternatives on the same texts.

Run by hand: `python -m tests.benchmarks.bench_skills [--texts 4000]`. Texts are drawn from the sentences that the
finder is measured on (precision and recall are printed too), with ordinary words between, as long as a description.
"""

import argparse
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from features.vocabulary.skills import SkillVocabulary

ROOT = Path(__file__).parents[2]
SENTENCES = ROOT / "tests" / "features" / "vocabulary" / "skill_sentences.tsv"
_CHARACTERS = 1_800
_FILLER = (
    "мы ищем человека в дружную команду", "и предлагаем гибкий график", "с достойной оплатой труда в центре города",
    "you will join a growing team", "that builds products", "which people use every day across many countries",
)  # fmt: skip


def main() -> None:
    """Prints a table of texts per second and the quality on the labelled sentences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=4_000)
    options = parser.parse_args()
    vocabulary = SkillVocabulary.load(ROOT / "data" / "vocabulary")
    texts = make_texts(options.texts, seed=7)
    phrases = sorted({p.lower() for p in vocabulary.spellings.filter(pl.col("match") != "name")["phrase"]}, key=len)
    print(f"{len(vocabulary.names)} skills, {len(phrases)} phrases, {len(texts)} texts of {_CHARACTERS} characters\n")
    vocabulary.find(pl.Series(texts[:10]))
    few = texts[: max(20, len(texts) // 40)]
    rows = [
        ("Aho-Corasick with normal form and context", _rate(lambda: vocabulary.find(pl.Series(texts)), len(texts))),
        ("one compiled alternation per text", _rate(lambda: _alternation(few, phrases), len(few))),
        ("a loop over phrases with `in`", _rate(lambda: _loop(few, phrases), len(few))),
    ]
    print("| way | texts/s | ratio |\n| --- | ---: | ---: |")
    for name, rate in rows:
        print(f"| {name} | {rate:,.0f} | {rate / rows[0][1]:.3f} |")
    print("\nprecision {:.3f}, recall {:.3f} on {} labelled sentences".format(*quality(vocabulary)))


def make_texts(n: int, *, seed: int) -> list[str]:
    """`n` texts of about a description's length: labelled sentences in random order between ordinary words."""
    rng = random.Random(seed)
    sentences = [line.split("\t")[0] for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    texts = []
    for _ in range(n):
        parts: list[str] = []
        while sum(map(len, parts)) < _CHARACTERS:
            parts.append(f"{rng.choice(sentences)}. {' '.join(rng.choices(_FILLER, k=2))}.\n")
        texts.append("".join(parts)[:_CHARACTERS])
    return texts


def quality(vocabulary: SkillVocabulary) -> tuple[float, float, int]:
    """Precision, recall and the number of labelled sentences."""
    rows = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    labelled = [pl.Series([label for label in labels.split("|") if label], dtype=pl.String) for _, labels in rows]
    wanted = [set(vocabulary.canonical_names(labels).to_list()) for labels in labelled]
    found = [set(skills) for skills in vocabulary.find(pl.Series([text for text, _ in rows])).to_list()]
    n_right = sum(len(have & want) for have, want in zip(found, wanted, strict=True))
    return n_right / sum(map(len, found)), n_right / sum(map(len, wanted)), len(rows)


def _alternation(texts: list[str], phrases: list[str]) -> list[list[str]]:
    words = "|".join(re.escape(phrase) for phrase in reversed(phrases))
    pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
    return [pattern.findall(text.lower()) for text in texts]


def _loop(texts: list[str], phrases: list[str]) -> list[list[str]]:
    return [[phrase for phrase in phrases if phrase in text] for text in map(str.lower, texts)]


def _rate(run: Callable[[], object], n: int) -> float:
    started = time.perf_counter()
    run()
    return n / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
