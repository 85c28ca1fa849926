"""Reads a PDF from standard input within limits. Run as a script: ``python -I pdf_reader.py BYTES SECONDS CHARS``.

Answers in JSON with ``title`` and ``pages``, or with ``refused`` and the reason.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
from typing import Any

# A word that is divided at the end of a line.
_DIVIDED = re.compile(r"(?<=[a-z])-\n(?=[a-z])")


def confine(memory_bytes: int, seconds: int) -> None:
    """The kernel refuses more memory, and kills when the time is over; nothing can be written to a file."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def answer(content: bytes, max_chars: int) -> dict[str, Any]:
    """What there is to say about the PDF."""
    from pypdf.errors import LimitReachedError

    try:
        return _read(content, max_chars)
    except (LimitReachedError, MemoryError):
        return {"refused": "unpacks to too much"}
    except Exception as error:
        return {"refused": f"broken PDF: {error or type(error).__name__}"[:300]}


def _read(content: bytes, max_chars: int) -> dict[str, Any]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        return {"refused": "encrypted"}
    pages: list[tuple[int, str]] = []
    for number, page in enumerate(reader.pages, start=1):
        text = _clean(page.extract_text())
        max_chars -= len(text)
        if max_chars < 0:
            return {"refused": "holds too much text"}
        if text:
            pages.append((number, text))
    if not pages:
        return {"refused": "holds no text; pages that were scanned are pictures"}
    return {"title": _clean(str((reader.metadata and reader.metadata.title) or ""))[:200], "pages": pages}


def _clean(text: str) -> str:
    # Fonts can map letters to what PostgreSQL cannot store: the character zero and halves of surrogate pairs.
    stored = text.replace("\0", "").encode("utf-8", "replace").decode()
    return _DIVIDED.sub("", stored).strip()


if __name__ == "__main__":
    memory, processor, chars = map(int, sys.argv[1:])
    confine(memory, processor)
    print(json.dumps(answer(sys.stdin.buffer.read(), chars)))
