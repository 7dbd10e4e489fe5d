"""Reasons "similar to" against what readers say of pairs of postings, with the shipped encoder."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assets.config.files import SHIPPED_VOCABULARY
from features.vocabulary.roles import Roles
from models.arrays import Floats, sorted_ids
from models.explanations.similarity import common_share, reads_as_similar
from models.fitting.embeddings import TextModel, embed, keyed_texts, text_vectors
from models.fitting.job_vectors import build_job_vectors
from models.ranking.job_arrays import csr_from_lists

PAIRS = pl.read_csv(Path(__file__).parent / "similar_jobs.tsv", separator="\t")
IS_SIMILAR = (PAIRS["is_similar"] == "yes").to_numpy()


@pytest.fixture(scope="module")
def postings() -> pl.DataFrame:
    """Every posting of the pairs once: job_id, title, skills, roles."""
    columns = [("title", "skills"), ("other_title", "other_skills")]
    both = pl.concat([PAIRS.select(title=title, skills=skills) for title, skills in columns]).unique(
        maintain_order=True
    )
    return both.with_row_index("row").with_columns(
        job_id=pl.format("file:{}", pl.col("row").cast(pl.String).str.zfill(4)),
        roles=roles_of(both["title"]),
    )


def roles_of(titles: pl.Series) -> pl.Series:
    """The roles of jobs with these titles: that of the title, and the general one that HeadHunter adds."""
    roles = Roles.load(SHIPPED_VOCABULARY)
    named = pl.DataFrame({"slug": roles.canonicalise(titles)}).join(
        roles.names, on="slug", how="left", maintain_order="left"
    )
    general = pl.when(pl.col("family") == "software_development").then(pl.lit("software_developer"))
    return named.select(roles=pl.concat_list("slug", general).list.drop_nulls().list.unique()).to_series()


def pair_rows(postings: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The rows of both postings of each pair."""
    found = PAIRS.join(
        postings.select("title", "skills", "row"), on=["title", "skills"], how="left", maintain_order="left"
    )
    other = postings.select(other_title="title", other_skills="skills", other="row")
    found = found.join(other, on=["other_title", "other_skills"], how="left", maintain_order="left")
    return found["row"], found["other"]


@pytest.fixture(scope="module")
def cosine(postings: pl.DataFrame) -> Floats:
    """The cosine of the vectors of each pair, made as the pipeline makes them."""
    nothing = pl.lit(None, pl.String)
    texts = postings.select("job_id", "title", skills=pl.col("skills").str.split(","), extract=nothing, about=nothing)
    from models.fitting.usem3_encoder import Usem3Embedder

    model = TextModel("usem3")
    distinct = pl.concat([texts["title"], texts["skills"].explode()]).unique().sort()
    keyed = keyed_texts(model, passages=distinct, queries=distinct.clear())
    embedded = text_vectors(embed(keyed, Usem3Embedder(n_threads=1)).lazy(), space=model.identity, texts=distinct)
    vectors = build_job_vectors(texts, embedded, model=model.identity).vectors
    one, other = pair_rows(postings)
    return np.asarray(np.einsum("ij,ij->i", vectors[one.to_numpy()], vectors[other.to_numpy()]), dtype=np.float32)


@pytest.fixture(scope="module")
def shares(postings: pl.DataFrame) -> dict[str, Any]:
    """What both postings of each pair have in common."""
    one, other = (rows.to_numpy() for rows in pair_rows(postings))
    roles = csr_from_lists(postings["roles"], sorted_ids(postings["roles"].explode()))
    skills = postings["skills"].str.split(",")
    return {
        "role_share": common_share(roles, one, other),
        "skill_share": common_share(csr_from_lists(skills, sorted_ids(skills.explode())), one, other),
    }


def test_the_pairs_are_of_both_languages_and_labels() -> None:
    is_russian = PAIRS.select(pl.col("title", "other_title").str.contains("[а-яА-Я]"))
    assert (
        PAIRS.height == 300 and not PAIRS.select("title", "skills", "other_title", "other_skills").is_duplicated().any()
    )
    assert 0.25 < IS_SIMILAR.mean() < 0.75
    assert all(0.2 < column.mean() < 0.8 for column in is_russian.get_columns())  # type: ignore[operator]


def test_similar_jobs_are_similar_to_readers(cosine: Floats, shares: dict[str, Any]) -> None:
    found = reads_as_similar(cosine, **shares)
    assert IS_SIMILAR[found].mean() >= 0.95
    assert found[IS_SIMILAR].mean() >= 0.75


def test_the_cosine_alone_does_not_tell(cosine: Floats) -> None:
    """Why the reason looks at roles and skills too: no bound gives the same precision with as many reasons."""
    bounds = np.arange(0.4, 0.9, 0.01)
    good = [bound for bound in bounds if IS_SIMILAR[cosine >= bound].mean() >= 0.95]
    assert max((cosine >= bound)[IS_SIMILAR].mean() for bound in good) < 0.7


@pytest.mark.parametrize(
    ("cosine", "role_share", "skill_share", "expected"),
    [
        (0.6, 1.0, 0.1, True),
        (0.59, 1.0, 1.0, False),
        (0.79, 1.0, 0.0, False),
        (0.79, 0.5, 1.0, False),
        (0.8, 0.0, 0.5, True),
        (0.89, 0.5, 0.4, False),
        (0.9, 0.0, 0.0, True),
    ],
)
def test_the_bound_depends_on_what_both_name(
    cosine: float, role_share: float, skill_share: float, expected: bool
) -> None:
    assert bool(reads_as_similar(np.array([cosine]), role_share=[role_share], skill_share=[skill_share])[0]) is expected


def test_what_is_common_is_a_share_of_the_shorter_list() -> None:
    table = csr_from_lists(
        pl.Series([["a", "b"], ["b"], ["c", "d", "a"], []], dtype=pl.List(pl.String)), pl.Series(list("abcd"))
    )
    assert common_share(table, np.array([0, 0, 0, 3]), np.array([1, 2, 0, 0])).tolist() == [1.0, 0.5, 1.0, 0.0]
