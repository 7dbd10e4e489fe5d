import polars as pl

from assets.plots import bar_chart


def test_a_bar_chart_is_a_small_picture_and_always_the_same():
    frame = pl.DataFrame({"skill": ["C++", "Навык [1].a"], "n_jobs": [3, 2]})
    first, second = (bar_chart(frame, "skill", "n_jobs", "Skills in demand").md_str for _ in range(2))
    assert first.startswith("![Skills in demand](data:image/png;base64,iVBOR")
    assert first == second
    assert len(first) < 60_000


def test_no_rows_give_a_sentence():
    frame = pl.DataFrame({"skill": [], "n_jobs": []})
    assert bar_chart(frame, "skill", "n_jobs", "Skills").md_str == "Skills: no data yet"
