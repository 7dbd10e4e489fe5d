"""Ashby: all listed jobs of one employer."""

from features.sources.feeds.json_board import Board, Columns, Json, board_pay
from features.sources.timestamps import read_timestamp
from features.sources.values import coordinates, first, flag, items, line, mapping, plain, strings, text


def _ashby(job: Json) -> Columns:
    address = mapping(mapping(job.get("address")).get("postalAddress"))
    compensation = mapping(job.get("compensation"))
    parts = map(mapping, items(compensation.get("summaryComponents")))
    pay = next((part for part in parts if text(part.get("compensationType")) in ("Salary", "HourlyRate")), {})
    return {
        "title": plain(job.get("title")),
        "description": first(text, job, "descriptionHtml", "descriptionPlain"),
        "location_text": line(job.get("location")),
        "city": line(address.get("addressLocality")),
        "region": line(address.get("addressRegion")),
        "country": line(address.get("addressCountry")),
        **coordinates(job.get("latitude"), job.get("longitude")),
        "work_format": text(job.get("workplaceType")) or ("remote" if flag(job.get("isRemote")) else None),
        "employment_type": text(job.get("employmentType")),
        **board_pay(
            pay.get("minValue"),
            pay.get("maxValue"),
            currency=pay.get("currencyCode"),
            stated_period=pay.get("interval"),
        ),
        "salary_text": line(compensation.get("compensationTierSummary")),
        "tags": strings([job.get("department"), job.get("team")]),
        "published_at": read_timestamp(job.get("publishedAt")),
    }


FORMAT = Board(_ashby, urls=("jobUrl", "applyUrl"), is_listed="isListed").known_by("jobUrl", "isListed")
