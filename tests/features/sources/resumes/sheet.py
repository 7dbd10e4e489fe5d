"""A page of a PDF to write on, with a font that has Cyrillic letters."""

import io
from functools import cache
from pathlib import Path

import font_roboto
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

_FONTS = {"regular": "Roboto-Regular", "bold": "Roboto-Bold", "italic": "Roboto-Italic"}
WIDTH, HEIGHT = A4
MARGIN = 50.0


@cache
def _register_fonts() -> None:
    for name, file in _FONTS.items():
        path = Path(font_roboto.__file__).parent / "files" / f"{file}.ttf"
        pdfmetrics.registerFont(TTFont(name, str(path)))


class Sheet:
    """Writes downwards from `y`; a new page begins where the last one is full."""

    def __init__(self) -> None:
        _register_fonts()
        self._file = io.BytesIO()
        self._canvas = Canvas(self._file, pagesize=A4, invariant=1)
        self.y = HEIGHT - MARGIN
        self.page = 0

    def saved(self) -> bytes:
        """The file."""
        self._canvas.save()
        return self._file.getvalue()

    def put(self, x: float, text: str, *, font: str = "regular", size: float = 10, align: str = "left") -> None:
        """Writes one line at `x` without moving down."""
        self._canvas.setFont(font, size)
        draw = {
            "left": self._canvas.drawString, "right": self._canvas.drawRightString,
            "centre": self._canvas.drawCentredString,
        }[align]  # fmt: skip
        draw(x, self.y, text)

    def small_capitals(self, x: float, text: str, *, size: float = 12) -> None:
        """Capitals of two sizes, as LaTeX sets headings."""
        for word in text.split():
            for letters, height in ((word[:1], size), (word[1:], size * 0.8)):
                self._canvas.setFont("bold", height)
                self._canvas.drawString(x, self.y, letters.upper())
                x += pdfmetrics.stringWidth(letters.upper(), "bold", height)
            x += size * 0.3

    def by_word(self, x: float, text: str, *, font: str = "regular", size: float = 10) -> None:
        """Writes each word by itself, as some programs do."""
        for word in text.split():
            self.put(x, word, font=font, size=size)
            x += pdfmetrics.stringWidth(word + " ", font, size)

    def down(self, by: float = 14) -> None:
        """Moves down, to the next page if there is no room."""
        self.y -= by
        if self.y < MARGIN:
            self._canvas.showPage()
            self.y, self.page = HEIGHT - MARGIN, self.page + 1

    def paragraph(
        self, x: float, text: str, *, width: float, bullet: str = "", font: str = "regular", size: float = 10
    ) -> None:
        """Writes lines of at most `width`, the first one behind the bullet, and moves down."""
        indent = 12 if bullet else 0
        row: list[str] = []
        first = True
        for word in [*text.split(), ""]:
            if row and (not word or pdfmetrics.stringWidth(" ".join([*row, word]), font, size) > width - indent):
                if bullet and first:
                    self.put(x, bullet, size=size)
                self.put(x + indent, " ".join(row), font=font, size=size)
                self.down(size * 1.35)
                row, first = [], False
            row.append(word)
