"""Logs as one JSON object a line."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_TEXT_CHARACTERS: Final = 8000
_DATA: Final = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")
"""Longer than any id, hash or path's part: an image as base64, say."""

_QUERY: Final = re.compile(r"((?:https?|wss?|s3|postgresql)://[^\s?#'\"<>]*)[?#][^\s'\"<>]*")
_USER: Final = re.compile(r"((?:https?|wss?|s3|postgresql)://)[^\s/@'\"<>]+@")
_PATH_QUERY: Final = re.compile(r"(/[^\s?'\"<>]*)\?[^\s'\"<>]*=[^\s'\"<>]*")
"""Of a URL without its host, as libraries put it into their errors."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """``{"time", "level", "logger", "message", …}`` with whatever ``extra`` gave: ids, counts and
    milliseconds. Nobody hands photos, names or signed links to a log; what a library's error may
    have of them, the query of a URL or a run of base64, is cut out here."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        line |= {name: _extra(v) for name, v in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = clean(self.formatException(record.exc_info))
        return json.dumps(line)


def clean(text: str) -> str:
    """Return ``text`` without what no log may have, and of a bounded length."""
    text = _USER.sub(r"\1", text)
    text = _PATH_QUERY.sub(r"\1?…", _QUERY.sub(r"\1?…", text))
    text = _DATA.sub(lambda match: f"<{len(match[0])} characters>", text)
    return text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]}…"


def _extra(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else clean(str(value))


def log_to(stream: TextIO, level: str) -> None:
    """Send every log record of at least ``level`` to ``stream``."""
    output = logging.StreamHandler(stream)
    output.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[output], force=True)
    for chatty in ("urllib3", "websocket", "botocore", "boto3", "s3transfer", "PIL", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.INFO, logging.getLevelName(level)))
