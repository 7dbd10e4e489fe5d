"""The employments in a resume: titles, companies and periods, found by their position beside the dates."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from features.sources.resumes.dates import Period, find_dates, find_periods
from features.sources.resumes.words import (
    LEGAL_FORM,
    is_department,
    is_kind_of_employment,
    label_of_entry,
    names_organisation,
    names_role,
    role_score,
)

BULLET = re.compile(r"^\s*(?:[•●▪◦‣·*○■□➢➤►▸▶✓✔◆❖∙⁃⦁–—+>-]|\d{1,2}[.)])\s+|^\s*[•●▪◦‣■➢➤►▸▶◆❖⁃⦁](?=\S)")
_PART_SEPARATOR = re.compile(
    r"\s+[—–|~-]\s+|\s+@\s*|:\s+|\s*[|•]\s*|\s+at\s+|,\s+|;\s+|\s+в\s+(?=(?:компании\s+)?[«\"A-ZА-ЯЁ])|\t+|\s{3,}|\s+·\s+|\s·\s?|\n"
)
_DURATION = re.compile(
    r"\(?\s*(?:(?:\d{1,2}|one|two|three)\s*(?:years?|yrs?|months?|mos?|лет|год[а]?|г|месяц(?:а|ев)?"
    r"|мес)\b\.?[\s,и]*)+\)?",
    re.IGNORECASE,
)
_SITE = re.compile(
    r"(?:https?://|www\.)\S+|[\w.-]+\.(?:com|ru|org|net|io|example|by|kz|uz|me|dev|рф|co|de|uk)(?:/\S*)?", re.IGNORECASE
)
_ASIDE_GAP = re.compile(r"\S(?:\s{3,}|\t+)\S")
_APART = re.compile(r"\S(?:\s{3,}|\t+|\s[—–|·@]\s)\S")
_TRAILING_DASH = re.compile(r"[-–—]\s*$")
_BEFORE_DATE = re.compile(r"(?:[(\[,|·•\t—–-]|\s{3,})\s*$")
_LEADING = re.compile(r"(?:^|[\s(\[])(?:с|со|from|since|in)\s*$", re.IGNORECASE)
_MAX_LINE_CHARACTERS = 110
_MAX_PART_CHARACTERS = 80
_MAX_TITLE_WORDS = 7
_HELD_COMMA = "\x00"
_MAX_LINES, _MAX_EMPLOYMENTS = 3_000, 200
_SURE_OF_ROLE = 4
_LINES_BEFORE, _LINES_AFTER = 3, 5
_FOR_COMPANY = re.compile(r"(.+?)\s+(?:for|with)\s+([A-ZА-ЯЁ«\"].+)")
_AFTER_LEGAL_FORM = re.compile(r"(.+\s(?:GmbH|Ltd\.?|LLC|Inc\.?|Corp\.?|LLP|PLC|AG|B\.V\.|S\.A\.))\s+(.+)")
_WORKED_AS = re.compile(
    r"^(?:(?:i )?(?:worked|working|employed|served|serving) as (?:an? |the )?|работала?\s+(?:в должности\s+)?)",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"(.+?)\s*\(((?=[A-ZА-ЯЁ«\"]|[a-z][A-Z])[^()]+)\)")
_COMMA_IN_BRACKETS = re.compile(r",(?=[^()]{0,80}\))")
_STATE = re.compile(r"[A-Z]{2}(?:\s+\d{5})?")
_BODY_VERBS = re.compile(
    r"(?!(?:registered|certified|licensed|chartered|embedded|distributed|managing|founding|leading|acting"
    r"|marketing|teaching"
    r"|engineering|accounting|consulting|manufacturing|nursing|training|testing|banking|purchasing)\b)"
    r"(?:\w+(?:ed|ing)|led|built|wrote|ran|oversaw|made|worked|responsible|[а-яё]+(?:ал|ил|ла|ли|лся|овал|аю|яю"
    r"|ую)а?)\s",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Employment:
    """What is stated of one employment; a single date gives no period."""

    title: str | None
    company: str | None
    period: Period | None


@dataclass(frozen=True)
class _Part:
    text: str
    line: int  # its distance from the line of the dates: 0, -1 for the line above
    by_comma: bool  # whether only a comma separates it from the part before


def employments(lines: Sequence[str], *, places: frozenset[str] = frozenset()) -> list[Employment]:
    """The employments in the lines of a section on work, in order.

    Each date range marks one. Title and company come from its line; missing ones come from the lines above or below it,
    whichever makes more of them complete in this resume. Names of `places`, in small letters, are no companies.
    """
    joined = _ranges_joined(lines[:_MAX_LINES])
    dated = _dated(joined)[:_MAX_EMPLOYMENTS]
    if not dated:
        return []
    if labelled := _labelled(joined, dated, places):
        return labelled
    own = {index: _without_places(_parts(_without_range(joined[index]), 0), places) for index in dated}
    readings = []
    for is_above in (True, False):
        nearby = {index: _nearby(joined, index, set(dated), is_above=is_above, places=places) for index in dated}
        is_title_first = _is_title_first([own[index] + nearby[index] for index in dated])
        found = [_employment(own[index], nearby[index], is_title_first=is_title_first) for index in dated]
        readings.append((sum(map(_completeness, found)), found))
    (above, read_above), (below, read_below) = readings
    chosen = read_above if above > below else read_below
    return [
        Employment(title, company, next(iter(find_periods(joined[index])), None))
        for index, (title, company) in zip(dated, chosen, strict=True)
    ]


def _labelled(lines: Sequence[str], dated: Sequence[int], places: frozenset[str]) -> list[Employment]:
    """The employments if titles or companies have labels ("Position: Driver"); empty if they have none.

    A label that was there already begins the next employment. What has no label may stand in the line of the dates.
    """
    groups: list[dict[str, str]] = []
    n_named = 0
    for index, each in enumerate(lines):
        kind, rest = label_of_entry(each) or ("", each)
        kind = "dates" if index in dated else kind
        if kind not in ("title", "company", "dates"):
            continue
        if not groups or kind in groups[-1]:
            groups.append({})
        groups[-1][kind] = rest
        n_named += kind != "dates"
    if n_named < len(dated):
        return []
    found = []
    for group in groups:
        own = _without_places(_parts(_without_range(group.get("dates", "")), 0), places)
        title, company = (
            next((part.text for part in _without_places(_parts(group.get(kind, ""), 0), places)), None)
            for kind in ("title", "company")
        )
        title = title or next((part.text for part in own if role_score(part.text) > 1), None)
        company = company or next((part.text for part in own if role_score(part.text) <= 2), None)
        found.append(Employment(title, company, next(iter(find_periods(group.get("dates", ""))), None)))
    return found


def is_duration(text: str) -> bool:
    """Whether the text is only a length of time: "4 years 2 months"."""
    return _DURATION.fullmatch(text.strip()) is not None


def title_in(text: str) -> str | None:
    """The job title in a line such as "Backend Developer | Python | Berlin"; None if it has none."""
    sure = (part.text for part in _parts(text, 0) if role_score(part.text) >= _SURE_OF_ROLE)
    parts = [part for part in sure if not re.search(r"@|https?:|\d{4}", part)]
    return parts[0] if parts and len(parts[0].split()) <= _MAX_TITLE_WORDS else None


def _dated(lines: Sequence[str]) -> list[int]:
    """Indexes of the lines that date an employment: not those of sentences and items, unless there is nothing else."""
    ranged = [index for index, each in enumerate(lines) if find_periods(each)]
    plain = [index for index in ranged if not BULLET.match(lines[index]) and not _is_sentence(lines[index])]
    if plain:
        single = [
            index for index, each in enumerate(lines) if index not in set(ranged) and _has_single_date(each)
        ]  # fmt: skip
        return sorted([*plain, *single])
    return ranged or [index for index, each in enumerate(lines) if _has_single_date(each)]


def _has_single_date(text: str) -> bool:
    """Whether a short line begins or ends with a date."""
    if BULLET.match(text) or len(text) > _MAX_LINE_CHARACTERS or _is_sentence(text):
        return False
    bare = text.rstrip(" )].,")
    return any(
        start == 0 or (end == len(bare) and _BEFORE_DATE.search(bare[:start])) for start, end in find_dates(bare)
    )  # fmt: skip


def _is_sentence(text: str) -> bool:
    return (
        len(_without_range(text)) > _MAX_LINE_CHARACTERS
        or (
            len(text.split()) > 4
            and text.rstrip().endswith((".", ";"))
            and not LEGAL_FORM.fullmatch(text.split()[-1].rstrip("."))
            and not re.search(r"(?:^|\W)[A-ZА-Я]\.$", text)  # an initial
            and not find_periods(text[-25:])
        )
    )


def _nearby(
    lines: Sequence[str], index: int, dated: set[int], *, is_above: bool, places: frozenset[str]
) -> list[_Part]:
    """Parts of the lines above (or below) up to the first that is dated, an item, or a sentence; without places."""
    step, most = (-1, _LINES_BEFORE) if is_above else (1, _LINES_AFTER)
    found: list[list[_Part]] = []
    at = index + step
    while 0 <= at < len(lines) and at not in dated and len(found) < most:
        if not is_duration(lines[at]):
            if _is_body(lines[at]):
                break
            found.append(_without_places(_parts(lines[at], step * (len(found) + 1)), places))
        at += step
    if not is_above:
        return [part for parts in found for part in parts]
    near = [part for parts in found[:2] for part in parts]
    if len(near) > 1 and any(names_role(part.text) for part in near) and not any(names_role(p.text) for p in found[-1]):
        found = found[:2]  # the third is the end of the employment before
    return [part for parts in reversed(found) for part in parts]


def _is_body(text: str) -> bool:
    label = label_of_entry(text)
    if label is not None:
        return label[0] == "body"
    return bool(
        (BULLET.match(text) and not _ASIDE_GAP.search(text))
        or len(text) > _MAX_LINE_CHARACTERS
        or _is_sentence(text)
        or find_periods(text)
        or (re.match("[a-zа-яё]{2}", text) and not names_role(text))
        or (len(text.split()) > 4 and _BODY_VERBS.match(text) and not _APART.search(text))
    )  # fmt: skip


def _is_title_first(groups: Iterable[Sequence[_Part]]) -> bool | None:
    """Whether titles stand before companies in most employments of the resume that tell; None if none does."""
    votes = 0
    for parts in groups:
        scores = [role_score(part.text) for part in parts]
        if len(parts) > 1 and max(scores) > 1:
            votes += 1 if scores.index(max(scores)) == 0 else -1
    return votes > 0 if votes else None


def _employment(
    own: Sequence[_Part], nearby: Sequence[_Part], *, is_title_first: bool | None
) -> tuple[str | None, str | None]:
    """(title, company) of one employment."""
    parts = [*(part for part in nearby if part.line < 0), *own, *(part for part in nearby if part.line > 0)]
    title = _title(own) or _title(parts)
    if title is None:
        return _without_role(own, parts, is_title_first=is_title_first)
    company = _company(title, own if title in own and _company(title, own) else parts)
    if company is None and (bracketed := _IN_BRACKETS.fullmatch(title.text)) and not _is_aside(bracketed[2]):
        return bracketed[1], bracketed[2]
    return title.text, company


def _title(parts: Sequence[_Part]) -> _Part | None:
    best = max(parts, key=lambda part: (role_score(part.text), -abs(part.line)), default=None)
    if best is None or not names_role(best.text):
        return None
    return best if role_score(best.text) > 1 or _only(best, parts) else None


def _only(part: _Part, parts: Sequence[_Part]) -> bool:
    """Whether the part may be the title though it looks like an organisation: another one may be the organisation."""
    return any(other is not part and names_organisation(other.text) for other in parts)


def _without_role(
    own: Sequence[_Part], parts: Sequence[_Part], *, is_title_first: bool | None
) -> tuple[str | None, str | None]:
    """Title and company if no part has a word for an occupation: by legal form, else in the order of the others."""
    named = [part for part in (own if len(own) > 1 else parts) if not _is_aside(part.text)][:2]
    company = next((part for part in named if names_organisation(part.text)), None)
    if company is not None:
        return None, company.text
    if len(named) < 2 or named[1].by_comma or is_title_first is None:
        return None, None
    return (named[0].text, named[1].text) if is_title_first else (named[1].text, named[0].text)


def _company(title: _Part, parts: Sequence[_Part]) -> str | None:
    """The company beside a title: with a legal form, in the line of the title, or in the nearest line."""
    at = list(parts).index(title) if title in parts else 0
    ranked = []
    for position, part in enumerate(parts):
        if part is title or _is_aside(part.text) or role_score(part.text) > 2:
            continue
        is_beside = part.line == title.line
        score = (
            2 * names_organisation(part.text)
            + 2 * is_beside
            - (part.by_comma and not is_beside)
            - (part.line if min(part.line, title.line) > 0 else abs(part.line - title.line))
            - (0.1 * abs(position - at))
            + 0.5 * (part.line < title.line)
        )  # fmt: skip
        ranked.append((score, -position, part.text))
    if not ranked:
        return None
    score, _, text = max(ranked)
    return text if score > -4 else None


def _without_places(parts: Sequence[_Part], places: frozenset[str]) -> list[_Part]:
    """The parts without cities and what follows one behind a comma; the first of two that stand apart stays, because
    some companies are named like a city."""
    is_place: list[bool] = []
    parts = [replace(part, text=_without_place_in_brackets(part.text, places)) for part in parts]
    for position, part in enumerate(parts):
        before_state = position + 1 < len(parts) and parts[position + 1].by_comma and _is_state(parts[position + 1])
        is_place.append(
            before_state
            or (part.by_comma and (_is_state(part) or (position > 0 and is_place[-1])))
            or _place_name(part.text) in places
        )
    kept = [part for part, is_city in zip(parts, is_place, strict=True) if not is_city]
    apart = [part for part, is_city in zip(parts, is_place, strict=True) if is_city and not part.by_comma]
    return [apart[0], *kept] if len(apart) > 1 and not any(role_score(part.text) < 2 for part in kept) else kept


def _place_name(text: str) -> str:
    return re.sub(r"^(?:г\.|город)\s*", "", text.casefold().replace("ё", "е"))


def _without_place_in_brackets(text: str, places: frozenset[str]) -> str:
    """The text without a place in brackets behind it: "Acme GmbH" of "Acme GmbH (Berlin)"."""
    name, _, behind = text.partition(" (")
    return name if behind and _place_name(behind.rstrip(")").split(",")[0]) in places else text


def _is_state(part: _Part) -> bool:
    return _STATE.fullmatch(part.text) is not None


def _is_aside(text: str) -> bool:
    return is_kind_of_employment(text) or is_department(text) or _SITE.fullmatch(text) is not None


def _completeness(found: tuple[str | None, str | None]) -> float:
    title, company = found
    return (
        (1.5 if title else 0) + (1 if company else 0) + (0.5 if company and names_organisation(company) else 0)
    )  # fmt: skip


def _ranges_joined(lines: Sequence[str]) -> list[str]:
    """The lines, with ranges that are broken after the dash ("March 2022 —" / "present") joined to one line."""
    found: list[str] = []
    for each in lines:
        if found and _TRAILING_DASH.search(found[-1]) and len(found[-1]) < _MAX_LINE_CHARACTERS:
            together = f"{found[-1]} {each}"
            if any(period.end > len(found[-1]) for period in find_periods(together)):
                found[-1] = together
                continue
        found.append(each)
    return found


def _without_range(text: str) -> str:
    periods = find_periods(text)
    start, end = (periods[0].start, periods[0].end) if periods else next(iter(find_dates(text)), (0, 0))
    before, after = text[:start], text[end:]
    return f"{_LEADING.sub('', before)} | {after}"


def _parts(text: str, distance: int) -> list[_Part]:
    """What separators part in a line; a legal form stays with its company: "Hooli, Inc."."""
    label = label_of_entry(bare := BULLET.sub("", text))
    bare = _DURATION.sub(" | ", label[1] if label and label[0] != "body" else bare)
    bare = _COMMA_IN_BRACKETS.sub(_HELD_COMMA, bare)
    pieces: list[_Part] = []
    position, separator = 0, ""
    for match in [*_PART_SEPARATOR.finditer(bare), None]:
        piece = bare[position : match.start() if match else len(bare)].strip(" ()[]—–-|,;:\t·*•@~")
        piece = piece.replace(_HELD_COMMA, ",")
        by_comma = separator.strip() == ","
        if pieces and by_comma and LEGAL_FORM.fullmatch(piece.partition(" (")[0]):
            pieces[-1] = _Part(f"{pieces[-1].text}, {_closed(piece)}", distance, pieces[-1].by_comma)
        elif 1 < len(piece) <= _MAX_PART_CHARACTERS and re.search(r"[^\W\d_]", piece) and not _SITE.fullmatch(piece):
            pieces += [_Part(one, distance, by_comma) for one in _title_apart(_closed(piece))]
        if match:
            position, separator = match.end(), match[0]
    return pieces


def _title_apart(piece: str) -> list[str]:
    """Title and company that no separator parts: "Driver for Acme Ltd", "Acme Ltd Driver"."""
    piece = _WORKED_AS.sub("", piece)
    if (match := _FOR_COMPANY.fullmatch(piece)) and names_role(match[1]) and names_organisation(match[2]):
        return [match[1], match[2]]
    if (match := _AFTER_LEGAL_FORM.fullmatch(piece)) and names_role(match[2]):
        return [match[1], match[2]]
    return [piece]


def _closed(piece: str) -> str:
    """The piece with the bracket that stripping took from its end."""
    return f"{piece})" if piece.count("(") > piece.count(")") else piece
