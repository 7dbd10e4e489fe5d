"""What all commands share: consoles, options, configuration, and how an error ends a command.

Exit code 1 is a failure, 2 wrong use. Everything heavy is imported inside functions: `jobfeed --help` starts fast.
"""

import datetime as dt
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from typer.core import TyperGroup

from features.errors import JobfeedError
from serving.contract.json_line import json_line

if TYPE_CHECKING:
    from assets.config.loading import Config
    from assets.resources import Workspace


class _PlainTextConsole(Console):
    """Prints text without wrapping it, and no control character of it: titles and names are written by others.

    Rich itself passes escape sequences in text on to the terminal, also in their one-character forms (C1).
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_plain(segment.text), segment.style)


out = _PlainTextConsole(soft_wrap=True)
err = _PlainTextConsole(stderr=True, soft_wrap=True)

_WIDEST = 100_000
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_FOLDERS = "; JOBFEED_DATA names the data folder, JOBFEED_CONFIG that of the configuration"
_READERS = frozenset({"polars", "duckdb", "pyarrow", "sqlite3", "zipfile"})  # libraries that read our files
_MOST_DAMAGES = 5  # that are named
_HINTS = {
    errno.ENOENT: _FOLDERS,
    errno.ENOTDIR: _FOLDERS,
    errno.EACCES: f"; it must be allowed to this user{_FOLDERS}",
    errno.EPERM: f"; it must be allowed to this user{_FOLDERS}",
    errno.EROFS: f"; a run needs a folder that can be written{_FOLDERS}",
    errno.EISDIR: "; a file belongs there, so remove the folder or name a file",
    errno.ENOSPC: "; free some space and run the command again, nothing that was published is lost",
}

AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Compute for this instant (RFC 3339 or a date); default now.")
]
Language = Annotated[str, typer.Option("--lang", help="en or ru")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        _refresh_once.cache_clear()
        try:
            return super().invoke(ctx)
        except JobfeedError as error:
            fail(str(error))
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader of our output went away, which is no failure
            fail(_described(error))
        except Exception as error:
            damage = _damage_behind(error)
            if not damage:
                raise  # a mistake of ours, whose traceback is wanted
            fail("\n".join(damage))


def command_group(help_text: str, **options: Any) -> typer.Typer:
    """A group of commands in which an error of the project ends the command with its message and exit code 1."""
    return typer.Typer(cls=_Commands, no_args_is_help=True, help=help_text, **options)


def _described(error: OSError) -> str:
    """What the system said, of which file, and what to do about it."""
    text = error.strerror or str(error)
    named = [str(name) for name in (error.filename, error.filename2) if name is not None]
    hint = _HINTS.get(error.errno or 0, "")
    return f"{' -> '.join(named)}: {text}{hint}" if named else f"{text}{hint}"


def _damage_behind(error: Exception) -> list[str]:
    """What is damaged if a library that reads files raised `error`, and what to do; empty if nothing is."""
    library = type(error).__module__.partition(".")[0].removeprefix("_")
    if library not in _READERS:
        return []
    from assets.damage import find_damage
    from assets.publishing import generations

    context = workspace()
    if library == "duckdb" and (served := generations.current_generation(context.published)) is not None:
        found = generations.verify(context.published, served)
        todo = "`jobfeed generations rollback` serves the generation before, `jobfeed run daily` makes a new one"
    else:
        damaged = find_damage(context.lake, context.models, classes={})
        found = [f"{path} is damaged ({why})" for path, why in damaged]
        todo = "`jobfeed run daily` moves what is damaged aside and makes its content anew"
    more = [f"and {len(found) - _MOST_DAMAGES} more"] if len(found) > _MOST_DAMAGES else []
    return [*found[:_MOST_DAMAGES], *more, todo] if found else []


def fail(message: str) -> NoReturn:
    """Prints `message` as an error and exits with code 1."""
    err.print(f"[red]error:[/] {escape(message)}")
    raise typer.Exit(1)


def workspace() -> "Workspace":
    """The workspace that the environment names, to read. Of an object store it is as new as the store."""
    from pipelines.environment import DATA_VARIABLE, data_folder, workspace_from_environment

    if os.environ.get(DATA_VARIABLE) and not data_folder().is_dir():
        _warn_once(f"{DATA_VARIABLE} names {data_folder()}, which is not there yet")
    found = workspace_from_environment()
    _refresh_once(found.data_dir)
    return found


@contextmanager
def changed_workspace(command: str) -> Iterator["Workspace"]:
    """The workspace for a command that changes it. On an object store it takes its turn like a run."""
    from assets.run_turns import run_turn
    from assets.storage.working_copy import copy_of
    from pipelines.environment import workspace_from_environment

    found = workspace_from_environment()
    if copy_of(found.lake) is None:
        yield found
        return
    with run_turn(found.lake, job=command, on_wait=lambda text: err.print(escape(text))):
        yield found


@cache
def _refresh_once(_data_dir: str) -> None:
    from pipelines.environment import refreshed, workspace_from_environment

    refreshed(workspace_from_environment())


@cache
def _warn_once(message: str) -> None:
    err.print(f"[yellow]warning:[/] {escape(message)}")


def checked_config() -> "Config":
    """The configuration, loaded and validated. Raises ConfigError."""
    from assets.config.loading import load_config

    found = workspace()
    return load_config(found.config_folder, lake=found.lake)


def parse_instant(text: str | None) -> dt.datetime | None:
    """The instant that an option states, None if it was not given. Raises BadParameter (exit code 2)."""
    from assets.instants import parse_as_of

    try:
        return parse_as_of(text) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def require_choice(value: str, choices: tuple[str, ...], *, option: str) -> None:
    """Raises BadParameter (exit code 2) unless `value` is one of `choices`."""
    if value not in choices:
        allowed = f"{', '.join(choices[:-1])} and {choices[-1]}" if len(choices) == 2 else ", ".join(choices)
        raise typer.BadParameter(f"{value!r}; allowed are {allowed}", param_hint=option)


def progress_bar() -> Progress:
    """A progress bar on standard error that disappears when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


def print_json(console: Console, value: Any) -> None:
    """Prints `value` as JSON on one line."""
    console.print(json_line(value, default=_json_value), markup=False, highlight=False)


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)  # an instant is a date, too


def print_table(console: Console, table: Table) -> None:
    """Prints `table` without cutting a cell: piped it is as wide as it needs, on a narrow terminal its cells fold."""
    needed = Measurement.get(console, console.options.update(width=_WIDEST), table)
    width = console.width if console.is_terminal else needed.maximum
    for column in table.columns:
        column.overflow = "fold"
        column.no_wrap = column.no_wrap and needed.minimum <= width
    # Not by the argument `width` of print, which is at most the console's.
    console.print(_OfWidth(table, width), soft_wrap=False, crop=False)


@dataclass(frozen=True)
class _OfWidth:
    table: Table
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.table, options.update(width=self.width))


def visible(text: str) -> str:
    """`text` on one line; terminal control characters and marks of writing direction are shown as escapes."""
    return "".join(c if c.isprintable() else " " if c in _SPACES else _escaped(c) for c in text)


def _plain(text: str) -> str:
    return text if text.isprintable() else "\n".join(map(visible, text.split("\n")))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
