import datetime as dt

import polars as pl
import pytest

from assets.plots import bar_chart, lines_over_time, stacks_over_time


def test_a_bar_chart_is_a_small_picture_and_always_the_same():
    frame = pl.DataFrame({"skill": ["C++", "Навык [1].a"], "n_jobs": [3, 2]})
    first, second = (bar_chart(frame, "skill", "n_jobs", "Skills in demand").md_str for _ in range(2))
    assert first.startswith("![Skills in demand](data:image/png;base64,iVBOR")
    assert first == second
    assert len(first) < 12_000


def test_no_rows_give_a_sentence():
    frame = pl.DataFrame({"skill": [], "n_jobs": []})
    assert bar_chart(frame, "skill", "n_jobs", "Skills").md_str == "Skills: no data yet"


@pytest.mark.parametrize("draw", [lines_over_time, stacks_over_time])
def test_what_changes_over_time_is_a_small_picture_or_a_sentence(draw):
    at = [dt.datetime(2026, 3, 1, hour, tzinfo=dt.UTC) for hour in range(24)]
    frame = pl.DataFrame({"at": at * 2, "n": list(range(48)), "source": ["a.b[c]"] * 24 + ["лента"] * 24})
    first, second = (draw(frame, "at", "n", "source", "Entries").md_str for _ in range(2))
    assert first == second and first.startswith("![Entries](data:image/png;base64,iVBOR") and len(first) < 40_000
    assert draw(frame.clear(), "at", "n", "source", "Entries").md_str == "Entries: no data yet"
