"""Texts by number (jobs, reasons): how their NumPy files are laid out.

`<name>.npy` holds the bytes of all texts, and `<name>-places.npy` a row of integers for each number:
  jobs     where its id and title as JSON begin (the id with quotes, the title without), the lengths of both, the
           length of its card, 0 where the job is not shown, the length of the title without the colons and spaces at
           its end, and where its card begins: cards lie apart, so that titles, which many feeds name, lie together.
  reasons  for each of LANGUAGES: where its text begins, the lengths of its three parts. A reason that names a job is
           the first, the job's id, the second, its title, the third; another one is all in the first.
In the files of changes a column with the number itself stands first; such a row replaces that of the base.
`<name>-names.parquet` tells what has which number; only the pipeline reads it.
"""

from serving.contract.tables import LANGUAGES

TEXT_TABLES = ("jobs", "reasons")
# The columns of their places, and which of them say where a text begins.
TEXT_TABLE_WIDTHS = {"jobs": 6, "reasons": 4 * len(LANGUAGES)}
TEXT_TABLE_STARTS = {"jobs": (0, 5), "reasons": tuple(range(0, 4 * len(LANGUAGES), 4))}
CARD_START = b'{"job_id":'  # of every job card


def offsets_path(texts_path: str) -> str:
    """The file of places that belongs to a file of numbered texts."""
    return texts_path.removesuffix(".npy") + "-places.npy"


def text_ids_path(texts_path: str) -> str:
    """The file that tells what has which number in a file of numbered texts."""
    return texts_path.removesuffix(".npy") + "-names.parquet"
