"""Log lines are JSON, and discreet."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from gateway import logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("INFO", stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False


def test_a_line_is_one_json_object_with_its_extras(lines: io.StringIO) -> None:
    token = logs.request_id.set("req-1")
    logging.getLogger("gateway.test").info("photo taken in", extra={"photo_id": "abc"})
    logs.request_id.reset(token)
    line = json.loads(lines.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "gateway.test",
        "message": "photo taken in",
        "request_id": "req-1",
        "photo_id": "abc",
    }


def test_an_exception_is_told_by_type_and_place_only(lines: io.StringIO) -> None:
    try:
        try:
            raise KeyError("Zoë")
        except KeyError as error:
            raise ValueError("Zoë's photo") from error
    except ValueError:
        logging.getLogger("gateway.test").exception("failed")
    line = json.loads(lines.getvalue())
    assert line["exception"][0] == "builtins.ValueError"
    assert "builtins.KeyError" in line["exception"]
    assert "Zo" not in lines.getvalue()
    assert any("test_logs.py" in place for place in line["exception"])


def test_the_servers_own_access_log_is_silent(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info("GET /files/x?signature=secret")
    assert lines.getvalue() == ""


def test_lines_below_the_level_are_not_written(lines: io.StringIO) -> None:
    logging.getLogger("gateway.test").debug("detail")
    assert lines.getvalue() == ""
