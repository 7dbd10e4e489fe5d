"""The employments in a resume: titles and companies, found by their position beside the dates."""

import re
from collections.abc import Iterable

from features.sources.resumes.dates import find_periods

ROLE = re.compile(
    r"\b(?:developer|engineer|manager|analyst|designer|architect|administrator|consultant|director|lead|head|intern"
    r"|specialist|scientist|tester|qa|programmer|devops|sre|accountant|auditor|teacher|tutor|lecturer|professor|trainer"
    r"|instructor|nurse|doctor|physician|dentist|therapist|pharmacist|driver|mechanic|technician|electrician|welder"
    r"|carpenter|plumber|chef|cook|waiter|barista|cashier|receptionist|secretary|sales|marketer|cto|ceo|cfo|officer"
    r"|assistant|coordinator|supervisor|recruiter|writer|copywriter|editor|journalist|translator|photographer"
    r"|president|founder|owner|researcher|operator|clerk|lawyer|attorney|paralegal|broker|agent|planner|buyer"
    r"|strategist|dispatcher|guard|associate|partner|representative"
    r"|разработчик|программист|инженер|менеджер|аналитик|дизайнер|архитектор|администратор|консультант|директор"
    r"|руководитель|стаж[её]р|специалист|тестировщик|верст[а]?льщик|бухгалтер|аудитор|учитель|преподаватель|воспитатель"
    r"|репетитор|врач|фельдшер|медсестра|медбрат|фармацевт|провизор|психолог|водитель|экспедитор|механик|слесарь"
    r"|электрик|монтажник|сварщик|токарь|грузчик|охранник|уборщи[кц]|продавец|маркетолог|ассистент|рекрутер|редактор"
    r"|копирайтер|журналист|переводчик|фотограф|оператор|диспетчер|кассир|повар|официант|бармен|бариста|парикмахер"
    r"|юрист|экономист|технолог|начальник|заместитель|помощник|мастер|логист|секретарь|курьер|кладовщик|агент|риелтор"
    r"|супервайзер|промоутер|модератор|научный сотрудник|тимлид|техник)\w{0,3}\b",
    re.IGNORECASE,
)
BULLET = re.compile(r"^\s*(?:[•●▪◦‣·*○■➢–—-]|\d{1,2}[.)])\s+")
_PART_SEPARATOR = re.compile(r"\s+[—–|@-]\s+|\s*\|\s*|\s+at\s+|,\s+|\s+в\s+(?=[«\"A-ZА-ЯЁ])|\t+|\s{3,}|\s+·\s+")
_DURATION = re.compile(
    r"\(?\s*(?:(?:\d{1,2}|one|two|three)\s*(?:years?|yrs?|months?|mos?|лет|год[а]?|г|месяц(?:а|ев)?|мес)\b\.?[\s,и]*)+\)?",
    re.IGNORECASE,
)
_SITE = re.compile(r"\b[\w-]+\.(?:com|ru|org|net|io|example|by|kz|uz|me|dev|рф)\b|https?:|www\.", re.IGNORECASE)
_TRAILING_DASH = re.compile(r"[-–—]\s*$")
_LEADING = re.compile(r"^\s*(?:с|from|since)\s+$", re.IGNORECASE)
_MAX_LINE_CHARACTERS = 100
_LINES_BEFORE, _LINES_AFTER = 3, 6


def employments(lines: list[str]) -> tuple[list[str], list[str]]:
    """(titles, companies) from the lines of a section on work, each once, in order.

    Each date range marks an employment. Title and company come from its line; missing ones come from the lines above
    or below it, whichever have titles more often in this resume.
    """
    joined = _ranges_joined(lines)
    dated = [index for index, each in enumerate(joined) if find_periods(each)]
    above = {index: _around(joined, range(index - 1, index - 1 - _LINES_BEFORE, -1))[::-1] for index in dated}
    below = {index: _around(joined, range(index + 1, index + 1 + _LINES_AFTER)) for index in dated}
    is_above = sum(_has_role(above[index]) for index in dated) > sum(_has_role(below[index]) for index in dated)
    titles: list[str] = []
    companies: list[str] = []
    for index in dated:
        own = _parts(_without_range(joined[index]))
        title = next((part for part in own if ROLE.search(part)), None)
        if title is not None and len(own) > 1:
            company = next((part for part in own if part != title and not ROLE.search(part)), None)
        else:
            title, company = _title_and_company(own, title, above[index] if is_above else below[index])
        if title is not None:
            titles.append(title)
            companies += [company] if company is not None else []
    return list(dict.fromkeys(titles)), list(dict.fromkeys(companies))


def _title_and_company(own: list[str], title: str | None, nearby: list[str]) -> tuple[str | None, str | None]:
    """Title and company near a date line that lacks one: the company is before the title, else directly after it."""
    parts = [part for each in nearby for part in _parts(each)]
    if title is not None:
        return title, next((part for part in parts if not ROLE.search(part)), None)
    found = [n for n, part in enumerate(parts) if ROLE.search(part)]
    if not found:
        return None, None
    at = found[0]
    before = [part for part in parts[:at] if not ROLE.search(part)]
    after = [part for part in parts[at + 1 : at + 2] if not ROLE.search(part)]
    company = next(iter([*own, *before, *after]), None)
    return parts[at], company


def _around(lines: list[str], indexes: Iterable[int]) -> list[str]:
    """The lines at `indexes` up to the first that is another range, a bullet or a sentence."""
    found: list[str] = []
    for index in indexes:
        if not 0 <= index < len(lines):
            break
        each = lines[index]
        if BULLET.match(each) or find_periods(each) or len(each) > _MAX_LINE_CHARACTERS or each.endswith((".", ";")):
            break
        found.append(each)
    return found


def _has_role(lines: list[str]) -> bool:
    return any(ROLE.search(each) for each in lines)


def _ranges_joined(lines: list[str]) -> list[str]:
    """The lines, with ranges that are broken after the dash ("March 2022 —" / "present") joined to one line."""
    found: list[str] = []
    for each in lines:
        if found and _TRAILING_DASH.search(found[-1]) and not find_periods(found[-1]):
            together = f"{found[-1]} {each}"
            if find_periods(together):
                found[-1] = together
                continue
        found.append(each)
    return found


def _without_range(text: str) -> str:
    period = find_periods(text)[0]
    before, after = text[: period.start], text[period.end :]
    return f"{'' if _LEADING.match(before) else before} | {after}"


def _parts(text: str) -> list[str]:
    bare = _DURATION.sub(" | ", BULLET.sub("", text))
    pieces = (piece.strip(" ()[]—–-|,.;:\t·*") for piece in _PART_SEPARATOR.split(bare))
    return [
        piece
        for piece in pieces
        if 1 < len(piece) <= 80 and re.search(r"[^\W\d_]", piece) and not _SITE.fullmatch(piece)
    ]
