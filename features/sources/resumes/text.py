"""The fields of a resume's plain text in English or Russian, by its sections. Fields that are not stated are None."""

import re
from collections.abc import Iterator

from features.llm.redaction import resume_for_model
from features.sources.resumes.dates import stated_years
from features.sources.resumes.employment import BULLET, Employment, employments, title_in
from features.sources.resumes.fields import ReadResume, ResumeFields
from features.sources.resumes.files import resume_text
from features.sources.resumes.person import find_email, find_name, find_places
from features.sources.resumes.phones import first_phone
from features.sources.resumes.sections import HEAD, sections
from features.sources.resumes.skills import is_about_spoken_languages, listed_skills, spoken_languages
from features.sources.values import line

_ALONE = re.compile(
    r"(?:19|20)\d\d(?:\s*[—–-]\s*(?:(?:19|20)\d\d|present|now|н\.\s?в\.))?|(?:неоконченное )?высшее"
    r"|среднее(?: специальное)?|бакалавр|магистр|bachelor|master",
    re.IGNORECASE,
)
_WITHOUT_SKILLS = frozenset({"education", "languages", "contact", "city", "name", "titles"})
_OF_PERSON = frozenset({"contact", "city", "name"})
_MAX_ENTRIES = 50
MAX_SUMMARY_CHARACTERS = 2000
_MAX_HEADLINE_LINES = 8
_MIN_SENTENCE_CHARACTERS = 80


def read_document(
    body: bytes, suffix: str, *, places: frozenset[str] = frozenset(), model_characters: int = 0
) -> ReadResume:
    """Reads TXT, Markdown, PDF or DOCX; `suffix` with its dot, `places` as in `employments`. Raises ResumeError."""
    text, largest = resume_text(body, suffix)
    found = sections(text)
    jobs = employments(found.get("experience", []), places=places)
    head = [*found[HEAD], *found.get("contact", []), *found.get("city", [])]
    everything = text.splitlines()
    email = find_email([head, everything])
    # "Languages:" within the skills may list spoken or programming languages.
    of_skills = found.get("skills", [])
    spoken = [each for each in of_skills if is_about_spoken_languages(each)]
    name = find_name(found, text, largest=largest, email=email)
    labelled, plain = find_places(found, places, name=name, email=email)
    fields = ResumeFields(
        full_name=name,
        email=email,
        phone=first_phone([head, everything]),
        summary=(line(" ".join(found.get("summary", []))) or "")[:MAX_SUMMARY_CHARACTERS] or None,
        titles=_titles(found, jobs, name=name) or None,
        companies=list(dict.fromkeys(job.company for job in jobs if job.company))[:_MAX_ENTRIES] or None,
        education=_education(found.get("education", [])) or None,
        languages=spoken_languages([*found.get("languages", []), *spoken]) or None,
    )
    return ReadResume(
        fields,
        prose="\n".join(_prose(found, jobs)),
        places=[*labelled, *plain],
        n_labelled=len(labelled),
        skills=listed_skills([each for each in of_skills if each not in spoken]),
        periods=[(job.period.first_month, job.period.last_month) for job in jobs if job.period is not None],
        stated_years=stated_years(
            "\n".join([*found[HEAD], *found.get("summary", []), *found.get("experience", [])[:1]])
        ),
        text=resume_for_model(_without_contacts(found), name=name, max_characters=model_characters)
        if model_characters
        else "",
    )


def _without_contacts(found: dict[str, list[str]]) -> list[str]:
    """The lines of a resume by section, without those that say who the person is and where the person lives: the first
    ones are among them if sections follow.
    """
    n_left_out = _MAX_HEADLINE_LINES if len(found) > 1 else 0
    kept = found[HEAD][n_left_out:]
    for section, lines in found.items():
        if section not in _OF_PERSON and section != HEAD:
            kept += [section, *lines]
    return kept


def _titles(found: dict[str, list[str]], jobs: list[Employment], *, name: str | None) -> list[str]:
    """The desired position, the title below the name, and those of the employments, each once."""
    desired = [one for one in (line(each) for each in found.get("titles", [])[:1]) if one]
    head = [each for each in found[HEAD][:_MAX_HEADLINE_LINES] if not name or name.casefold() not in each.casefold()]
    headline = [title for each in head if (title := title_in(each))][:1]
    titles = [*desired, *headline, *(job.title for job in jobs if job.title)]
    return list({title.casefold(): title for title in reversed(titles)}.values())[::-1][:_MAX_ENTRIES]


def _prose(found: dict[str, list[str]], jobs: list[Employment]) -> Iterator[str]:
    """Lines that may mention skills: those of titles and companies say what somebody is, not what the person can do."""
    named = {text for job in jobs for text in (job.title, job.company) if text}
    for section, lines in found.items():
        if section == HEAD and len(found) > 1:
            yield from (each for each in lines if len(each) > _MIN_SENTENCE_CHARACTERS)
        elif section == "experience":
            yield from (each for each in lines if BULLET.match(each) or not any(text in each for text in named))
        elif section not in _WITHOUT_SKILLS:
            yield from lines


def _education(lines: list[str]) -> list[str]:
    """One entry a line; a line with only years or a degree belongs to the line below."""
    found: list[str] = []
    pending = ""
    for each in lines:
        written = line(BULLET.sub("", each)) or ""
        if _ALONE.fullmatch(written):
            pending = f"{pending}{written}, "
        elif written:
            found.append(pending + written)
            pending = ""
    return list(dict.fromkeys(found))[:20]
