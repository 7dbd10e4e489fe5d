"""YAML files to validated models: every error names the file, the key, the value and what is allowed.

The files and their settings are not defined here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import JobfeedError

Model = TypeVar("Model", bound=BaseModel)
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Strict(BaseModel):
    """Settings that refuse unknown keys and numbers that are not finite, and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ConfigError(JobfeedError, ValueError):
    """The configuration is invalid; the message names the file, the key, the value and what is allowed."""


def refuse_others(folder: Path, names: Sequence[str]) -> None:
    """Raises ConfigError for a YAML file in `folder` that is not in `names`: a misspelled file would be ignored."""
    for path in sorted(folder.iterdir()):
        if path.suffix in (".yaml", ".yml") and path.name not in names and not path.name.startswith("."):
            raise ConfigError(f"{path}: is not a configuration file; those are {', '.join(names)}")


def load_file(path: Path, model: type[Model]) -> Model:
    """One YAML file as `model`. Raises ConfigError with one line per problem."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise ConfigError(
            f"{path}: can't be read: {error.strerror}; expected a file, or nothing for the shipped one"
        ) from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds a {type(content).__name__}; expected keys and values")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(path, model, error))) from error


def _lines(path: Path, model: type[BaseModel], error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(file)"
        if problem["type"] == "extra_forbidden":
            allowed = ", ".join(_allowed_keys(model, problem["loc"]))
            lines.append(f"{path}: {key}: unknown key; allowed here: {allowed}")
        else:
            received = repr(problem["input"])
            received = received if len(received) <= 120 else received[:117] + "..."
            lines.append(f"{path}: {key}: {problem['msg']}; received {received}")
    return lines


def _allowed_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    here: Any = model
    for part in location[:-1]:
        if isinstance(part, str) and isinstance(here, type) and issubclass(here, BaseModel):
            here = _model_within(here.model_fields[part].annotation)
    return sorted(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _model_within(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_within(inner)
        if found is not None:
            return found
    return None


class _Loader(yaml.SafeLoader):
    """Refuses a repeated key; YAML would silently take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                message = f"{key.value!r} is given twice, again in line {key.start_mark.line + 1}"
                raise yaml.constructor.ConstructorError(None, None, message)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)
