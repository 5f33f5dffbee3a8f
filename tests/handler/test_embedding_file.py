"""What is an identity embedding's file, and what is not."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import torch

from comfy_nodes.identity.embedding import Identity
from contract.errors import ErrorCode
from handler.embedding_file import MAX_EMBEDDING_BYTES, read_record
from handler.errors import EmbeddingUnusable
from tests.handler.fakes import identity_file


def with_header(header: Any, tensors: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


def header_of(data: bytes) -> dict[str, Any]:
    end = 8 + int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8:end])
    return header


def test_the_record_says_when_and_by_what_it_was_made() -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)
    record = read_record(identity_file(moment, extractor_version="3"))
    assert record.extracted_at == moment
    assert (record.extractor_version, record.pulid_sha256) == ("3", "1" * 64)


def test_a_time_in_another_zone_is_the_same_moment() -> None:
    there = datetime(2026, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert read_record(identity_file(there)).extracted_at == datetime(2026, 3, 4, 3, tzinfo=UTC)


def test_the_node_packs_own_file_is_read(tmp_path: Path) -> None:
    """The nodes and the worker share no code, so this holds them together."""
    moment = "2026-03-04T05:06:07+00:00"
    for unconditional in (None, torch.ones(1, 32, 2048)):
        tokens = torch.zeros(1, 32, 2048)
        identity = Identity(tokens, "1" * 64, "2" * 64, moment, unconditional)
        identity.save(tmp_path / "person.safetensors")
        data = (tmp_path / "person.safetensors").read_bytes()
        assert len(data) <= MAX_EMBEDDING_BYTES
        assert read_record(data).extracted_at == datetime.fromisoformat(moment)
        with pytest.raises(EmbeddingUnusable, match="not whole"):
            read_record(data[:-1])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08",
        b"\x89PNG\r\n\x1a\n",
        (2**63).to_bytes(8, "little") + b"{}",
        (0).to_bytes(8, "little"),
        with_header(b"[" * 60_000),
        with_header(b"\xff\xfe{}"),
        with_header([]),
        with_header({}),
        with_header(b"{" + b" " * 70_000 + b"}"),
        identity_file()[:-1],
        identity_file() + b"\0",
    ],
    ids=[
        "empty", "one byte", "a picture", "endless header", "no header", "deep JSON", "no text",
        "a list", "nothing in it", "huge header", "cut short", "too long",
    ],
)  # fmt: skip
def test_what_is_no_whole_safetensors_file_is_refused(data: bytes) -> None:
    with pytest.raises(EmbeddingUnusable) as refusal:
        read_record(data)
    assert refusal.value.code is ErrorCode.EMBEDDING_UNUSABLE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "pt"),
        ("pulid_sha256", "12"),
        ("photo_sha256", ""),
        ("extracted_at", "yesterday"),
        ("extracted_at", "2026-03-04T05:06:07"),
    ],
)
def test_another_record_is_refused_by_its_fields_name_and_not_its_value(
    name: str, value: str
) -> None:
    header = header_of(identity_file())
    header["__metadata__"][name] = value
    with pytest.raises(EmbeddingUnusable, match=name) as refusal:
        read_record(with_header(header, bytes(131_072)))
    assert not value or value not in str(refusal.value)


@pytest.mark.parametrize("name", ["__metadata__", "tokens"])
def test_record_and_tokens_must_be_there(name: str) -> None:
    header = header_of(identity_file())
    del header[name]
    with pytest.raises(EmbeddingUnusable, match=name):
        read_record(with_header(header, bytes(131_072)))
