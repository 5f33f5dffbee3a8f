"""Log lines as JSON objects, with nothing in them that belongs to a customer.

Each line has ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, the ``request_id`` of
the request it was written in, and whatever ``extra`` gave it. An exception is told by its type and
the places it passed through, never by its own text: that may repeat a name, a link or a row.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Final

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being answered in this context; empty outside one."""

_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            line["request_id"] = request
        line |= {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe_exception(record.exc_info[1])
        return json.dumps(line, default=str, ensure_ascii=False)


def describe_exception(error: BaseException) -> list[str]:
    """Return an exception's chain, the first cause last: type, then ``file:line function``."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)
        ]
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return lines


_NOISY: Final = ("httpx", "httpcore", "botocore", "boto3", "stripe", "urllib3", "multipart", "PIL")
"""Libraries that tell of each request."""


def configure(level: str, stream: IO[str]) -> None:
    """Send every log line of this process to ``stream`` as JSON.

    uvicorn's own access log is silenced: it prints query strings, which carry signed links.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
