"""Log lines: JSON, with ids and without anything of a person."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from handler.logs import clean, log_to

log = logging.getLogger("handler.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log_to(stream, "INFO")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_the_ids_of_its_job_and_page(stream: io.StringIO) -> None:
    log.info("page stored", extra={"job_id": "job-1", "page_number": 3, "render_ms": 1.5})
    log.debug("not this one")
    [line] = lines(stream)
    assert (line["level"], line["logger"], line["message"]) == (
        "info",
        "handler.test",
        "page stored",
    )
    assert (line["job_id"], line["page_number"], line["render_ms"]) == ("job-1", 3, 1.5)
    assert line["time"].endswith("+00:00")


def test_an_exception_is_part_of_its_line_without_the_query_of_a_url(stream: io.StringIO) -> None:
    try:
        raise ConnectionError(
            "HTTPSConnectionPool(host='r2', port=443): url: /b/emma.jpg?X-Amz-Signature=abc"
        )
    except ConnectionError:
        log.exception("read https://user:word@r2/b?X-Amz-Signature=abc", extra={"job_id": "j"})
    [line] = lines(stream)
    assert "ConnectionError" in line["exception"]
    assert "abc" not in json.dumps(line)
    assert "word" not in json.dumps(line)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("GET https://h/p?token=1 failed", "GET https://h/p?… failed"),
        ("'https://h/p#name', then", "'https://h/p?…', then"),
        ("https://key:secret@h/p", "https://h/p"),
        ("url: /p/q?a=1&b=2)", "url: /p/q?…"),
        ("is it there? a/b", "is it there? a/b"),
        ("a" * 64, "a" * 64),
        ("data " + "A" * 400 + "==", "data <402 characters>"),
        ("x " * 5000, "x " * 4000 + "…"),
    ],
)
def test_what_no_log_may_have_is_cut_out(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_an_extra_of_any_kind_is_cleaned(stream: io.StringIO) -> None:
    log.info("x", extra={"about": ["https://h/p?token=1"], "none": None})
    [line] = lines(stream)
    assert line["about"] == "['https://h/p?…']"
    assert line["none"] is None
