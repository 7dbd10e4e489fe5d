"""Small sentence-transformers models with random weights, made on the spot and saved like any other."""

from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, BertTokenizerFast

WORDS = (
    "nurse", "welder", "python", "developer", "sales", "manager", "night", "shifts", "query", "passage", ":", "search",
    "сварщик", "медсестра",
)  # fmt: skip
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def save_model(folder: Path, *, dimensions: int = 24, seed: int = 1, prompts: dict[str, str] | None = None) -> Path:
    """A BERT of one layer with a word-piece tokenizer of WORDS and letters, and mean pooling."""
    letters = sorted({letter for word in WORDS for letter in word} | set("abcdefghijklmnopqrstuvwxyz0123456789"))
    pieces = [*_SPECIAL, *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    )
    parts = folder.with_name(f"{folder.name}-parts")
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=dimensions, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(parts)
    BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=64).save_pretrained(parts)
    transformer = Transformer(str(parts))
    modules = [transformer, Pooling(dimensions, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu", prompts=prompts).save(str(folder))
    return folder
