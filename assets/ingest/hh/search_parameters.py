"""What a query of HeadHunter's search may set beside text, area and role.

HH silently ignores what it does not know, and then finds more than was wanted: so names and values are checked here.
"""

from collections.abc import Mapping, Sequence

_FLAG = frozenset({"true", "false"})
# Parameter: the values it takes; None for any (ids, numbers, free text).
PARAMETERS: Mapping[str, frozenset[str] | None] = {
    "search_field": frozenset({"name", "company_name", "description"}),
    "excluded_text": None,
    "metro": None,
    "industry": None,
    "employer_id": None,
    "experience": frozenset({"noExperience", "between1And3", "between3And6", "moreThan6"}),
    "employment": frozenset({"full", "part", "project", "volunteer", "probation"}),
    "employment_form": frozenset({"FULL", "PART", "PROJECT", "FLY_IN_FLY_OUT"}),
    "schedule": frozenset({"fullDay", "shift", "flexible", "remote", "flyInFlyOut"}),
    "work_format": frozenset({"ON_SITE", "REMOTE", "HYBRID", "FIELD_WORK"}),
    "work_schedule_by_days": None,
    "working_hours": None,
    "part_time": None,
    "education": None,
    "driver_license_types": None,
    "accept_temporary": _FLAG,
    "salary": None,
    "currency": frozenset({"AZN", "BYR", "EUR", "GEL", "KGS", "KZT", "RUR", "UAH", "USD", "UZS"}),
    "salary_frequency": frozenset({"DAILY", "WEEKLY", "TWICE_PER_MONTH", "MONTHLY", "PER_PROJECT"}),
    "salary_mode": frozenset({"MONTH", "HOUR", "SHIFT", "SERVICE", "FLY_IN_FLY_OUT"}),
    "only_with_salary": _FLAG,
    "label": frozenset({
        "with_address", "accept_handicapped", "not_from_agency", "accept_kids", "accept_teens", "accredited_it",
        "low_performance", "internship", "with_salary",
    }),
    "top_lat": None,
    "bottom_lat": None,
    "left_lng": None,
    "right_lng": None,
    "host": frozenset({"hh.ru", "rabota.by", "hh1.az", "hh.uz", "hh.kz", "headhunter.ge", "headhunter.kg"}),
}  # fmt: skip
_BOX = frozenset({"top_lat", "bottom_lat", "left_lng", "right_lng"})


def problems(extra: Mapping[str, str | Sequence[str]]) -> list[str]:
    """What is wrong with `extra`, naming the parameter, the value and what is allowed; empty if nothing is."""
    found: list[str] = []
    for name, stated in extra.items():
        values = [stated] if isinstance(stated, str) else list(stated)
        if name not in PARAMETERS:
            found.append(f"unknown parameter {name!r}; allowed are {', '.join(sorted(PARAMETERS))}")
            continue
        allowed = PARAMETERS[name]
        wrong = [value for value in values if allowed is not None and value not in allowed]
        if wrong:
            found.append(f"{name}: {', '.join(map(repr, wrong))}; allowed are {', '.join(sorted(allowed or ()))}")
    if 0 < len(_BOX & set(extra)) < len(_BOX):
        found.append(f"{', '.join(sorted(_BOX))} go together; given are {', '.join(sorted(_BOX & set(extra)))}")
    return found
