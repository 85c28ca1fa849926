"""PDFs for tests: sound ones, and ones that were made to do harm."""

from __future__ import annotations

import io
import zlib

from pypdf import PageObject, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    EncodedStreamObject,
    NameObject,
)

FONT = DictionaryObject(
    {
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    }
)


def paper(*pages: str, title: str = "", password: str = "") -> bytes:
    """A PDF with these lines of text on each page."""
    writer = PdfWriter()
    for text in pages:
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in text.splitlines())
        _fill(writer, zlib.compress(f"BT /F1 12 Tf 40 700 Td {shown}ET".encode()))
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    return _bytes(writer)


def bomb(layers: int = 1, unpacked: int = 400_000_000) -> bytes:
    """A page whose drawing unpacks to so many blanks, packed more than once to stay small."""
    packing = zlib.compressobj(9)
    packed = b"".join(packing.compress(b" " * 1_000_000) for _ in range(unpacked // 1_000_000)) + packing.flush()
    for _ in range(layers - 1):
        packed = zlib.compress(packed, 9)
    writer = PdfWriter()
    _fill(writer, packed, layers)
    return _bytes(writer)


def labyrinth(pages: int = 400) -> bytes:
    """Many pages that share one drawing of a million strings: small, and slow to read."""
    writer = PdfWriter()
    first = _fill(writer, zlib.compress(b"BT /F1 12 Tf " + b"() Tj " * 1_000_000 + b"ET", 9))
    for _ in range(pages - 1):
        writer.add_page(first)
    return _bytes(writer)


def _fill(writer: PdfWriter, packed: bytes, layers: int = 1) -> PageObject:
    page = writer.add_blank_page(600, 800)
    drawing = EncodedStreamObject()
    drawing._data = packed
    drawing[NameObject("/Filter")] = ArrayObject([NameObject("/FlateDecode")] * layers)
    page[NameObject("/Contents")] = writer._add_object(drawing)
    fonts = DictionaryObject({NameObject("/F1"): FONT})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    return page


def _bytes(writer: PdfWriter) -> bytes:
    stored = io.BytesIO()
    writer.write(stored)
    return stored.getvalue()
