"""Greenhouse: all open jobs of one employer. The employer names its custom fields itself."""

import html
import re
from collections.abc import Iterator, Mapping

from features.sources.feeds.entries import period
from features.sources.feeds.json_board import Board, Columns, Json, board_pay, joined_places, named
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import (
    amount,
    first,
    items,
    joined,
    language_code,
    line,
    mapping,
    plain,
    strings,
    text,
)

# A location that says how the job is done, or that there are several places, and names none.
_FORMAT_WORD = (
    r"(?:hybrid|flexible|(?:fully )?remote|in[- ]?(?:office|person)|on[- ]?site|office|multiple|various|several|all|any"
    r"|head ?quarters|hq|head office|n/a|tbd|none|-)(?: (?:work|role|position|locations?|offices?|sites?))?"
)
_NO_PLACE = re.compile(rf"\(?{_FORMAT_WORD}(?:\s*(?:[,;/|&()+-]|\bor\b|\band\b)\s*{_FORMAT_WORD})*\)?", re.IGNORECASE)
_REMOTE = re.compile(r"(?:fully )?remote(?: (?:work|role|position))?", re.IGNORECASE)
# What an employer's own field is about, by its name; the first match counts.
_FIELDS = (
    ("work_format", re.compile(r"work\s?(?:place|ing)?[ -]?(?:type|model|mode|format|style|arrangement|policy)"
                               r"|location type|remote|hybrid|on-?site", re.IGNORECASE)),
    ("employment_type", re.compile(r"(?:employment|job|contract|position|worker|time) ?(?:type|status|basis)"
                                   r"|commitment|full[- /]time", re.IGNORECASE)),
    ("career_level", re.compile(r"seniority|(?:job|career|experience|position) level", re.IGNORECASE)),
    ("experience", re.compile(r"years? of (?:\w+ )?experience", re.IGNORECASE)),
    ("pay", re.compile(r"salary|compensation|pay (?:range|band|rate)|hourly rate|base pay", re.IGNORECASE)),
)  # fmt: skip
_NOT_BASE_PAY = re.compile(r"bonus|variable|commission|equity|stock|ote|target earnings|grade|band id", re.IGNORECASE)
_PERIOD_IN_PROSE = re.compile(
    r"\b(?:annual(?:ly|ized)?|yearly|hourly|monthly|weekly|(?:per|an?) (?:year|annum|hour|month|week|day))\b",
    re.IGNORECASE,
)
_YES_NO = {"yes": True, "no": False, "true": True, "false": False}


def _greenhouse(job: Json) -> Columns:
    """The content is HTML that is escaped once more; pay is in cents."""
    content = text(job.get("content"))
    own = _own_fields(job)
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": html.unescape(content) if content else None,
        "is_complete": content is not None,
        "location_text": _location(job),
        "work_format": own.get("work_format"),
        "employment_type": own.get("employment_type"),
        "career_level": own.get("career_level"),
        "experience": own.get("experience"),
        **(_pay(job) or _own_pay(job) or {"salary_text": own.get("pay")}),
        "tags": strings(mapping(department).get("name") for department in items(job.get("departments"))),
        "language": language_code(job.get("language")),
        "published_at": first(read_timestamp, job, "first_published", "updated_at"),
        "initial_created_at": read_timestamp(job.get("first_published")),
        "expires_at": read_deadline(job.get("application_deadline")),
    }


def _location(job: Json) -> str | None:
    """The stated location; if it names no place, with the offices after it.

    An office of a remote job is only where its team belongs, unless the office is "Remote - US" or the like.
    """
    stated = line(named(job.get("location")))
    offices = [office for office in map(mapping, items(job.get("offices"))) if office]
    if stated is not None and _REMOTE.fullmatch(stated):
        offices = [office for office in offices if "remote" in (line(office.get("name")) or "").lower()]
    elif stated is not None and not _NO_PLACE.fullmatch(stated):
        return stated
    return joined_places([stated, *(first(line, office, "location", "name") for office in offices)])


def _pay(job: Json) -> Columns:
    """Pay of all ranges together, from the least to the most. Of different currencies or periods the first counts."""
    ranges = [pay for pay in map(mapping, items(job.get("pay_input_ranges"))) if _bounds(pay) != (None, None)]
    if not ranges:
        return {}
    units = {(text(pay.get("currency_type")), period(_period(pay))) for pay in ranges}
    counted = ranges if len(units) == 1 else ranges[:1]
    lower, upper = zip(*map(_bounds, counted), strict=True)
    return board_pay(
        None if None in lower else min(lower),
        None if None in upper else max(upper),
        currency=counted[0].get("currency_type"),
        stated_period=_period(counted[0]),
    )


def _bounds(pay: Mapping[str, object]) -> tuple[float | None, float | None]:
    lower, upper = amount(pay.get("min_cents")), amount(pay.get("max_cents"))
    return lower and lower / 100, upper and upper / 100


def _period(pay: Mapping[str, object]) -> str | None:
    """The words for the period in the title of a range ("Annual Salary"), else in its blurb, which is prose."""
    title, blurb = line(pay.get("title")), plain(pay.get("blurb"))
    if period(title):
        return title
    found = {match.lower() for match in _PERIOD_IN_PROSE.findall(blurb or "")}
    return found.pop() if len({period(word) for word in found}) == 1 else None


def _own_fields(job: Json) -> Columns:
    """The employer's own fields by what they are about, each from the first field about it."""
    found: Columns = {}
    for about, name, value in _metadata(job):
        answer = joined(plain(one) for one in (items(value) or [value]))
        is_yes = _YES_NO.get((answer or "").lower()) if not isinstance(value, bool) else value
        if is_yes is not None:
            # "Remote? Yes" says remote; "Remote? No" does not say which other format.
            answer = name if is_yes and about in ("work_format", "employment_type") else None
        if answer and about not in found:
            found[about] = answer
    return found


def _own_pay(job: Json) -> Columns:
    """Pay out of a custom field with an amount or a range and its currency."""
    for about, name, value in _metadata(job):
        money = mapping(value)
        if about == "pay" and money:
            lower, upper = first(amount, money, "min_value", "amount"), first(amount, money, "max_value", "amount")
            stated_period = name if period(name) else None
            found = board_pay(lower, upper, currency=money.get("unit"), stated_period=stated_period)
            if found:
                return found
    return {}


def _metadata(job: Json) -> Iterator[tuple[str, str, object]]:
    """What it is about, name and value of each custom field that is known by its name."""
    for field in map(mapping, items(job.get("metadata"))):
        name, value = line(field.get("name")), field.get("value")
        about = next((about for about, words in _FIELDS if name and words.search(name)), None)
        if about is not None and name is not None and not (about == "pay" and _NOT_BASE_PAY.search(name)):
            yield about, name, value


FORMAT = Board(_greenhouse, urls=("absolute_url",), states_total=True).known_by("absolute_url", "internal_job_id")
