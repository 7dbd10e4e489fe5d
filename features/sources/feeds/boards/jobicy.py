"""Jobicy: one answer with the newest jobs."""

from features.sources.feeds.json_board import Board, Columns, Json, board_pay, plain_strings
from features.sources.timestamps import read_timestamp
from features.sources.values import amount, first, joined, plain, text


def _jobicy(job: Json) -> Columns:
    """Pay has older keys (annualSalaryMin) and newer ones."""
    is_annual = "annualSalaryMin" in job or "annualSalaryMax" in job
    return {
        "title": plain(job.get("jobTitle")),
        "company": plain(job.get("companyName")),
        "description": first(text, job, "jobDescription", "jobExcerpt"),
        "location_text": plain(job.get("jobGeo")),
        "work_format": "remote",
        "employment_type": joined(plain_strings(job.get("jobType"))),
        "career_level": plain(job.get("jobLevel")),
        **board_pay(
            first(amount, job, "salaryMin", "annualSalaryMin"),
            first(amount, job, "salaryMax", "annualSalaryMax"),
            currency=job.get("salaryCurrency"),
            stated_period="year" if is_annual else job.get("salaryPeriod"),
        ),
        "tags": plain_strings(job.get("jobIndustry")),
        "published_at": read_timestamp(job.get("pubDate")),
    }


FORMAT = Board(_jobicy).known_by("jobTitle", "jobSlug")
