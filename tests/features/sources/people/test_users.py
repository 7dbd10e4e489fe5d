import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.schemas.bronze import ERASURES, USER_PROFILE_COLUMNS, USER_RECORDS
from features.sources.people.users import parse_erasures, parse_users

USER = {
    "user_id": "u1", "updated_at": "2026-11-01T10:00:00Z", "full_name": "Анна", "latitude": 55.7, "longitude": 37.6,
    "remote": "only", "skills": ["SQL", {"name": "Python", "level": "Expert", "years": 3}, {"name": "sql"}],
    "desired_roles": ["analyst"], "salary_min": 100000, "salary_currency": "rub",
    "digest": {"frequency": "Daily", "hour": 8}, "personalization_enabled": False,
    "education": [{"degree": "BSc", "institution": "MSU"}, "School 5"],
}  # fmt: skip


def lines(*users: object) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in users)


def read_one(user: object) -> dict[str, object]:
    parsed = parse_users(lines(user))
    assert parsed.rows.height == 1, parsed.rejects
    return parsed.rows.row(0, named=True)


def test_a_profile_is_read_as_stated() -> None:
    row = read_one(USER)
    assert row["updated_at"] == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert row["skills"] == [
        {"name": "SQL", "level": None, "years": None},
        {"name": "Python", "level": "expert", "years": 3.0},
    ]
    assert (row["digest_frequency"], row["digest_hour"], row["personalization_enabled"]) == ("daily", 8, False)
    assert (row["remote"], row["salary_currency"], row["max_distance_km"]) == ("only", "RUB", None)
    assert row["education"] == ["BSc, MSU", "School 5"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("years_of_experience", "many"), ("years_of_experience", -1), ("max_distance_km", {"km": 5}),
        ("remote", "maybe"), ("latitude", 200), ("skills", 5), ("salary_min", "a lot"), ("digest", "daily"),
        ("desired_roles", 7), ("personalization_enabled", "perhaps"), ("full_name", ["a"]),
        ("digest", {"hour": 24, "frequency": "hourly"}),
    ],
)  # fmt: skip
def test_an_optional_field_of_a_wrong_type_is_dropped_and_the_user_kept(field: str, value: object) -> None:
    row = read_one({**USER, field: value})
    column = "digest_hour" if field == "digest" else field
    assert row[column] is None and row["user_id"] == "u1"


def test_dropped_fields_of_a_profile_give_warnings_and_the_rest_is_kept() -> None:
    user = {
        **USER, "timezone": "Mars/Base", "latitude": 200, "email": ["x"], "phone": "", "digest": {"hour": 99},
        "salary_min": 0, "blocked_tags": [], "unknown": "x",
    }  # fmt: skip
    parsed = parse_users(lines(USER, user))
    assert parsed.rows.height == 2 and parsed.rejects.is_empty()
    assert parsed.warnings.sort("entry").select("entry", "reason", "raw").rows() == [
        ("line 2 digest", "bad_digest", '{"hour":99}'),
        ("line 2 email", "bad_email", ""),
        ("line 2 latitude", "bad_latitude", "200"),
        ("line 2 longitude", "bad_longitude", "37.6"),
        ("line 2 salary_min", "bad_salary_min", "0"),
        ("line 2 timezone", "bad_timezone", '"Mars/Base"'),
    ]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Asia/Almaty", "Asia/Almaty"), (" europe/moscow ", "Europe/Moscow"), ("America/New York", "America/New_York"),
        ("UTC+5", "Etc/GMT-5"), ("GMT-03:00", "Etc/GMT+3"), ("+00:00", "UTC"), ("МСК", "Europe/Moscow"), ("utc", "UTC"),
        ("UTC+15", None), ("+05:30", None), ("../etc/passwd", None), ("Almaty", None), ("\x00", None),
    ],
)  # fmt: skip
def test_time_zones_are_names_of_the_database_or_nothing(written: str, name: str | None) -> None:
    assert read_one({**USER, "timezone": written})["timezone"] == name


@pytest.mark.parametrize("given_", [["SQL", "Go"], [{"skill": "SQL", "score": 9}, {"name": "Go"}], {"SQL": 9, "Go": 2}])
def test_results_of_assessments_are_read_in_every_form(given_: object) -> None:
    assert read_one({**USER, "strengths": given_})["strengths"] == ["SQL", "Go"]


def test_the_hash_goes_by_the_profile_alone() -> None:
    first = read_one(USER)["content_hash"]
    assert read_one({**USER, "updated_at": "2026-11-02T10:00:00Z", "extra": 1})["content_hash"] == first
    assert read_one({**USER, "city": "Omsk"})["content_hash"] != first


def test_lines_that_name_no_user_or_time_are_refused_with_their_number() -> None:
    broken = (
        b"{",
        b"[]",
        {**USER, "user_id": None},
        {**USER, "user_id": "x" * 129},
        {"user_id": "u"},
        {**USER, "updated_at": "-"},
    )
    parsed = parse_users(lines(USER, *broken, USER))
    assert parsed.rows.height == 2
    assert parsed.rejects.select("entry", "reason").rows() == [
        ("line 2", "bad_json"), ("line 3", "not_an_object"), ("line 4", "missing_user_id"), ("line 5", "bad_user_id"),
        ("line 6", "missing_updated_at"), ("line 7", "bad_time"),
    ]  # fmt: skip


@pytest.mark.parametrize("user_id", ["u1\u0000", "\u200bu1", " u1", "u1\n", "u\u202e1", "u1\u00a0"])
def test_an_id_that_tidying_would_make_another_users_id_is_refused(user_id: str) -> None:
    parsed = parse_users(lines({**USER, "user_id": user_id}))
    assert parsed.rows.is_empty()
    assert parsed.rejects["reason"].to_list() == ["bad_user_id"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "level", "years", "hour"]), inner)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*USER_PROFILE_COLUMNS, "digest"]), values, max_size=8))
@settings(max_examples=150, deadline=None)
def test_values_of_any_type_keep_the_user(changes: dict[str, object]) -> None:
    parsed = parse_users(lines({**USER, **changes}))
    assert parsed.rows.height + parsed.rejects.height == 1
    USER_RECORDS.validate(parsed.rows)


@given(st.binary(max_size=200))
@example(b"[" * 50_000)
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_rows_or_rejects(body: bytes) -> None:
    n_lines = sum(bool(one.strip()) for one in body.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    for parsed, table in ((parse_users(body), USER_RECORDS), (parse_erasures(body), ERASURES)):
        assert parsed.rows.height + parsed.rejects.height == n_lines
        table.validate(parsed.rows)


def test_erasures_need_a_user_and_a_time() -> None:
    good = {"user_id": "u1", "requested_at": "2026-11-01T10:00:00+03:00"}
    parsed = parse_erasures(
        lines(good, {"user_id": "u2"}, {"requested_at": 5}, {"user_id": "u3", "requested_at": "x"}, b"]")
    )
    assert parsed.rows.rows() == [("u1", datetime(2026, 11, 1, 7, tzinfo=UTC))]
    assert parsed.rejects["reason"].to_list() == ["missing_requested_at", "missing_user_id", "bad_time", "bad_json"]
