"""Logs of all programs, on standard error: JSON lines, or text on a terminal. Only fields that FIELDS names get out.

JOBFEED_LOG_FORMAT is `json`, `text` or `auto` (the default: text on a terminal). JOBFEED_LOG_LEVEL is `debug`, `info`
(the default), `warning` or `error`. Messages of other packages are written from `warning` on, and of their errors only
the kind and the line: the text may quote what a caller sent.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from serving.contract.errors import JobfeedError
from serving.contract.json_line import json_line

FORMAT_VARIABLE = "JOBFEED_LOG_FORMAT"
LEVEL_VARIABLE = "JOBFEED_LOG_LEVEL"
FORMATS = ("auto", "json", "text")
LEVELS = ("debug", "info", "warning", "error")
# No field holds an id of a user, a token, a query or a row. What is not here is left out; `left_out` names it.
FIELDS = frozenset({
    "at", "level", "program", "event",
    "run_id", "trace_id", "job", "as_of", "step", "asset", "check",
    "seconds", "cpu_seconds", "peak_memory_bytes", "n_rows", "n_steps",
    "source", "generation", "reason", "error", "where", "route", "request_id",
    "url", "workers", "published", "left_out",
})  # fmt: skip
_FIRST = ("at", "level", "program", "event", "run_id", "job", "step")
_OWN = "jobfeed"
_LONGEST_TEXT = 2_000
_ADDRESS = re.compile(r"[^\s@<>\"'(]{1,64}@[^\s@<>\"')]{1,255}")
_FORMAT_LATER = structlog.stdlib.ProcessorFormatter.wrap_for_formatter


class LogSettingsError(JobfeedError, ValueError):
    """A variable that sets the logs can't be used; the message names it and what is allowed."""


def get_logger(program: str) -> structlog.stdlib.BoundLogger:
    """The logger of a program or of a part of it. It writes once `configure_logs` was called."""
    # Wrapped with its own processors: other packages of the process may configure structlog for themselves.
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{_OWN}.{program}"),
        processors=[structlog.stdlib.filter_by_level, _FORMAT_LATER],
        wrapper_class=structlog.stdlib.BoundLogger,
        program=program,
    )
    return logger


def configure_logs(environment: Mapping[str, str] | None = None, *, stream: TextIO | None = None) -> None:
    """Sends the logs of this process to `stream` (standard error). Called again, it replaces what it did before.

    Raises LogSettingsError.
    """
    environment = os.environ if environment is None else environment
    stream = stream if stream is not None else sys.stderr
    level = _choice(environment, LEVEL_VARIABLE, LEVELS, default="info")
    renderers: Sequence[Processor]
    if is_json(environment, stream=stream):
        renderers = [structlog.processors.JSONRenderer(serializer=json_line)]
    else:
        renderers = [
            _on_one_line,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, timestamp_key="at"),
        ]
    handler = _Handler(stream)
    handler.addFilter(_from_others_only_warnings)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _of_another_package],
            processors=[
                structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta, _error_by_kind_and_line, _known_fields,
                *renderers,
            ],
        )
    )  # fmt: skip
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(former)
    root.addHandler(handler)
    logging.getLogger(_OWN).setLevel(level.upper())
    logging.captureWarnings(True)


def configure_logs_once() -> None:
    """Like `configure_logs`, unless that was called before: for code that another program runs."""
    if not any(isinstance(one, _Handler) for one in logging.getLogger().handlers):
        configure_logs()


def without_addresses(text: str) -> str:
    """`text` with `***` for e-mail addresses, and for user and password in addresses of servers."""
    return _ADDRESS.sub("***", text)


def is_json(environment: Mapping[str, str], *, stream: TextIO) -> bool:
    """Whether logs to `stream` are JSON lines. Raises LogSettingsError."""
    chosen = _choice(environment, FORMAT_VARIABLE, FORMATS, default="auto")
    return chosen == "json" or (chosen == "auto" and not stream.isatty())


def place_of(error: BaseException) -> str:
    """File and line where `error` was raised: of an error whose text may quote somebody, all that is logged."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last is not None else "?"


class _Handler(logging.StreamHandler[TextIO]):
    """Tells our handler from those of others. A full disk or a closed pipe loses log lines, never a run or a request.

    By default, `logging` prints a traceback with the arguments of the message then.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a name of `logging`
        """Called by `logging` if a line could not be written."""


def _choice(environment: Mapping[str, str], variable: str, allowed: Sequence[str], *, default: str) -> str:
    stated = environment.get(variable, "").strip().lower() or default
    if stated not in allowed:
        raise LogSettingsError(f"{variable} is {environment[variable]!r}; expected {', '.join(allowed)}")
    return stated


def _from_others_only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] == _OWN


def _of_another_package(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["program"] = str(event.pop("logger", "?")).lstrip("_")
    return event


def _error_by_kind_and_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    found = event.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found if isinstance(found, BaseException) else sys.exc_info()[1]
    if found and error is not None:
        event["error"], event["where"] = type(error).__name__, place_of(error)
    return event


def _known_fields(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    known = {name: _plain(event[name]) for name in sorted([one for one in event if one in FIELDS], key=_place)}
    if len(known) < len(event):
        known["left_out"] = ", ".join(sorted(_plain(name) for name in event.keys() - FIELDS))
    return known


def _place(name: str) -> int:
    """When and what first; the rest as the logger was given it."""
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _plain(value: Any) -> Any:
    """A number as it is; a text cut and without addresses."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_addresses(str(value)[:_LONGEST_TEXT])


def _on_one_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Texts without line breaks and other control characters; JSON escapes them itself."""
    return {name: _printable(value) if isinstance(value, str) else value for name, value in event.items()}


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
