"""What single boards write into RSS texts instead of elements: labels, hashtags, first lines.

Each board has one function, which receives the columns read so far and returns those that it reads better.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from features.sources.charset import repaired
from features.sources.feeds.entries import is_pay, labelled
from features.sources.values import line, plain, strings, text

Columns = Mapping[str, object]

REMOTE_BOARDS = (
    "weworkremotely.com", "remoteok.com", "remoteok.io", "remotive.com", "remotive.io", "jobicy.com", "himalayas.app",
    "workingnomads.com", "jobspresso.co",
)  # fmt: skip
_HH_HOSTS = ("hh.ru", "hh.kz", "rabota.by", "hh.uz", "headhunter.ge", "headhunter.kg", "hh1.az")
_HH_NO_PAY = frozenset({"не указан", "не указана", "не указано"})
_HASHTAG = re.compile(r"#([^\s,;#<]{1,60}#?)")
_REMOTE_WORD = re.compile(r"\b(?:remote|удал[её]нн?о|удал[её]нка|віддалено|дистанційно)\b", re.IGNORECASE)
_HYBRID_WORD = re.compile(r"\b(?:hybrid|гибрид\w*|гібрид\w*)\b", re.IGNORECASE)
_ON_SITE_WORD = re.compile(r"\b(?:on-?site|in[- ]office|офис|офіс)\b", re.IGNORECASE)
_EMPLOYMENT = (
    ("part_time", re.compile(r"\bpart[- ]?time\b|неполный|неполная|частичная", re.IGNORECASE)),
    ("internship", re.compile(r"\bintern(?:ship|s)?\b|стажировка", re.IGNORECASE)),
    ("contract", re.compile(r"\bcontract(?:or|s)?\b|\bfreelance\b", re.IGNORECASE)),
    ("full_time", re.compile(r"\bfull[- ]?time\b|полный рабочий день|полная занятость", re.IGNORECASE)),
)
_LEVELS = {
    "intern": "intern", "trainee": "intern", "junior": "junior", "middle": "middle", "senior": "senior", "lead": "lead",
}  # fmt: skip
_ROLE_WORD = re.compile(
    r"engineer|develop|designer|manager|scientist|analyst|architect|devops|\bsre\b|\bqa\b|lead|head of|director|product"
    r"|founding|full[- ]?stack|front[- ]?end|back[- ]?end|programmer|research|marketing|sales|support|multiple|roles"
    r"|positions|various|\bcto\b|recruit|writer|consultant|specialist",
    re.IGNORECASE,
)
_NEW_COMMENT = re.compile(r"^New comment by ")
_BREAK = re.compile(r"</?(?:p|br|div)\b[^<>]{0,200}>|\n", re.IGNORECASE)
_ADDRESS = re.compile(r"^(?:https?://\S+|\S+@\S+|[\w-]+(?:\.[\w-]+)+/?)$")
_LONGEST_TITLE = 200


def board_columns(columns: Columns, *, url: str | None, author: str | None) -> dict[str, object]:
    """The columns that the board of `url` adds to `columns` or replaces."""
    known: dict[str, object] = {"work_format": "remote"} if is_of(url, REMOTE_BOARDS) else {}
    for hosts, read in _BOARDS:
        if is_of(url, hosts):
            known |= {name: value for name, value in read(columns, author).items() if value is not None}
    return known


def is_of(url: str | None, hosts: tuple[str, ...]) -> bool:
    """Whether the host of `url` is one of `hosts` or a subdomain of one."""
    host = (urlsplit(url).hostname or "") if url else ""
    return any(host == known or host.endswith("." + known) for known in hosts)


def _read_hh(columns: Columns, author: str | None) -> dict[str, object]:
    """The search feed has labelled paragraphs: employer, date, region, expected monthly income."""
    description = text(columns.get("description"))
    pay = labelled(description, "Предполагаемый уровень месячного дохода:")
    is_stated = pay is not None and pay.lower() not in _HH_NO_PAY
    return {
        "company": labelled(description, "Вакансия компании:"),
        "location_text": labelled(description, "Регион:"),
        "salary_text": pay if is_stated else None,
        "salary_period": "month" if is_stated else None,
        # Such an item is as short as that of a search page, without description and skills.
        "is_complete": False,
    }


def _read_habr(columns: Columns, author: str | None) -> dict[str, object]:
    """The author is the company; the description is a few sentences with hashtags, one of which may be the level."""
    description = plain(columns.get("description")) or ""
    tags = [tag.rstrip(".") for tag in _HASHTAG.findall(description)]
    return {
        "company": plain(author),
        "skills": strings(tag.replace("_", " ") for tag in tags if tag.lower() not in _LEVELS),
        "career_level": next((_LEVELS[tag.lower()] for tag in tags if tag.lower() in _LEVELS), None),
        "work_format": "remote" if _REMOTE_WORD.search(description) else None,
        "employment_type": _employment(description),
    }


def _read_dou(columns: Columns, author: str | None) -> dict[str, object]:
    """The places in a title may end in "віддалено" (remote)."""
    places = [place.strip() for place in str(columns.get("location_text") or "").split(",")]
    towns = [place for place in places if place and not _REMOTE_WORD.search(place)]
    if not any(map(_REMOTE_WORD.search, places)):
        return {}
    return {"location_text": ", ".join(towns) or "Remote", "work_format": "remote"}


def _read_python_org(columns: Columns, author: str | None) -> dict[str, object]:
    """The first line of the description is the place."""
    first = _first_line(columns)
    return {"location_text": first if first and len(first) <= 120 else None}


def _read_jobspresso(columns: Columns, author: str | None) -> dict[str, object]:
    """The author has company and place on separate lines."""
    lines = [found for part in _BREAK.split(author or "") if (found := plain(part))]
    return {
        "company": columns.get("company") or (lines[0] if lines else None),
        "location_text": columns.get("location_text") or (lines[-1] if len(lines) > 1 else None),
    }


def _read_remoteok(columns: Columns, author: str | None) -> dict[str, object]:
    """Text is partly encoded twice."""
    return {name: repaired(text(columns.get(name))) for name in ("title", "company", "description", "location_text")}


def _read_hacker_news(columns: Columns, author: str | None) -> dict[str, object]:
    """The first line of a comment, not its title, describes the job: "Company | Role | Place | REMOTE | pay"."""
    if not _NEW_COMMENT.match(str(columns.get("title") or "")):
        return {}
    first = _first_line(columns)
    if first is None:
        return {}
    parts = [found for part in first.split("|") if (found := line(part))]
    if len(parts) < 2:
        return {"title": first[:_LONGEST_TITLE]}
    rest = [part for part in parts[1:] if not _ADDRESS.match(part)]
    pay = next((part for part in rest if is_pay(part)), None)
    words = [part for part in rest if part != pay and not _is_only_a_mode(part)]
    role = next((part for part in words if _ROLE_WORD.search(part)), None)
    places = [part for part in words if part != role]
    return {
        "company": parts[0],
        "title": (role or first)[:_LONGEST_TITLE],
        "location_text": places[0] if places else None,
        "work_format": _mode(first),
        "employment_type": _employment(first),
        "salary_text": pay,
    }


def _first_line(columns: Columns) -> str | None:
    """The plain text of the description up to the first break that has text before it."""
    description = text(columns.get("description")) or ""
    return next((found for part in _BREAK.split(description[:4_000]) if (found := plain(part))), None)


def _is_only_a_mode(part: str) -> bool:
    rest = part
    for pattern in (_REMOTE_WORD, _HYBRID_WORD, _ON_SITE_WORD, *(pattern for _, pattern in _EMPLOYMENT)):
        rest = pattern.sub("", rest)
    return not re.search(r"\w", rest)


def _mode(line_of_text: str) -> str | None:
    if _HYBRID_WORD.search(line_of_text):
        return "hybrid"
    if _REMOTE_WORD.search(line_of_text):
        return "remote"
    return "on_site" if _ON_SITE_WORD.search(line_of_text) else None


def _employment(sentence: str) -> str | None:
    return next((name for name, pattern in _EMPLOYMENT if pattern.search(sentence)), None)


_BOARDS: tuple[tuple[tuple[str, ...], Callable[[Columns, str | None], dict[str, object]]], ...] = (
    (_HH_HOSTS, _read_hh),
    (("career.habr.com",), _read_habr),
    (("jobs.dou.ua",), _read_dou),
    (("python.org",), _read_python_org),
    (("jobspresso.co",), _read_jobspresso),
    (("remoteok.com", "remoteok.io"), _read_remoteok),
    (("news.ycombinator.com",), _read_hacker_news),
)
