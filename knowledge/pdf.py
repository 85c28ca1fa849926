"""The text of a PDF, read by a process of its own: a PDF can be made to unpack without end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from myloware.kernel.child import bound
from myloware.kernel.errors import InvalidInput

READER = Path(__file__).with_name("pdf_reader.py")
MEMORY_BYTES = 256 * 2**20
SECONDS = 10
MAX_CHARS = 512_000
# Time on the clock, for a busy machine; the limit of SECONDS is of the processor's time.
PATIENCE_S = 60


class Pdf(NamedTuple):
    """A PDF's title, which may be blank, and its pages with text as sections in Markdown."""

    title: str
    body: str


def read_pdf(content: bytes) -> Pdf:
    """Raises ``InvalidInput`` with the reason."""
    limits = map(str, (MEMORY_BYTES, SECONDS, MAX_CHARS))
    command = bound([sys.executable, "-I", str(READER), *limits], signal.SIGKILL)
    try:
        ended = subprocess.run(command, input=content, capture_output=True, timeout=PATIENCE_S, check=False)
        answer = json.loads(ended.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        # Killed at its limit, it has said nothing.
        raise InvalidInput(f"cannot be read in {SECONDS} s and {MEMORY_BYTES:,} bytes of memory") from error
    if "refused" in answer:
        raise InvalidInput(answer["refused"])
    sections = (f"## Page {number}\n\n{text}" for number, text in answer["pages"])
    return Pdf(answer["title"], "\n\n".join(sections))
