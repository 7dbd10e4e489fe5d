"""Logs are lines of known fields: JSON unless they go to a terminal."""

import io
import json
import logging

import pytest

from serving.contract import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_holds_what_happened_when_and_where(written: io.StringIO) -> None:
    logs.get_logger("run").bind(run_id="7", job="daily").info("step done", step="catalog/jobs", seconds=1.5)
    (line,) = lines(written)
    assert str(line.pop("at")).endswith("Z")
    assert line == {
        "program": "run", "level": "info", "event": "step done",
        "run_id": "7", "job": "daily", "step": "catalog/jobs", "seconds": 1.5,
    }  # fmt: skip


def test_fields_that_are_not_on_the_list_are_left_out_and_named(written: io.StringIO) -> None:
    logs.get_logger("serve").error("failed", user_id="anna", email="anna@mail.example", reason="a")
    (line,) = lines(written)
    assert "anna" not in written.getvalue()
    assert line["left_out"] == "email, user_id"
    assert set(line) <= logs.FIELDS


def test_no_field_of_the_list_names_a_person() -> None:
    personal = {"user_id", "user", "email", "phone", "name", "full_name", "token", "query", "path", "text", "raw"}
    assert not personal & logs.FIELDS


def test_addresses_in_texts_are_struck_out(written: io.StringIO) -> None:
    logs.get_logger("run").error("failed", reason='no "anna.b@mail.example" at postgres://u:pw@host/db')
    (line,) = lines(written)
    assert line["reason"] == 'no "***" at ***'


@pytest.mark.parametrize(
    "text", ["line\nline", "a\\nb", "\x1b[2J", "a\x9b31m", "\u2028", "\u202eevil", "\U000e0041", "Привет"]
)
def test_a_text_is_escaped_once_and_stays_on_its_line(written: io.StringIO, text: str) -> None:
    logs.get_logger("run").error("failed", reason=text)
    printed = written.getvalue()
    assert json.loads(printed)["reason"] == text
    assert printed.removesuffix("\n").isprintable()


def test_a_text_on_a_terminal_stays_on_its_line(written: io.StringIO) -> None:
    terminal = Terminal()
    logs.configure_logs({}, stream=terminal)
    logs.get_logger("run").error("failed", reason="line\nline\x1b[2J")
    assert "line\\nline\\x1b[2J" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1
    assert written.getvalue() == ""


def test_long_texts_are_cut(written: io.StringIO) -> None:
    logs.get_logger("run").error("failed", reason="x" * 10_000)
    assert len(str(lines(written)[0]["reason"])) == 2_000


def test_other_packages_are_heard_from_warnings_on_and_their_errors_by_kind_and_line(written: io.StringIO) -> None:
    other = logging.getLogger("someserver.http")
    other.info("GET /v1/users/anna/feed")
    try:
        raise ValueError("what anna sent")
    except ValueError:
        other.exception("a request failed")
    (failed,) = lines(written)
    assert "anna" not in written.getvalue()
    assert (failed["program"], failed["event"], failed["error"]) == (
        "someserver.http",
        "a request failed",
        "ValueError",
    )
    assert str(failed["where"]).startswith("test_logs.py:")


@pytest.mark.parametrize(
    ("environment", "is_terminal", "is_json"),
    [
        ({}, True, False),
        ({}, False, True),
        ({"JOBFEED_LOG_FORMAT": "JSON"}, True, True),
        ({"JOBFEED_LOG_FORMAT": "text"}, False, False),
        ({"JOBFEED_LOG_FORMAT": ""}, False, True),
    ],
)
def test_the_form_follows_the_setting_and_the_terminal(
    environment: dict[str, str], is_terminal: bool, is_json: bool
) -> None:
    assert logs.is_json(environment, stream=Terminal() if is_terminal else io.StringIO()) is is_json


def test_text_on_a_terminal_is_a_line_for_people(written: io.StringIO) -> None:
    terminal = Terminal()
    logs.configure_logs({"JOBFEED_LOG_LEVEL": "warning"}, stream=terminal)
    logger = logs.get_logger("run")
    logger.info("step done")
    logger.warning("source fails", source="board")
    (line,) = terminal.getvalue().splitlines()
    assert "source fails" in line
    assert "board" in line
    assert not line.startswith("{")
    assert written.getvalue() == ""


@pytest.mark.parametrize("variable", ["JOBFEED_LOG_LEVEL", "JOBFEED_LOG_FORMAT"])
def test_a_wrong_setting_is_refused_with_what_is_allowed(variable: str) -> None:
    with pytest.raises(logs.LogSettingsError, match=f"{variable} is 'loud'; expected .*"):
        logs.configure_logs({variable: "loud"}, stream=io.StringIO())


def test_a_stream_that_can_not_be_written_loses_the_line_only(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    root = logging.getLogger()
    handlers = list(root.handlers)
    logs.configure_logs({}, stream=Full())
    try:
        logs.get_logger("run").error("failed", reason="secret")
    finally:
        root.handlers[:] = handlers
        logging.captureWarnings(False)
    assert "secret" not in capsys.readouterr().err
