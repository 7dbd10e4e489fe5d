import datetime as dt
from pathlib import Path

import pytest

from assets.publishing.diff import TableDifference, differing_tables, feed_difference
from serving.contract.generation import GenerationError
from tests.factories import AS_OF, feeds, jobs, publish_small, publish_small_changes

HOUR = dt.timedelta(hours=1)
BEFORE = feeds({"anna": ["hh:1", "hh:2"], "b": ["hh:1"], "c": ["hh:1"]})
AFTER = feeds({"anna": ["hh:3", "hh:2"], "c": ["hh:1"], "d": ["hh:1"], "e": ["hh:1"]})


@pytest.mark.parametrize("publish_next", [publish_small, publish_small_changes])
def test_rows_that_came_went_and_changed_are_counted(tmp_path: Path, publish_next: object) -> None:
    one = publish_small(tmp_path, feeds=BEFORE).manifest.generation
    renamed = jobs([{"job_id": "hh:1", "title": "Renamed"}])
    other = publish_next(tmp_path, as_of=AS_OF + HOUR, feeds=AFTER, jobs=renamed).manifest.generation  # type: ignore[operator]

    assert differing_tables(tmp_path, one, other, memory_limit="1GB") == [
        TableDifference("feeds", n_added=2, n_removed=1, n_changed=1),
        TableDifference("jobs", n_added=0, n_removed=0, n_changed=1),
    ]
    assert differing_tables(tmp_path, other, one, memory_limit="1GB")[0] == TableDifference("feeds", 1, 2, 1)
    assert differing_tables(tmp_path, one, one, memory_limit="1GB") == []


def test_feeds_of_a_user_are_compared_job_by_job(tmp_path: Path) -> None:
    one = publish_small(tmp_path, feeds=BEFORE).manifest.generation
    other = publish_small_changes(tmp_path, as_of=AS_OF + HOUR, feeds=AFTER).manifest.generation

    rows = feed_difference(tmp_path, one, other, "anna", memory_limit="1GB")
    assert rows.select("job_id", "rank_before", "rank_after").rows() == [
        ("hh:3", None, 1), ("hh:2", 2, 2), ("hh:1", 1, None),
    ]  # fmt: skip
    assert feed_difference(tmp_path, one, other, "nobody", memory_limit="1GB").is_empty()
    with pytest.raises(GenerationError, match="does not exist"):
        feed_difference(tmp_path, one, "20200101T000000Z-00000000", "anna", memory_limit="1GB")
