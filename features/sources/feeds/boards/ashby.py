"""Ashby: all listed jobs of one employer."""

from collections.abc import Mapping

from features.sources.feeds.json_board import Board, Columns, Json, board_pay, joined_places
from features.sources.timestamps import read_timestamp
from features.sources.values import amount, coordinates, first, flag, items, joined, line, mapping, plain, strings, text

_PAY_TYPES = ("Salary", "HourlyRate")


def _ashby(job: Json) -> Columns:
    address = mapping(mapping(job.get("address")).get("postalAddress"))
    compensation = mapping(job.get("compensation"))
    return {
        "title": plain(job.get("title")),
        "description": first(text, job, "descriptionHtml", "descriptionPlain"),
        "location_text": joined_places([line(job.get("location")), *map(_place, items(job.get("secondaryLocations")))]),
        "city": line(address.get("addressLocality")),
        "region": line(address.get("addressRegion")),
        "country": line(address.get("addressCountry")),
        **coordinates(job.get("latitude"), job.get("longitude")),
        "work_format": text(job.get("workplaceType")) or ("remote" if flag(job.get("isRemote")) else None),
        "employment_type": text(job.get("employmentType")),
        **_pay(compensation),
        "salary_text": _pay_text(compensation),
        "tags": strings([job.get("department"), job.get("team")]),
        "published_at": read_timestamp(job.get("publishedAt")),
    }


def _place(value: object) -> str | None:
    """A secondary location: its name, else its address, which may lie in `postalAddress`."""
    place = mapping(value)
    address = mapping(place.get("address"))
    parts = mapping(address.get("postalAddress")) or address
    written = joined(parts.get(name) for name in ("addressLocality", "addressRegion", "addressCountry"))
    return line(place.get("location")) or line(place.get("locationName")) or written or line(value)


def _pay_text(compensation: Json) -> str | None:
    """Pay in words: of the salary alone, of all parts, or of the only tier."""
    tiers = strings(mapping(tier).get("tierSummary") for tier in items(compensation.get("compensationTiers"))) or []
    stated = first(line, compensation, "scrapeableCompensationSalarySummary", "compensationTierSummary")
    return stated or (tiers[0] if len(tiers) == 1 else None)


def _pay(compensation: Json) -> Columns:
    """Pay of the summary, else of all tiers together, from the least to the most.

    Tiers are zones of the employer. If they differ in currency or interval, the first one counts.
    """
    of_tiers = [one for tier in items(compensation.get("compensationTiers")) for one in _components(tier, "components")]
    found = _components(compensation, "summaryComponents") or of_tiers
    if not found:
        return {}
    unit = _unit(found[0])
    alike = found if all(_unit(one) == unit for one in found) else found[:1]
    lower, upper = ([amount(one.get(name)) for one in alike] for name in ("minValue", "maxValue"))
    return board_pay(
        None if None in lower else min(one for one in lower if one),
        None if None in upper else max(one for one in upper if one),
        currency=unit[0],
        stated_period=unit[1],
    )


def _components(holder: object, name: str) -> list[Mapping[str, object]]:
    """The components that state the pay itself; others are equity, bonus and commission."""
    found = map(mapping, items(mapping(holder).get(name)))
    return [
        one
        for one in found
        if text(one.get("compensationType")) in _PAY_TYPES
        and (amount(one.get("minValue")) is not None or amount(one.get("maxValue")) is not None)
    ]


def _unit(component: Mapping[str, object]) -> tuple[str | None, str | None]:
    return text(component.get("currencyCode")), text(component.get("interval"))


FORMAT = Board(_ashby, urls=("jobUrl", "applyUrl"), is_listed="isListed").known_by("jobUrl", "isListed")
