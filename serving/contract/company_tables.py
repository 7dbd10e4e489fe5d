"""The published table of companies' profiles, and the structs in its lists."""

from collections.abc import Mapping

from serving.contract.columns import SALARY_MEDIAN, TIMESTAMP, Column, Table

COUNTED: Mapping[str, Column] = {
    "value": Column("varchar", "What is counted"),
    "n_jobs": Column("bigint", "Open postings with it"),
    "share": Column("double", "Their share of the company's open postings", "0–1"),
}
ASKED_SKILL: Mapping[str, Column] = {
    "skill": Column("varchar", "Canonical name of the skill"),
    "n_jobs": COUNTED["n_jobs"],
    "share": COUNTED["share"],
    "is_new": Column("boolean", "Not asked for before the last four weeks"),
}
WEEK_COUNT: Mapping[str, Column] = {
    "week": Column("date", "Monday of the week (UTC)"),
    "n_jobs": Column("bigint", "Jobs first published in the week"),
}
SIMILAR_COMPANY: Mapping[str, Column] = {
    "company_id": Column("varchar", "Company"),
    "company": Column("varchar", "Its name"),
    "score": Column("double", "Cosine of the roles and skills that both seek", "0–1"),
}
COMPANY_FACT: Mapping[str, Column] = {
    "fact": Column("varchar", "What it is about, such as headcount"),
    "value": Column("varchar", "What was said"),
    "source": Column("varchar", "Who said it"),
    "url": Column("varchar", "Where it can be read; http or https only"),
    "observed_at": Column(TIMESTAMP, "When"),
}
COMPANY_NEWS: Mapping[str, Column] = {
    "title": Column("varchar", "Title"),
    "url": Column("varchar", "Page; http or https only"),
    "source": Column("varchar", "Host of the feed that it was read from"),
    "published_at": Column(TIMESTAMP, "When it was published"),
}
INSIGHT: Mapping[str, Column] = {
    "code": Column("varchar", "hiring_more, hiring_less, pays_more, pays_less, new_skills, remote, reposts or answers"),
    "text_en": Column("varchar", "The sentence in English"),
    "text_ru": Column("varchar", "The sentence in Russian"),
}

COMPANY_PROFILES = Table(
    "What is known of companies; one row per company with an open job or one in the last 180 days",
    ("company_id",),
    {
        "company_id": Column("varchar", "Company, as in `jobs`"),
        "company": Column("varchar", "Its name"),
        "as_of": Column(TIMESTAMP, "Instant that the figures from its postings are of"),
        "n_jobs": Column("bigint", "Postings that are known, near-duplicates once"),
        "n_open_jobs": Column("bigint", "Open ones of them"),
        "weeks": Column([WEEK_COUNT], "New postings by week, the last twelve"),
        "change": Column(
            "double",
            "Change of new postings between the last four weeks and the four before, as a share; null if those had "
            "under five",
        ),
        "roles": Column([COUNTED], "Roles of the open postings, the commonest ten"),
        "cities": Column([COUNTED], "Their cities, the commonest ten"),
        "countries": Column([COUNTED], "Their countries, the commonest ten"),
        "work_formats": Column([COUNTED], "Their work formats"),
        "employment_types": Column([COUNTED], "Their employment types"),
        "career_levels": Column([COUNTED], "Their career levels"),
        "languages": Column([COUNTED], "Languages that they are written in"),
        "skills": Column([ASKED_SKILL], "Skills that they ask for, the commonest ten"),
        "n_salaries": Column("bigint", "Open postings that state pay"),
        "salary_monthly_usd_median": SALARY_MEDIAN,
        "market_salary_monthly_usd_median": Column(
            "double",
            "The same of all companies, for the roles and countries of those postings; null where fewer than five "
            "jobs of the market can be compared",
            "USD per month",
        ),
        "salary_ratio": Column("double", "Median of its pay over the market's, posting by posting"),
        "repost_share": Column("double", "Share of postings that repeat an earlier one", "0–1"),
        "n_applications": Column(
            "bigint",
            "Applications of the last year that are at least 30 days old; null if they are of fewer than ten people",
        ),
        "answer_share": Column("double", "Share of them that were answered within 30 days", "0–1"),
        "answer_days_median": Column("double", "Median time to the first answer of those", "days"),
        "similar_companies": Column([SIMILAR_COMPANY], "At most five companies that seek the like"),
        "facts": Column([COMPANY_FACT], "What landed files and GitHub said in the last 30 days"),
        "news": Column([COMPANY_NEWS], "News of the last 30 days, the newest ten"),
        "completeness": Column("double", "Share of twelve kinds of facts that are known", "0–1"),
        "insights": Column([INSIGHT], "Sentences that state their numbers"),
    },
)
