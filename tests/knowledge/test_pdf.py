"""PDFs: their pages become sections, and one that was made to do harm costs a bounded process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from knowledge import pdf
from knowledge.formats import read
from knowledge.ingest import ingest
from knowledge.models import Chunk, Document
from knowledge.search import search
from myloware.kernel.errors import InvalidInput

from .papers import bomb, labyrinth, paper

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Write


def test_each_page_is_a_section_and_words_divided_at_the_end_of_a_line_are_whole() -> None:
    text = read(paper("A can-\ndle burns", "", "Wax"), path="a-file.pdf", content_type="application/pdf")
    assert text.title == "A file"
    assert text.body == "## Page 1\n\nA candle burns\n\n## Page 3\n\nWax"
    titled = read(paper("Wax", title="Candles"), path="a.pdf", content_type="application/pdf")
    assert titled.title == "Candles"


def test_a_pdf_is_found_with_its_page_and_read_once(folder: Path, write: Write) -> None:
    write("light.pdf", paper("Obsidian mirrors", "Candles flicker slowly", title="Light"))
    assert ingest(folder).added == 1
    first = search(["candle flicker"])[0]
    assert (first.path, first.heading) == ("light.pdf", "Light > Page 2")
    before = set(Chunk.objects.values_list("id", flat=True))
    again = ingest(folder)
    assert (again.unchanged, again.chunks) == (1, 0)
    assert set(Chunk.objects.values_list("id", flat=True)) == before


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_bomb_is_refused_within_the_limit_of_memory(layers: int) -> None:
    small = bomb(layers)
    assert len(small) < 512_000
    with pytest.raises(InvalidInput, match="unpacks to too much"):
        pdf.read_pdf(small)


def test_what_passes_the_reader_by_is_stopped_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "SECONDS", 1)
    with pytest.raises(InvalidInput, match="cannot be read in 1 s"):
        pdf.read_pdf(labyrinth())
    monkeypatch.setattr(pdf, "MEMORY_BYTES", 2**20)
    with pytest.raises(InvalidInput, match="1,048,576 bytes"):
        pdf.read_pdf(paper("text"))


def test_hostile_pdfs_are_named_with_the_reason_and_the_rest_is_kept(folder: Path, write: Write) -> None:
    hostile = {
        "secret.pdf": (paper("text", password="word"), "encrypted"),
        "scanned.pdf": (paper("", ""), "scanned"),
        "bomb.pdf": (bomb(2, 100_000_000), "unpacks to too much"),
        "torn.pdf": (paper("text")[:300], "broken PDF"),
        "not.pdf": (b"text", "broken PDF"),
        "endless.pdf": (paper(*["word " * 2_000] * 60), "too much text"),
    }
    for path, (content, _) in hostile.items():
        write(path, content)
    write("good.pdf", paper("text"))
    reasons = dict(ingest(folder).refused)
    assert {path: word for path, (_, word) in hostile.items() if word not in reasons[path]} == {}
    assert list(Document.objects.values_list("path", flat=True)) == ["good.pdf"]
    assert Chunk.objects.count() == 1
