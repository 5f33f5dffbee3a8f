"""The identity's file: it comes back as it went, or is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from comfy_nodes.identity.embedding import Identity
from comfy_nodes.identity.errors import (
    EmbeddingInvalidError,
    EmbeddingMismatchError,
    EmbeddingUnreadableError,
)
from tests.comfy_nodes.identity.identities import PULID, identity


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("unconditional", [False, True])
def test_an_identity_comes_back_as_it_was_saved(
    tmp_path: Path, dtype: torch.dtype, unconditional: bool
) -> None:
    saved = identity(dtype, unconditional)
    saved.save(tmp_path / "person.safetensors")
    loaded = Identity.load(tmp_path / "person.safetensors", expect_pulid_sha256=PULID)
    assert torch.equal(loaded.tokens, saved.tokens)
    assert loaded.dtype == saved.dtype
    assert (loaded.unconditional is None) == (saved.unconditional is None)
    if saved.unconditional is not None and loaded.unconditional is not None:
        assert torch.equal(loaded.unconditional, saved.unconditional)
    for name in ("pulid_sha256", "photo_sha256", "extracted_at", "extractor_version"):
        assert getattr(loaded, name) == getattr(saved, name)


def test_saving_leaves_nothing_else_in_the_folder(tmp_path: Path) -> None:
    identity().save(tmp_path / "person.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["person.safetensors"]


def test_an_identity_in_bfloat16_takes_131_072_bytes_and_a_header(tmp_path: Path) -> None:
    identity().save(tmp_path / "person.safetensors")
    assert 131_072 < (tmp_path / "person.safetensors").stat().st_size < 132_000


def test_an_identity_of_another_pulid_file_is_refused(tmp_path: Path) -> None:
    identity().save(tmp_path / "person.safetensors")
    with pytest.raises(EmbeddingMismatchError, match=r"^embedding_mismatch: .*aaaaaaaaaaaa, not"):
        Identity.load(tmp_path / "person.safetensors", expect_pulid_sha256="c" * 64)


def test_an_identity_of_another_extractor_version_is_refused(tmp_path: Path) -> None:
    replace(identity(), extractor_version=2).save(tmp_path / "person.safetensors")
    with pytest.raises(EmbeddingMismatchError, match="extractor version 2, this is version 1"):
        Identity.load(tmp_path / "person.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    tokens = identity().tokens.clone()
    tokens[0, 31, 2047] = value
    with pytest.raises(EmbeddingInvalidError, match="NaN or infinite"):
        replace(identity(), tokens=tokens)


@pytest.mark.parametrize("field", ["tokens", "unconditional"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (torch.zeros(1, 16, 2048), "shape"),
        (torch.zeros(2, 32, 2048), "shape"),
        (torch.zeros(1, 32, 2048, dtype=torch.float16), "not float32 or bfloat16"),
    ],
)
def test_another_shape_or_type_is_refused(field: str, wrong: torch.Tensor, said: str) -> None:
    values = {field: wrong}
    with pytest.raises(EmbeddingInvalidError, match=said):
        replace(identity(), **values)  # type: ignore[arg-type]  # fields by name


def test_nan_in_a_file_is_refused_on_loading(tmp_path: Path) -> None:
    whole = identity(torch.float32)
    metadata = {
        "format": "foxetales.identity",
        "extractor_version": "1",
        "dtype": "float32",
        **{name: getattr(whole, name) for name in ("pulid_sha256", "photo_sha256", "extracted_at")},
    }
    tokens = torch.full_like(whole.tokens, float("nan"))
    save_file({"tokens": tokens}, tmp_path / "nan.safetensors", metadata)
    with pytest.raises(EmbeddingInvalidError, match="NaN"):
        Identity.load(tmp_path / "nan.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "person.safetensors"
    identity().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(EmbeddingUnreadableError, match=r"person\.safetensors is no whole"):
        Identity.load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingUnreadableError, match="there is no file"):
        Identity.load(tmp_path / "nobody.safetensors")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"tokens": torch.zeros(1, 32, 2048)}, tmp_path / "lora.safetensors")
    with pytest.raises(EmbeddingUnreadableError, match="holds no identity"):
        Identity.load(tmp_path / "lora.safetensors")


@pytest.mark.parametrize("hash_", ["", "A" * 64, "a" * 63])
def test_a_hash_that_is_none_is_refused(hash_: str) -> None:
    with pytest.raises(EmbeddingInvalidError, match="pulid_sha256"):
        replace(identity(), pulid_sha256=hash_)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-03-01T12:00:00", "2026-03-01T12:00+02:00"])
def test_a_time_that_is_not_utc_is_refused(time: str) -> None:
    with pytest.raises(EmbeddingInvalidError, match="extracted_at"):
        replace(identity(), extracted_at=time)
