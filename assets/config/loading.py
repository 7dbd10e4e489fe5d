"""The whole configuration, read from `data/config/` or from the folder that JOBFEED_CONFIG names.

Secrets are not part of it: they come from the environment, where they are used.
"""

from pathlib import Path

from assets.config.applications import Applications
from assets.config.files import CONFIG_FILES, SHIPPED_VOCABULARY, config_file
from assets.config.follow_ups import FollowUps
from assets.config.llm import Llm
from assets.config.pipeline import Pipeline
from assets.config.ranking import Ranking
from assets.config.sources import Sources, unknown_hh_ids
from assets.config.yaml_files import ConfigError, Strict, load_file, refuse_others
from assets.ingest.hh.query_vocabulary import HHIds
from assets.lake import Lake


class Config(Strict):
    """All files, one field each."""

    sources: Sources
    ranking: Ranking
    pipeline: Pipeline
    llm: Llm
    applications: Applications
    follow_ups: FollowUps


def load_config(folder: Path | None = None, *, lake: Lake | None = None) -> Config:
    """The configuration in `folder`; missing files are replaced by the shipped ones. Raises ConfigError.

    HH's ids must be in the shipped tables, or in the newest answer of its API, if `lake` has one.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(
            f"{folder}: is not a folder; JOBFEED_CONFIG must name one that holds {', '.join(CONFIG_FILES)}"
        )
    if folder is not None:
        refuse_others(folder, CONFIG_FILES)
    sources_file = config_file(folder, "sources.yaml")
    sources = load_file(sources_file, Sources)
    unknown = unknown_hh_ids(sources.hh.queries, HHIds.load(SHIPPED_VOCABULARY, lake)) if sources.hh.queries else []
    if unknown:
        raise ConfigError("\n".join(f"{sources_file}: {problem}" for problem in unknown))
    return Config(
        sources=sources,
        ranking=load_file(config_file(folder, "ranking.yaml"), Ranking),
        pipeline=_with_paths(config_file(folder, "pipeline.yaml")),
        llm=load_file(config_file(folder, "llm.yaml"), Llm),
        applications=load_file(config_file(folder, "applications.yaml"), Applications),
        follow_ups=load_file(config_file(folder, "follow_ups.yaml"), FollowUps),
    )


def _with_paths(path: Path) -> Pipeline:
    """`pipeline.yaml` with the whole path of the embedding model's folder. Raises ConfigError for paths of nothing."""
    pipeline = load_file(path, Pipeline)
    resources = pipeline.learning.resources
    if resources and not (path.parent / resources).is_file():
        raise ConfigError(
            f"{path}: learning.resources: received {resources!r}, but {path.parent / resources} is no file; expected a "
            "CSV file in the folder of the configuration"
        )
    if not pipeline.embedding.is_folder:
        return pipeline
    named = pipeline.embedding.model
    folder = (path.parent / Path(named).expanduser()).resolve()
    if not (folder / "modules.json").is_file():
        is_there = "holds no modules.json" if folder.is_dir() else "is not there"
        raise ConfigError(
            f"{path}: embedding.model: received {named!r}, but the folder {folder} {is_there}; expected a model that "
            "sentence-transformers saved"
        )
    embedding = pipeline.embedding.model_copy(update={"model": str(folder)})
    return pipeline.model_copy(update={"embedding": embedding})
