"""What Identity apply and its loader refuse, and how clearly."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from comfy_nodes.identity.apply.applied import Applied, Injector
from comfy_nodes.identity.apply.errors import (
    InjectorMismatchError,
    MaskError,
    NotFluxError,
    SettingsError,
)
from comfy_nodes.identity.apply.weights import Attentions, read_attentions
from comfy_nodes.identity.errors import (
    EmbeddingInvalidError,
    EmbeddingMismatchError,
    IdentityError,
    WeightsError,
)
from tests.comfy_nodes.identity.apply_flux import (
    SHA,
    State,
    an_identity,
    an_injector,
    applied_to,
    flux_model,
    injector_state,
    module,
    write_injector,
)


@pytest.fixture(scope="module")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Injector:
    return an_injector(tmp_path_factory.mktemp("pulid"))


def test_only_the_injecting_half_is_loaded_as_it_is_written(tmp_path: Path) -> None:
    loaded = read_attentions(write_injector(tmp_path / "pulid.safetensors", count=3))
    expected = injector_state(3)
    assert {name: tensor.dtype for name, tensor in loaded.state_dict().items()} == dict.fromkeys(
        expected, torch.float32
    )
    assert all(torch.equal(loaded.state_dict()[name], expected[name]) for name in expected)


def lacking(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if name != "pulid_ca.1.to_kv.weight"}


def skipping(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if ".1." not in name}


def encoder_only(state: State) -> State:
    return {"pulid_encoder.latents": torch.zeros(1)}


def newer(state: State) -> State:
    return {**state, "pulid_ca.0.gate": torch.zeros(1)}


def uneven(state: State) -> State:
    return {**state, "pulid_ca.1.to_out.weight": torch.zeros(48, 64)}


def headless(state: State) -> State:
    return {**state, "pulid_ca.0.to_q.weight": torch.zeros(100, 48)}


def flat(state: State) -> State:
    return {**state, "pulid_ca.0.to_q.weight": torch.zeros(48)}


def whole(state: State) -> State:
    return {**state, "pulid_ca.0.norm1.bias": torch.zeros(2048, dtype=torch.int8)}


@pytest.mark.parametrize(
    "spoil", [lacking, skipping, encoder_only, newer, uneven, headless, flat, whole]
)
def test_a_file_of_another_network_or_version_is_refused(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "pulid.safetensors"
    save_file(spoil(injector_state(3)), path)
    with pytest.raises(WeightsError, match=r"weights_unusable: pulid\.safetensors"):
        read_attentions(path)


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: float) -> None:
    path = write_injector(tmp_path / "pulid.safetensors", count=1)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(WeightsError, match="no whole safetensors file"):
        read_attentions(path)


def test_a_missing_file_and_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        read_attentions(tmp_path / "pulid.safetensors")
    (tmp_path / "other.safetensors").write_text(json.dumps({"a": 1}))
    with pytest.raises(WeightsError):
        read_attentions(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"weight": -0.1}, "input weight"),
        ({"weight": 3.01}, "input weight"),
        ({"weight": float("nan")}, "input weight"),
        ({"start": -0.1}, "input start_at"),
        ({"end": 1.5}, "input end_at"),
        ({"start": 0.6, "end": 0.5}, "after end_at"),
    ],
)
def test_numbers_out_of_range_are_refused(
    injector: Injector, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=f"identity_settings: .*{said}"):
        Applied(injector, an_identity(1), **settings)


@pytest.mark.parametrize(
    "mask",
    [
        torch.zeros(1, 48, 64),
        torch.full((1, 48, 64), float("nan")),
        torch.full((1, 48, 64), 2.0),
        torch.ones(48, 64),
        torch.ones(0, 48, 64),
    ],
    ids=["zero", "nan", "above one", "two dimensions", "no mask"],
)
def test_what_is_no_mask_is_refused(injector: Injector, mask: torch.Tensor) -> None:
    with pytest.raises(MaskError, match="identity_mask: input mask"):
        Applied(injector, an_identity(1), mask=mask)


def test_an_identity_of_another_pulid_file_is_refused(injector: Injector) -> None:
    with pytest.raises(EmbeddingMismatchError):
        Applied(injector, an_identity(1, sha="c" * 64))


def test_an_identity_with_nan_does_not_come_into_being() -> None:
    tokens = an_identity(1).tokens
    tokens[0, 3, 4] = float("nan")
    with pytest.raises(EmbeddingInvalidError, match="NaN"):
        type(an_identity(1))(tokens, SHA, "b" * 64, "2026-01-01T00:00:00+00:00")


def test_a_model_that_is_not_flux_is_refused(injector: Injector) -> None:
    other = SimpleNamespace(model=SimpleNamespace(diffusion_model=torch.nn.Linear(2, 2)))
    with pytest.raises(NotFluxError, match="input model: Linear is not FLUX"):
        applied_to(other, Applied(injector, an_identity(1)))


def test_an_injector_for_another_flux_is_refused(injector: Injector, tmp_path: Path) -> None:
    with pytest.raises(InjectorMismatchError, match="4 attentions, the model needs 5"):
        applied_to(flux_model(double=6), Applied(injector, an_identity(1)))
    save_file(injector_state(4, width=96), tmp_path / "wide.safetensors")
    wide: Attentions = read_attentions(tmp_path / "wide.safetensors")
    with pytest.raises(InjectorMismatchError, match="96 wide, the model's are 48 wide"):
        applied_to(flux_model(), Applied(Injector(wide, SHA), an_identity(1)))


def test_the_node_names_what_it_refuses_before_anything_runs() -> None:
    node = module("comfy_nodes.identity.apply.node")
    module("comfy_nodes.identity.folders").register_model_folders()
    assert node.IdentityApply.validate_inputs(start_at=0.0, end_at=1.0) is True
    assert node.IdentityApply.validate_inputs(start_at=None, end_at=None) is True
    assert "after end_at" in node.IdentityApply.validate_inputs(start_at=0.9, end_at=0.1)
    for name in ("../../secrets.safetensors", "absent.safetensors"):
        assert "weights_unusable" in node.PulidInjectorLoader.validate_inputs(name)


def test_the_node_applies_what_the_loader_loads(tmp_path: Path) -> None:
    node = module("comfy_nodes.identity.apply.node")
    injector, model = an_injector(tmp_path), flux_model()
    (shown,) = node.IdentityApply.execute(model, injector, an_identity(1), 1.0, 0.0, 1.0).result
    assert shown.model is model.model
    with pytest.raises(IdentityError):
        node.IdentityApply.execute(model, injector, an_identity(1), 5.0, 0.0, 1.0)


def test_the_schemas_say_what_goes_in_and_out() -> None:
    node = module("comfy_nodes.identity.apply.node")
    apply = node.IdentityApply.GET_SCHEMA()
    assert apply.node_id == "FoxetalesIdentityApply"
    assert [entry.id for entry in apply.inputs] == [
        "model", "injector", "identity", "weight", "start_at", "end_at", "mask",
    ]  # fmt: skip
    loader = node.PulidInjectorLoader.GET_SCHEMA()
    assert loader.node_id == "FoxetalesPulidInjectorLoader"
    assert [entry.io_type for entry in loader.outputs] == ["FOXETALES_PULID_INJECTOR"]
