"""The native decoding of plain lines gives what decoding line by line gives, or leaves a line alone."""

import datetime as dt
import json
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.sources.events import json_lines as event_json
from features.sources.events.fast_json import read_fast
from features.sources.lines import Block
from features.sources.parsed import Parsed
from tests.features.sources.events.test_fuzz import EVENT, TRACK
from tests.features.sources.fuzzing import FUZZ, dumped, json_bodies, mutated_bytes

AS_OF = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
WITH_NUMBERS = {**EVENT, "event_id": "e2", "user_id": 17, "job_id": 5, "occurred_at": 1_763_600_000.25, "extra": True}
COMPACT = json.dumps(EVENT, separators=(",", ":")).encode()
SPARSE = dumped({key: EVENT[key] for key in ("event_id", "user_id", "event_type", "occurred_at", "job_id", "rating")})


def read_slowly(block: Block) -> Parsed:
    with mock.patch.object(event_json, "read_fast", return_value=None):
        return event_json.read_json_block(block, as_of=AS_OF)


def assert_same(body: bytes, *, first_line: int = 1) -> None:
    block = Block(first_line, body)
    quick, slow = event_json.read_json_block(block, as_of=AS_OF), read_slowly(block)
    assert_frame_equal(quick.rows, slow.rows, check_exact=True)
    assert_frame_equal(quick.rejects, slow.rejects)


@given(
    st.lists(st.one_of(json_bodies(EVENT, TRACK, WITH_NUMBERS), mutated_bytes((COMPACT, SPARSE))), max_size=4),
    st.sampled_from([COMPACT, dumped(EVENT), dumped(WITH_NUMBERS), SPARSE]),
)
@example([COMPACT[:-1] + b',"event_id":"twice"}'], COMPACT)
@example([COMPACT[:-1] + b',"event_\\u0069d":"escaped"}', COMPACT + b"\r", b" " + COMPACT, COMPACT[:-1]], COMPACT)
@example([COMPACT.replace(b"}", b",}"), COMPACT.replace(b'"u1"', b"-0"), COMPACT.replace(b"1.5", b"1e5")], COMPACT)
@example([COMPACT.replace(b"1.5", b"-0"), COMPACT.replace(b"1.5", b"01"), COMPACT.replace(b"1.5", b"NaN")], COMPACT)
@example([COMPACT[:-1] + b',"batch":[]}', COMPACT[:-1] + b',"messageId":"m"}'], COMPACT)
@example([COMPACT[:-1] + b',"entry":7,"part":8,"occurred_text":"x","occurred_epoch":1}'], COMPACT)
@example([b'{"entry":1,"event_id":"e9","part":2,"occurred_epoch":5}'], b'{"entry":1,"event_id":"e8","part":2}')
@FUZZ
def test_both_ways_of_decoding_give_the_same_rows_and_rejects(mutated: list[bytes], plain: bytes) -> None:
    assert_same(b"\n".join([plain, plain, plain, *mutated, plain, plain]), first_line=11)


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.decimals(-1000, 1000, places=17))))
@FUZZ
def test_numbers_are_read_to_the_last_bit(values: list[object]) -> None:
    assert_same(b"\n".join(COMPACT.replace(b"1.5", str(value).encode()) for value in [1.5, *values]))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("event", [COMPACT, dumped(EVENT), dumped(WITH_NUMBERS), SPARSE])
def test_events_as_they_are_usually_written_are_plain(event: bytes, end: bytes) -> None:
    found = read_fast(Block(5, (event + (end or b"\n")) * 3 + event + end))
    assert found is not None
    events, others = found
    assert events["entry"].to_list() == [5, 6, 7, 8]
    assert others == []


def test_lines_that_are_not_plain_are_left_with_their_numbers() -> None:
    bad = [b"", b'{"event_id":', dumped(TRACK), COMPACT.replace(b'"u1"', b'"u\\n1"')]
    found = read_fast(Block(1, b"\n".join([COMPACT, *bad, COMPACT, COMPACT, COMPACT, COMPACT])))
    assert found is not None
    assert found[1] == list(enumerate(bad, 2))


@pytest.mark.parametrize(
    "body", [b"", b"\n\n", dumped(TRACK), b"[1]\n" * 9, COMPACT + b"\n\xff", b'{"a":1}\n' * 3, COMPACT + b"\n{" * 9]
)
def test_a_block_of_other_lines_is_left_whole(body: bytes) -> None:
    assert read_fast(Block(1, body)) is None
    assert_same(body)
