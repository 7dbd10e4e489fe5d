"""The language of postings: accuracy and time on labelled titles and texts, against lingua if it is installed.

    python -m tests.benchmarks.bench_language

2,000 texts in 17 languages are put together from language_texts.yaml: titles alone, a title and a sentence, whole
postings with and without lists of product names, foreign postings under an English title, English bullet points.
"""

import random
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import yaml

from features.text.language import detect

_SEED = 7
_N_TEXTS, _N_SHORT, _N_MIXED, _N_BULLETS = 60, 35, 60, 120
_PRODUCTS = ("Python", "SQL", "Docker", "Kubernetes", "AWS", "React", "Go", "Jira", "Excel", "SAP")
_BULLETS = (
    "Python, Django, PostgreSQL", "Design scalable services", "Write clean code", "Review pull requests",
    "Bachelor degree preferred", "5+ years experience", "Excellent English", "Health insurance", "Unlimited PTO",
    "Remote work", "Build dashboards", "Own product roadmap", "Drive revenue growth", "Develop marketing campaigns",
    "Manage vendor relationships", "Maintain CI/CD pipelines", "Competitive salary", "Stock options",
    "Stakeholder management", "Requirements gathering",
)  # fmt: skip

Identify = Callable[[Sequence[str]], Sequence[str | None]]


def labelled_texts() -> pl.DataFrame:
    """Columns language, kind, text; the same in every run."""
    draw = random.Random(_SEED)
    parts = yaml.safe_load((Path(__file__).parent / "language_texts.yaml").read_text(encoding="utf-8"))
    rows = []
    for language, part in parts.items():
        titles, sentences = part["titles"], part["sentences"]
        rows += [(language, "title", title) for title in titles]
        for _ in range(_N_TEXTS):
            body = " ".join(draw.sample(sentences, min(draw.choice([2, 3, 4, 6, 8]), len(sentences))))
            products = "\n" + ", ".join(draw.sample(_PRODUCTS, 4)) if draw.random() < 0.5 else ""
            rows.append((language, "posting", f"{draw.choice(titles)}\n{body}{products}"))
        rows += [
            (language, "title and sentence", f"{draw.choice(titles)}. {draw.choice(sentences)}")
            for _ in range(_N_SHORT)
        ]
    english = parts["en"]["titles"]
    for _ in range(_N_MIXED):
        language = draw.choice(["ru", "de", "fr", "pl", "es", "uk"])
        body = " ".join(draw.sample(parts[language]["sentences"], 5))
        rows.append((language, "English title", f"{draw.choice(english)}\n{body}"))
    for _ in range(_N_BULLETS):
        listed = "\n".join(f"- {bullet}" for bullet in draw.sample(_BULLETS, draw.choice([4, 6, 10])))
        rows.append(("en", "English bullets", f"{draw.choice(english)}\n{listed}"))
    return pl.DataFrame(rows, schema=["language", "kind", "text"], orient="row").unique(maintain_order=True)


def main() -> None:
    """Prints the share that is right, by kind, and the time of a text."""
    texts = labelled_texts()
    print(f"{texts.height} texts in {texts['language'].n_unique()} languages")
    identifiers: dict[str, Identify] = {"features.text.language": lambda found: detect(pl.Series(found)).to_list()}
    if find_spec("lingua"):
        identifiers["lingua"] = _lingua()
    for name, identify in identifiers.items():
        identify(texts["text"].head(5).to_list())
        start = time.process_time()
        found = identify(texts["text"].to_list())
        micros = (time.process_time() - start) / texts.height * 1e6
        is_right = texts.select("kind", is_right=pl.Series(found) == pl.col("language")).fill_null(value=False)
        by_kind = is_right.group_by("kind", maintain_order=True).agg(pl.col("is_right").mean())
        shares = ", ".join(f"{kind} {share:.3f}" for kind, share in by_kind.iter_rows())
        print(f"{name}: {is_right['is_right'].mean():.3f} right ({shares}), {micros:.0f} us of processor time a text")


def _lingua() -> Identify:
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().build()
    return lambda texts: [
        language.iso_code_639_1.name.lower() if (language := detector.detect_language_of(text)) else None
        for text in texts
    ]


if __name__ == "__main__":
    main()
