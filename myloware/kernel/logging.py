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
    from collections.abc import Iterator, Mapping

_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}

# Header and key=value forms of credentials, credentials in URLs, Telegram bot tokens, signed tokens in queries.
_SECRETS = re.compile(
    r"(?i)"
    r"((?:authorization|x-api-key|api[_-]?key|secret|password|token)[\"']?\s*[:=]\s*[\"']?(?:bearer |apikey |basic )?)"
    r"[^\s\"',&}]+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|bot\d{6,}:[A-Za-z0-9_-]{20,}"
    r"|\b(?:sk|lsv2|xox[bp])[-_][A-Za-z0-9_-]{12,}"
)


def redact(text: str) -> str:
    """``text`` with everything that looks like a credential replaced by ``[redacted]``."""
    return _SECRETS.sub(lambda match: f"{match.group(1) or ''}[redacted]", text)


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


class JsonFormatter(logging.Formatter):
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
        return redact(json.dumps(line, default=str))


class ConsoleFormatter(logging.Formatter):
    """``LEVEL logger: event key=value`` for people, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{key}={value}" for key, value in fields_of(record).items() if value != "")
        text = f"{record.levelname:<7} {record.name}: {record.getMessage()} {ids}".rstrip()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return redact(text)
