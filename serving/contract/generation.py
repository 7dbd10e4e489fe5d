"""A published generation on disk: names of its files and folders, and the checksum of its manifest."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

POINTER = "current"  # a one-line file that names the served generation
MANIFEST = "manifest.json"
DATABASE = "jobfeed.duckdb"
LOOKUP = "lookup.mdb"
TABLES_FOLDER = "tables"  # the tables as the last full generation has them, or as a whole
DELTA_ROWS_FOLDER = "changes"  # rows that came since, a folder for each delta
CURRENT_ROWS_FOLDER = "changed"  # which of these rows is the current one
LOOKUP_FOLDER = "lookup"  # look-up files of the deltas
DICTIONARY_FILE = "lookup.dictionary"  # what the base compresses with, and the deltas too
FOLDER_VARIABLE = "jobfeed_folder"  # in SQL: where the generation's folder lies, if it was moved after publishing


def manifest_checksum(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 over a manifest's fields but `checksum`, which must be this."""
    fields = {name: value for name, value in manifest.items() if name != "checksum"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
