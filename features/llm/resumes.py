"""What the answer of a model adds to what the rules read of a resume.

The rules win. A value of the answer counts only where the rules found none and the text states it.
"""

from dataclasses import replace
from typing import Any

from features.llm.answers import ResumeAnswer
from features.llm.grounding import folded, occurring, states_years
from features.sources.resumes.dates import find_periods, written_month
from features.sources.resumes.fields import ReadResume, Skill

_MAX_SKILLS = 200


def completed_by(read: ReadResume, answer: ResumeAnswer) -> tuple[ReadResume, list[str]]:
    """`read` with what `answer` adds, and the names of the columns that it filled."""
    text = folded(read.text)
    fields = read.fields
    found: dict[str, Any] = {
        "titles": occurring((one.title for one in answer.employments), text),
        "companies": occurring((one.company for one in answer.employments), text),
        "education": occurring(answer.education, text, max_characters=200),
        "languages": occurring(answer.languages, text, max_characters=40),
    }
    added = {name: values for name, values in found.items() if values and not getattr(fields, name)}
    skills = _added_skills(read, answer, text)
    periods = _stated_periods(read.text, answer) if not read.periods and read.stated_years is None else []
    years = answer.stated_years
    is_stated = years is not None and read.stated_years is None and not read.periods and states_years(years, text)
    columns = [*added, *(["skills"] if skills else []), *(["years_of_experience"] if periods or is_stated else [])]
    completed = replace(
        read,
        fields=replace(fields, **added),
        skills=[*read.skills, *skills][:_MAX_SKILLS],
        periods=periods or read.periods,
        stated_years=years if is_stated else read.stated_years,
    )
    return completed, sorted(columns)


def _added_skills(read: ReadResume, answer: ResumeAnswer, text: str) -> list[Skill]:
    known = {folded(skill.name) for skill in read.skills}
    added: dict[str, Skill] = {}
    for one in answer.skills:
        name = next(iter(occurring([one.name], text, max_characters=40)), None)
        if name is None or folded(name) in known or not any(letter.isalpha() for letter in name):
            continue
        years = one.years if one.years is not None and states_years(one.years, text, beside=name) else None
        added.setdefault(folded(name), Skill(name, years=years))
    return list(added.values())


def _stated_periods(text: str, answer: ResumeAnswer) -> list[tuple[int, int | None]]:
    """The employments' months that the text states as a period too."""
    stated = {(period.first_month, period.last_month) for period in find_periods(text)}
    wanted = {
        (written_month(one.start or ""), None if one.end == "now" else written_month(one.end or ""))
        for one in answer.employments
        if one.start and one.end
    }
    return sorted(stated & wanted, key=lambda period: period[0])
