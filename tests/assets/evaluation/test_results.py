import datetime as dt
import os
from pathlib import Path

from assets.evaluation.results import REPORT_FILE, USERS_FILE, drop_user_values

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def test_values_of_users_end_with_their_retention_and_reports_stay(tmp_path: Path) -> None:
    for name, days in (("old", 91), ("new", 89)):
        for file in (USERS_FILE, REPORT_FILE):
            path = tmp_path / name / file
            path.parent.mkdir(exist_ok=True)
            path.touch()
            written = (NOW - dt.timedelta(days=days)).timestamp()
            os.utime(path, (written, written))
    assert drop_user_values(tmp_path, before=NOW - dt.timedelta(days=90)) == [tmp_path / "old" / USERS_FILE]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*")) == [
        "new/per_user.parquet",
        "new/report.html",
        "old/report.html",
    ]
    assert drop_user_values(tmp_path / "nowhere", before=NOW) == []
