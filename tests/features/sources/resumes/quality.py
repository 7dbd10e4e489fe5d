"""Precision and recall per field on labelled resumes: `python -m tests.features.sources.resumes.quality`."""

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from features.sources.resumes.fields import ReadResume, ResumeError, ResumeFields
from features.sources.resumes.parsing import resume_fields
from features.sources.resumes.reading import read_resume
from features.vocabulary.places import Gazetteer
from features.vocabulary.skills import SkillVocabulary
from tests.features.sources.resumes.layouts import HELD_OUT, LAYOUTS
from tests.features.sources.resumes.people import AS_OF, Person, person

PEOPLE_PER_LAYOUT = 10
_VOCABULARY = Path(__file__).parents[4] / "data/vocabulary"
_SPOKEN = frozenset({"english", "spanish", "russian"})


class Counts(Counter[str]):
    """Values that were found, that are true, and that are both."""

    @property
    def precision(self) -> float:
        return self["right"] / self["found"] if self["found"] else 1.0

    @property
    def recall(self) -> float:
        return self["right"] / self["true"] if self["true"] else 1.0


def labelled(layouts: Iterable[str]) -> Iterable[tuple[str, Person]]:
    """(layout, person), as many English as Russian ones."""
    numbers = {name: number for number, name in enumerate(LAYOUTS)}
    for layout in layouts:
        for index in range(PEOPLE_PER_LAYOUT):
            yield layout, person("ru" if index % 2 else "en", 100 * numbers[layout] + index)


def measure(layouts: Iterable[str], *, show: bool = False) -> Mapping[str, Mapping[str, Counts]]:
    """Counts by layout and field."""
    skills, gazetteer = SkillVocabulary.load(_VOCABULARY), Gazetteer.load(_VOCABULARY)
    counts: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(Counts))
    of = list(labelled(layouts))
    read = [_read(*LAYOUTS[layout](who), places=gazetteer.written_names) for layout, who in of]
    parsed = resume_fields(read, skills=skills, places=gazetteer, as_of=AS_OF)
    for (layout, who), fields in zip(of, parsed, strict=True):
        for field, (found, true) in compared(fields, who, skills=skills).items():
            right = len(found & true)
            counts[layout][field].update(found=len(found), true=len(true), right=right)
            if show and (found != true):
                print(f"{layout} {who.language} {field}: found {sorted(found - true)}, missed {sorted(true - found)}")
    return counts


def _read(body: bytes, suffix: str, *, places: frozenset[str]) -> ReadResume:
    try:
        return read_resume(body, suffix, places=places)
    except ResumeError:
        return ReadResume(ResumeFields())


def compared(fields: ResumeFields, who: Person, *, skills: SkillVocabulary) -> Mapping[str, tuple[set[str], set[str]]]:
    """Per field: the values that were found and the true ones, in one spelling."""
    years = {"right"} if fields.years_of_experience is not None else set()
    if years and abs((fields.years_of_experience or 0) - who.years) > 0.5:
        years = {f"{fields.years_of_experience} for {who.years:.1f}"}
    true_skills = _canonical([*who.skills, *who.mentioned], skills)
    found_skills = {str(one["name"]).casefold() for one in fields.skills or []} - _SPOKEN
    return {
        "name": (_set([fields.full_name]), _set([who.name])),
        "e-mail": (_set([fields.email]), _set([who.email])),
        "phone": (_set([_digits(fields.phone)]), _set([_digits(who.phone)])),
        "city": (_set([fields.city]), _set([who.city])),
        "titles": (_set(fields.titles or []), _set([who.headline, *(job.title for job in who.jobs)])),
        "companies": (_set(fields.companies or []), _set(job.company for job in who.jobs)),
        "years": (years, {"right"}),
        "skills": (found_skills, true_skills),
    }


def table(counts: Mapping[str, Mapping[str, Counts]]) -> str:
    """Markdown: precision and recall per field over all layouts."""
    rows = ["| field | precision | recall |", "| --- | ---: | ---: |"]
    of_all = total(counts.values()).items()
    rows += [f"| {field} | {each.precision:.3f} | {each.recall:.3f} |" for field, each in of_all]
    return "\n".join(rows)


def total(counts: Iterable[Mapping[str, Counts]]) -> Mapping[str, Counts]:
    """Counts by field over several layouts."""
    found: dict[str, Counts] = defaultdict(Counts)
    for fields in counts:
        for field, each in fields.items():
            found[field].update(each)
    return found


def _canonical(names: Iterable[str], skills: SkillVocabulary) -> set[str]:
    given = pl.Series(list(names), dtype=pl.String)
    return set(skills.canonical_names(given).fill_null(given).str.to_lowercase())


def _digits(phone: str | None) -> str | None:
    return re.sub(r"\D", "", phone) if phone else None


def _set(values: Iterable[str | None]) -> set[str]:
    return {" ".join(value.split()).casefold() for value in values if value}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--held-out", action="store_true", help="the held-out layouts only")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--layout")
    parser.add_argument("--show", action="store_true", help="print what differs")
    chosen = parser.parse_args()
    names = (
        [chosen.layout]
        if chosen.layout
        else [name for name in LAYOUTS if chosen.all or (name in HELD_OUT) == chosen.held_out]
    )
    found = measure(names, show=chosen.show)
    for layout, fields in found.items():
        print(layout, " ".join(f"{field} {each.precision:.2f}/{each.recall:.2f}" for field, each in fields.items()))
    print(table(found))
