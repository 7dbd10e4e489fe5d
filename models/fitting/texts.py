"""The texts of a job and of a user that are embedded."""

import polars as pl

from features.text.normalise import about_extract

# Grain: one job. Null where a job has no such text.
JOB_TEXTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "job_id": pl.String,
    "title": pl.String,
    "skills": pl.List(pl.String),
    "extract": pl.String,
    "about": pl.String,
}
USER_TEXTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "user_id": pl.String,
    "roles": pl.List(pl.String),
    "skills": pl.List(pl.String),
    "summary": pl.String,
}


def job_texts(jobs: pl.DataFrame, *, max_characters: int) -> pl.DataFrame:
    """JOB_TEXTS in the order of `jobs`: title, skills, extract and self-description of the company (`about`).

    The extract is the start of the description, for jobs without skills only. `about` comes from the company's newest
    posting with a description, because each text that differs by posting would have to be embedded.
    """
    company = pl.coalesce("company_id", "company")
    newest = (
        jobs.select(company.alias("_company"), "published_at", "job_id", "description")
        .filter(pl.col("_company").is_not_null(), pl.col("description").str.strip_chars() != "")
        .sort(["_company", "published_at", "job_id"], descending=[False, True, False], nulls_last=True)
        .unique("_company", keep="first", maintain_order=True)
    )
    abouts = newest.select("_company", about=about_extract(newest["description"], max_characters))
    abouts = abouts.with_columns(_clean(pl.col("about"), max_characters))  # once per company
    has_no_skills = pl.col("skills").list.len().fill_null(0) == 0
    return (
        jobs.with_columns(_company=company)
        .join(abouts, on="_company", how="left", maintain_order="left")
        .select(
            "job_id",
            _clean(pl.col("title"), max_characters).alias("title"),
            _clean_list("skills", max_characters),
            _clean(pl.when(has_no_skills).then(pl.col("description")), max_characters).alias("extract"),
            "about",
        )
        .cast(pl.Schema(JOB_TEXTS))
    )


def user_texts(profiles: pl.DataFrame, *, max_characters: int) -> pl.DataFrame:
    """USER_TEXTS in the order of `profiles` (USER_PROFILES): roles as words, skills and the summary."""
    words = profiles.with_columns(pl.col("roles").list.eval(pl.element().str.replace_all("_", " ", literal=True)))
    return words.select(
        "user_id",
        _clean_list("roles", max_characters),
        _clean_list("skills", max_characters),
        _clean(pl.col("summary"), max_characters),
    ).cast(pl.Schema(USER_TEXTS))


def distinct_texts(*columns: pl.Series) -> pl.Series:
    """The distinct texts of columns of strings and of lists of strings, sorted, without null."""
    flat = [column.explode() if isinstance(column.dtype, pl.List) else column for column in columns]
    return pl.concat([column.cast(pl.String).alias("text") for column in flat]).drop_nulls().unique().sort()


def commonest_texts(texts: pl.Series, *, most: int) -> pl.Series:
    """At most `most` distinct texts, the most frequent ones (ties by text), sorted. Bounds the cost of embedding."""
    counted = texts.drop_nulls().alias("text").to_frame().group_by("text").len()
    return counted.sort(["len", "text"], descending=[True, False]).head(most)["text"].sort()


def _clean(text: pl.Expr, max_characters: int) -> pl.Expr:
    """One line of at most `max_characters`; null where nothing is left."""
    # The cut comes before the pattern: descriptions are long.
    cut = text.str.slice(0, 4 * max_characters).str.replace_all(r"\s+", " ").str.strip_chars()
    cut = cut.str.slice(0, max_characters).str.strip_chars_end()
    return pl.when(cut != "").then(cut)


def _clean_list(name: str, max_characters: int) -> pl.Expr:
    cleaned = _clean(pl.element(), max_characters)
    return pl.col(name).list.eval(cleaned).list.drop_nulls().list.unique(maintain_order=True).alias(name)
