"""What digests say besides jobs, fitted to each reader: demand for skills of the wanted roles, and skills to learn."""

import polars as pl

from features.schemas.insight import DIGESTS
from serving.contract.tables import GLOBAL_AREA

_N_TRENDS = 5
_N_SKILLS = 3
# In a country with fewer open jobs for its most wanted skill, the whole market says more.
_LEAST_JOBS_OF_AREA = 20
_SKILLS = pl.List(pl.Struct({"skill": pl.String, "hours": pl.Int32}))


def with_advice(due: pl.DataFrame, skill_gaps: pl.LazyFrame, skill_demand: pl.LazyFrame) -> pl.DataFrame:
    """`due` (user_id and country) with trends (a list of DIGEST_TREND) and skills (a list of skill and hours)."""
    gaps = skill_gaps.join(due.lazy().select("user_id"), on="user_id", how="semi").collect()
    demand = skill_demand.select("skill", "area", "n_jobs", "share", "change").collect()
    advised = due.join(_trends(due, gaps, demand), on="user_id", how="left", maintain_order="left")
    advised = advised.join(_skills(gaps, demand), on="user_id", how="left", maintain_order="left")
    nothing = [
        pl.lit([], kind).alias(name)
        for name, kind in (("trends", DIGESTS.columns["market_trends"]), ("skills", _SKILLS))
    ]
    return advised.with_columns(
        pl.coalesce("trends", nothing[0]).alias("trends"), pl.coalesce("skills", nothing[1]).alias("skills")
    )


def _trends(due: pl.DataFrame, gaps: pl.DataFrame, demand: pl.DataFrame) -> pl.DataFrame:
    """Columns user_id, trends: what is asked for most in the reader's country among the skills of the wanted roles.

    For readers without a wanted role, among all skills.
    """
    areas = demand.group_by("area").agg(most=pl.col("n_jobs").max()).filter(pl.col("most") >= _LEAST_JOBS_OF_AREA)
    area = pl.when(pl.col("country").is_in(areas["area"].to_list())).then("country").otherwise(pl.lit(GLOBAL_AREA))
    places = due.select("user_id", area=area)
    asked = pl.concat(
        [
            *(gaps.select("user_id", pl.col(state).alias("skill")) for state in ("has", "partial")),
            gaps.select("user_id", pl.col("missing").list.eval(pl.element().struct.field("skill")).alias("skill")),
        ]
    )
    of_roles = (
        asked.explode("skill").drop_nulls().unique().join(places, on="user_id").join(demand, on=["skill", "area"])
    )
    most = demand.sort("area", "n_jobs", "skill", descending=[False, True, False]).group_by("area", maintain_order=True)
    of_all = places.join(of_roles, on="user_id", how="anti").join(most.head(_N_TRENDS), on="area")
    columns = ["user_id", "skill", "n_jobs", "change"]
    return (
        pl.concat([of_roles.select(columns), of_all.select(columns)])
        .sort("user_id", "n_jobs", "skill", descending=[False, True, False])
        .group_by("user_id", maintain_order=True)
        .agg(trends=pl.struct(pl.col("skill").alias("name"), "n_jobs", "change").head(_N_TRENDS))
    )


def _skills(gaps: pl.DataFrame, demand: pl.DataFrame) -> pl.DataFrame:
    """Columns user_id, skills: missing skills of most impact on the wanted roles, and the hours to learn them.

    A skill that the whole market asks for more often than the role does is none of the role's: spreadsheets for a
    developer.
    """
    everywhere = demand.filter(pl.col("area") == GLOBAL_AREA).select("skill", "share")
    missing = gaps.select("user_id", "missing").explode("missing").drop_nulls("missing").unnest("missing")
    return (
        missing.join(everywhere, on="skill", how="left")
        .filter(pl.col("impact") >= pl.col("share").fill_null(0) - 1e-6)
        .sort("user_id", "impact", "skill", descending=[False, True, False])
        .unique(["user_id", "skill"], keep="first", maintain_order=True)
        .group_by("user_id", maintain_order=True)
        .agg(skills=pl.struct("skill", hours="estimated_hours").head(_N_SKILLS))
    )
