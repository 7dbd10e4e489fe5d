import numpy as np
import polars as pl
import pytest

from features.schemas.training import SIMILAR_JOBS
from models.fitting.item_knn import JobNeighbours, fit_also_applied
from models.fitting.job_vectors import JobVectors
from models.fitting.similar_jobs import SimilarClusters, SimilarSettings, similar_jobs, similar_jobs_again


def vectors(rows: np.ndarray) -> JobVectors:
    length = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    ids = pl.Series([f"j{number:04d}" for number in range(len(rows))])
    nothing = np.zeros((0, rows.shape[1]), dtype=np.float32)
    return JobVectors(ids, (rows / length).astype(np.float32), nothing, np.full(len(rows), -1, dtype=np.int32))


def jobs(known: JobVectors, **changes: dict[str, str | None]) -> pl.DataFrame:
    rows = [
        {"job_id": job_id, "status": "open", "duplicate_of": None, **changes.get(job_id, {})}
        for job_id in known.job_ids.to_list()
    ]
    return pl.DataFrame(rows, schema={"job_id": pl.String, "status": pl.String, "duplicate_of": pl.String})


def nobody() -> JobNeighbours:
    return fit_also_applied(
        pl.DataFrame(schema={"user_id": pl.String, "job_id": pl.String, "last_at": pl.Datetime("us", "UTC")})
    )


def lists(table: pl.DataFrame) -> dict[str, list[str]]:
    SIMILAR_JOBS.validate(table)
    return {row["job_id"]: [item["job_id"] for item in row["items"]] for row in table.to_dicts()}


ALL = SimilarClusters(np.zeros((0, 0), dtype=np.float32))  # all jobs are compared
FOUR = vectors(np.array([[1, 0, 0], [0.9, 0.1, 0], [0.8, 0.3, 0], [0, 0, 1]]))


def test_the_most_similar_come_first_and_never_the_job_itself() -> None:
    found = lists(similar_jobs(jobs(FOUR), FOUR, nobody(), ALL))
    assert found["j0000"] == ["j0001", "j0002"]
    assert found["j0003"] == []


def test_closed_jobs_and_duplicates_are_in_no_list() -> None:
    frame = jobs(FOUR, j0001={"status": "closed"}, j0002={"duplicate_of": "j0000"})
    found = lists(similar_jobs(frame, FOUR, nobody(), ALL))
    assert set(found) == {"j0000", "j0002", "j0003"}
    assert found["j0000"] == []
    assert found["j0002"] == []


def test_a_duplicate_has_the_similar_jobs_of_its_representative() -> None:
    frame = jobs(FOUR, j0002={"duplicate_of": "j0000"})
    assert lists(similar_jobs(frame, FOUR, nobody(), ALL))["j0002"] == ["j0001"]


def test_the_same_applicants_raise_a_job() -> None:
    people = [f"u{number}" for number in range(9)]
    pairs = pl.DataFrame({"user_id": people * 2, "job_id": ["j0000"] * 9 + ["j0002"] * 9})
    applied = fit_also_applied(pairs.with_columns(last_at=pl.lit(None, pl.Datetime("us", "UTC"))))
    assert lists(similar_jobs(jobs(FOUR), FOUR, applied, ALL))["j0000"] == ["j0002", "j0001"]


def test_a_job_without_a_vector_has_an_empty_list() -> None:
    known = vectors(np.array([[1.0, 0, 0], [0, 0, 0]]))
    frame = pl.concat(
        [
            jobs(known),
            pl.DataFrame({"job_id": ["new"], "status": ["open"], "duplicate_of": [None]}).cast(
                {"duplicate_of": pl.String}
            ),
        ]
    )
    assert lists(similar_jobs(frame, known, nobody(), ALL)) == {"j0000": [], "j0001": [], "new": []}


def test_no_jobs_give_no_rows() -> None:
    known = vectors(np.zeros((0, 3)))
    assert similar_jobs(jobs(known), known, nobody(), ALL).is_empty()


def test_lists_agree_with_sorting_all_pairs() -> None:
    generator = np.random.default_rng(3)
    known = vectors(generator.random((60, 8)))
    found = similar_jobs(jobs(known), known, nobody(), ALL, settings=SimilarSettings(n_items=5))
    cosine = np.round(known.vectors @ known.vectors.T, 6)
    np.fill_diagonal(cosine, -1)
    for row, items in zip(cosine, lists(found).values(), strict=True):
        expected = sorted(range(60), key=lambda column: (-row[column], column))[:5]
        assert items == [f"j{column:04d}" for column in expected]


def test_clusters_find_nearly_all_similar_jobs() -> None:
    generator = np.random.default_rng(5)
    centres = generator.normal(size=(12, 16))
    known = vectors(centres[generator.integers(0, 12, 900)] + 0.35 * generator.normal(size=(900, 16)))
    frame = jobs(known)
    clusters = SimilarClusters.fit(frame, known, seed=1, exact_jobs=100)
    exact = lists(similar_jobs(frame, known, nobody(), ALL))
    clustered = lists(similar_jobs(frame, known, nobody(), clusters))
    shared = [len(set(exact[job]) & set(clustered[job])) / max(len(exact[job]), 1) for job in exact]
    assert np.mean(shared) > 0.9
    assert clustered == lists(similar_jobs(frame.reverse(), known, nobody(), clusters))


@pytest.mark.parametrize("exact_jobs", [10, 100])
@pytest.mark.parametrize("seed", range(4))
def test_lists_brought_up_to_date_are_those_made_anew(seed: int, exact_jobs: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(0.3, 1, (80, 5))
    known, at = vectors(rows), pl.lit(0).cast(pl.Datetime("us", "UTC"))
    pairs = pl.DataFrame(
        {
            "user_id": [f"u{number}" for number in rng.integers(0, 12, 300)],
            "job_id": known.job_ids.gather(rng.integers(0, 80, 300)),
        }
    )
    shared = fit_also_applied(pairs.unique().sort("user_id", "job_id").with_columns(last_at=at))
    settings = SimilarSettings(n_items=5)
    hidden = [f"j{number:04d}" for number in rng.choice(80, 10, replace=False)]
    frame = jobs(known).filter(~pl.col("job_id").is_in(hidden))
    clusters = SimilarClusters.fit(frame, known, seed=1, exact_jobs=exact_jobs)
    stored = similar_jobs(frame, known, shared, clusters, settings=settings)
    for n_hidden in (7, 3, 0):
        before = frame
        moved = rng.choice(80, 6, replace=False)
        rows[moved] = rng.normal(0.3, 1, (6, 5))
        rows[moved[0]] = 0
        known = vectors(rows)
        names = [f"j{number:04d}" for number in moved]
        frame = jobs(known, **{names[3]: {"status": "closed"}, names[4]: {"duplicate_of": names[1]}})
        frame = frame.filter(~pl.col("job_id").is_in(hidden[:n_hidden]))
        differing = [
            one.join(other, on=one.columns, how="anti", nulls_equal=True)["job_id"]
            for one, other in ((before, frame), (frame, before))
        ]
        changed = pl.concat([*differing, pl.Series(names)]).unique().sort()
        again = similar_jobs_again(stored, frame, known, shared, clusters, changed=changed, settings=settings)
        expected = similar_jobs(frame, known, shared, clusters, settings=settings)
        kept = stored.join(again, on="job_id", how="anti").join(expected, on="job_id", how="semi")
        assert 0 < len(again) < len(expected)
        stored = pl.concat([kept, again]).sort("job_id")
        assert stored.equals(expected)
