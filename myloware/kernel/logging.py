"""Structured logs: one JSON object or one console line per event, with ids, without secrets."""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}

# Header, key=value and JSON forms of credentials (JSON within JSON too), credentials in URLs, Telegram bot tokens,
# proofs of our callback URLs, keys by their usual beginnings.
_SECRETS = re.compile(
    r"(?i)"
    r"((?:authorization|cookie|sessionid|api[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?|passw(?:or)?d|token)"
    r"(?:\\?[\"'])?(?:\s*[:=]|(?<=[\"'])\s*,)\s*(?:b?\\?[\"'])?(?:bearer |apikey |basic )?"
    r"|[?&]ref=)"
    r"[^\s\"',&}\\]+"
    r"|(?:(?<=bearer )|(?<=apikey ))[A-Za-z0-9._~+/=-]{12,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|bot\d{6,}:[A-Za-z0-9_-]{20,}"
    r"|\b(?:sk|lsv2|xox[bp]|gh[oprsu]|github_pat|glpat|hf)[-_][A-Za-z0-9_-]{12,}"
    # AWS, Google, JSON web tokens, PEM.
    r"|\bA[KS]IA[0-9A-Z]{16}\b|\bAIza[A-Za-z0-9_-]{30,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s]|\\n)*"
)
# A shorter value would be found in words.
_MIN_SECRET = 8


def redact(text: str, known: Iterable[str] = ()) -> str:
    """``text`` with everything that looks like a credential, and all ``known`` ones, replaced by ``[redacted]``."""
    for value in known:
        text = text.replace(value, "[redacted]") if len(value) >= _MIN_SECRET else text
    return _SECRETS.sub(lambda match: f"{match.group(1) or ''}[redacted]", text)


def cleaned(value: Any, known: Iterable[str] = ()) -> Any:
    """A structure of plain values with all its texts redacted, names excepted."""
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, dict):
        return {key: cleaned(each, known) for key, each in value.items()}
    return [cleaned(each, known) for each in value] if isinstance(value, list | tuple) else value


@contextmanager
def log_context(**ids: str) -> Iterator[None]:
    """Adds ``ids`` (runId, requestId, actor, ...) to every record logged inside."""
    token = _context.set({**_context.get(), **ids})
    try:
        yield
    finally:
        _context.reset(token)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_")}
    return {**_context.get(), **extra}


class _Discreet(logging.Formatter):
    """``secrets``: the values that no line may show, whatever stands before them."""

    def __init__(self, *, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)


class JsonFormatter(_Discreet):
    """``timestamp, level, logger, event`` and the record's ids, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str), self._secrets)


class ConsoleFormatter(_Discreet):
    """``LEVEL logger: event key=value`` for people, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{key}={value}" for key, value in fields_of(record).items() if value != "")
        text = f"{record.levelname:<7} {record.name}: {record.getMessage()} {ids}".rstrip()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return redact(text, self._secrets)
