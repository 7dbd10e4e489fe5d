import datetime as dt

import numpy as np

from tests.models.training_world import encoded, job_rows, job_vectors_of, unit

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)


def test_a_job_is_six_parts_title_and_four_parts_mean_skill() -> None:
    made = job_vectors_of(job_rows({"job_id": "j", "title": "nurse", "skills": ["latin", "care"]}))
    expected = unit(0.6 * encoded("nurse") + 0.4 * unit(encoded("latin") + encoded("care")))
    np.testing.assert_allclose(made.vectors[0], expected, atol=1e-6)


def test_without_skills_the_description_counts_and_without_both_the_title() -> None:
    made = job_vectors_of(
        job_rows({"job_id": "a", "title": "nurse", "extract": "night shifts"}, {"job_id": "b", "title": "nurse"})
    )
    np.testing.assert_allclose(made.vectors[0], unit(0.6 * encoded("nurse") + 0.4 * encoded("night shifts")), atol=1e-6)
    np.testing.assert_allclose(made.vectors[1], encoded("nurse"), atol=1e-6)


def test_a_job_without_texts_has_no_vector_and_no_culture() -> None:
    made = job_vectors_of(job_rows({"job_id": "a"}, {"job_id": "b", "title": "nurse", "about": "we care"}))
    assert not made.vectors[0].any()
    assert made.about_rows.tolist() == [-1, 0]
    np.testing.assert_allclose(made.about_vectors, [encoded("we care")], atol=1e-6)


def test_jobs_are_sorted_by_id_whatever_their_order() -> None:
    rows = job_rows({"job_id": "b", "title": "nurse"}, {"job_id": "a", "title": "welder"})
    one, two = job_vectors_of(rows), job_vectors_of(rows.reverse())
    assert one.job_ids.to_list() == two.job_ids.to_list() == ["a", "b"]
    np.testing.assert_array_equal(one.vectors, two.vectors)
