"""Identities in ComfyUI's own FLUX against the same written plainly: not one bit apart."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from comfy_nodes.identity.apply.applied import Applied, Injector
from comfy_nodes.identity.apply.errors import MaskError, UnconditionalMissing
from comfy_nodes.identity.apply.injection import Depth
from tests.comfy_nodes.identity.apply_flux import (
    an_identity,
    an_injector,
    applied_to,
    flux_model,
    inputs,
    module,
)
from tests.comfy_nodes.identity.plain_flux import Shown, velocity


@pytest.fixture(scope="module")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Injector:
    return an_injector(tmp_path_factory.mktemp("pulid"))


@pytest.fixture(scope="module")
def model() -> Any:
    return flux_model()


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def forward(model: Any, given: dict[str, Any], **more: Any) -> torch.Tensor:
    """What the model makes of latents, with the options that a sampler would hand it."""
    options = module("comfy.patcher_extension").copy_nested_dicts(
        model.model_options["transformer_options"]
    )
    options |= {"sigmas": given["t"][:1], "cond_or_uncond": more.pop("chunks", [0])}
    result: torch.Tensor = model.model.apply_model(
        **given, transformer_options=options, control=more.pop("control", None), **more
    )
    return result


def plainly(
    model: Any, given: dict[str, Any], injector: Injector, *people: Shown, control: Any = None
) -> torch.Tensor:
    flux = model.model.diffusion_model
    speed = velocity(flux, given, injector.attentions, list(people), control)
    result: torch.Tensor = model.model.model_sampling.calculate_denoised(
        given["t"], speed, given["x"]
    )
    return result


def residuals(given: dict[str, Any], double: int, single: int) -> dict[str, Any]:
    """ControlNet residuals for every second block."""
    generator = torch.Generator().manual_seed(9)
    batch, _, height, width = given["x"].shape
    shape = (batch, height * width // 4, 48)

    def some(count: int) -> list[torch.Tensor | None]:
        made = [torch.randn(shape, generator=generator) for _ in range(count)]
        return [value if number % 2 == 0 else None for number, value in enumerate(made)]

    return {"input": some(double), "output": some(single)}


def test_flux_dev_has_twenty_attentions_each_at_the_entry_of_the_next_block() -> None:
    entries = Depth(19, 38).entries()
    assert Depth(19, 38).attentions == len(entries) == 20
    doubles = [("double_block", block) for block in range(1, 18, 2)]
    singles = [("single_block", block) for block in (0, *range(1, 38, 4))]
    assert list(entries) == doubles + singles
    assert list(entries.values()) == list(range(20))


@pytest.mark.parametrize("depth", [(4, 6), (3, 6), (1, 2), (1, 1), (2, 5)])
@pytest.mark.parametrize("with_control", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_people_are_added_after_the_blocks_that_pulid_chose(
    tmp_path: Path, depth: tuple[int, int], with_control: bool, count: int
) -> None:
    model, injector = flux_model(*depth), an_injector(tmp_path)
    people = [an_identity(seed) for seed in range(count)]
    given = inputs(batch=2)
    control = residuals(given, *depth) if with_control else None
    shown = applied_to(model, *(Applied(injector, who, 0.9) for who in people))
    expected = plainly(
        model, given, injector, *(Shown(who.tokens, 0.9) for who in people), control=control
    )
    result = forward(shown, given, control=copy.deepcopy(control))
    assert torch.equal(result, expected)
    assert not torch.allclose(result, forward(model, given, control=control), atol=1e-3)


def test_masks_say_where_each_person_is(model: Any, injector: Injector) -> None:
    given, people = inputs(), [an_identity(1), an_identity(2)]
    left = torch.zeros(1, 48, 64)
    left[:, :, :24] = 1  # ends in the middle of a token
    applied = [Applied(injector, people[0], 0.8, mask=left)]
    applied += [Applied(injector, people[1], 1.2, mask=1 - left)]
    tokens = left.reshape(1, 3, 16, 4, 16).mean(dim=(2, 4)).reshape(1, 12, 1)
    assert set(tokens.flatten().tolist()) == {0.0, 0.5, 1.0}
    expected = plainly(
        model,
        given,
        injector,
        Shown(people[0].tokens, 0.8, tokens),
        Shown(people[1].tokens, 1.2, 1 - tokens),
    )
    assert torch.equal(forward(applied_to(model, *applied), given), expected)


def test_each_picture_of_a_batch_may_have_its_own_mask(model: Any, injector: Injector) -> None:
    given, who = inputs(batch=2), an_identity(1)
    masks = torch.zeros(2, 48, 64)
    masks[0, :16], masks[1, 32:] = 1, 1
    tokens = masks.reshape(2, 3, 16, 4, 16).mean(dim=(2, 4)).reshape(2, 12, 1)
    expected = plainly(model, given, injector, Shown(who.tokens, 1.0, tokens))
    shown = applied_to(model, Applied(injector, who, mask=masks))
    assert torch.equal(forward(shown, given), expected)


@pytest.mark.parametrize("chunks", [[0, 1], [1, 0]])
def test_with_cfg_the_negative_half_gets_the_unconditional_embedding(
    model: Any, injector: Injector, chunks: list[int]
) -> None:
    given, who = inputs(batch=4), an_identity(1)
    assert who.unconditional is not None
    halves = {0: who.tokens, 1: who.unconditional}
    tokens = torch.cat([halves[chunk] for chunk in chunks for _ in range(2)])
    expected = plainly(model, given, injector, Shown(tokens, 1.0))
    shown = applied_to(model, Applied(injector, who))
    assert torch.equal(forward(shown, given, chunks=chunks), expected)


def test_cfg_without_an_unconditional_embedding_is_refused(model: Any, injector: Injector) -> None:
    shown = applied_to(model, Applied(injector, an_identity(1, unconditional=False)))
    forward(shown, inputs(batch=2))
    with pytest.raises(UnconditionalMissing, match="input identity"):
        forward(shown, inputs(batch=2), chunks=[0, 1])


@pytest.mark.parametrize(
    "shape", [(1, 48, 48), (1, 6, 8), (2, 48, 64)], ids=["aspect", "latent", "number"]
)
def test_a_mask_that_does_not_fit_the_picture_is_refused(
    model: Any, injector: Injector, shape: tuple[int, ...]
) -> None:
    shown = applied_to(model, Applied(injector, an_identity(1), mask=torch.ones(shape)))
    with pytest.raises(MaskError, match="input mask"):
        forward(shown, inputs())


def test_reference_pictures_are_left_alone(model: Any, injector: Injector) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def listen(args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        seen.append((args["img"].clone(), args["txt"].clone()))
        answer: dict[str, Any] = extra["original_block"](args)
        return answer

    listening = model.clone()
    listening.set_model_patch_replace(listen, "dit", "double_block", 1)
    given, reference = (
        inputs(),
        torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(1)),
    )
    forward(listening, given, ref_latents=[reference])
    forward(
        applied_to(listening, Applied(injector, an_identity(1))), given, ref_latents=[reference]
    )
    (without, _), (shown, _) = seen
    assert without.shape[1] == 12 + 4
    assert torch.equal(without[:, 12:], shown[:, 12:])
    assert not torch.equal(without[:, :12], shown[:, :12])


@pytest.mark.parametrize("patch_first", [True, False])
def test_a_patch_of_somebody_else_keeps_running(
    model: Any, injector: Injector, patch_first: bool
) -> None:
    def darker(args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        out = extra["original_block"](args)
        return {**out, "img": out["img"] * 0.5}

    def patched(which: Any) -> Any:
        clone = which.clone()
        clone.set_model_patch_replace(darker, "dit", "double_block", 1)
        clone.set_model_patch_replace(darker, "dit", "single_block", 1)
        return clone

    given, who = inputs(), Applied(injector, an_identity(1))
    both = applied_to(patched(model), who) if patch_first else patched(applied_to(model, who))
    alone = [forward(applied_to(model, who), given), forward(patched(model), given)]
    result = forward(both, given)
    assert all(not torch.allclose(result, other) for other in alone)
    other_order = (
        patched(applied_to(model, who)) if patch_first else applied_to(patched(model), who)
    )
    assert torch.equal(result, forward(other_order, given))


def test_it_acts_from_start_to_end_of_the_schedule_as_it_is_when_sampling(
    model: Any, injector: Injector
) -> None:
    given = inputs()
    untouched = forward(model, given)
    percent = {}
    for shift in (1.15, 3.0):
        sampling = module("comfy.model_sampling")

        class Sampling(sampling.ModelSamplingFlux, sampling.CONST):  # type: ignore[misc, name-defined]  # ComfyUI ships no types
            pass

        schedule = Sampling()
        schedule.set_parameters(shift=shift)
        percent[shift] = next(
            step / 100 for step in range(101) if schedule.percent_to_sigma(step / 100) < 0.7
        )
        late = applied_to(model, Applied(injector, an_identity(1), start=percent[shift]))
        just = applied_to(model, Applied(injector, an_identity(1), start=percent[shift] - 0.01))
        for shown in (late, just):
            shown.add_object_patch("model_sampling", schedule)
        for shown, acts in ((late, False), (just, True)):
            shown.patch_model(load_weights=False)
            result = forward(shown, given)
            shown.unpatch_model(unpatch_weights=False)
            assert torch.equal(result, untouched) != acts
    assert percent[1.15] < percent[3.0]


def test_weight_zero_changes_nothing(model: Any, injector: Injector) -> None:
    shown = applied_to(model, Applied(injector, an_identity(1), weight=0.0))
    assert torch.equal(forward(shown, inputs()), forward(model, inputs()))


def test_the_base_model_is_untouched(model: Any, injector: Injector) -> None:
    given = inputs()
    before, options = forward(model, given), copy.deepcopy(model.model_options)
    shown = applied_to(model, Applied(injector, an_identity(1)))
    forward(shown, given)
    assert model.model_options == options
    assert model.additional_models == {}
    assert torch.equal(forward(model, given), before)


def test_clones_share_the_weights(model: Any, injector: Injector) -> None:
    shown = applied_to(model, *(Applied(injector, an_identity(seed)) for seed in (1, 2)))
    clone = shown.clone().clone()
    options = clone.model_options["transformer_options"]
    assert [a.injector is injector for a in options["foxetales_identities"]] == [True, True]
    (loaded,) = clone.get_additional_models()
    assert loaded.model is injector.attentions
    assert torch.equal(forward(clone, inputs()), forward(shown, inputs()))


def test_keys_and_values_are_made_once_and_go_with_the_injector(model: Any, tmp_path: Path) -> None:
    injector = an_injector(tmp_path)
    calls = 0

    def count(_module: nn.Module, _args: Any, _output: Any) -> None:
        nonlocal calls
        calls += 1

    for attention in injector.attentions.pulid_ca:
        attention.get_submodule("to_kv").register_forward_hook(count)
    who = an_identity(1)
    for weight in (0.5, 1.0, 1.0):
        forward(applied_to(model, Applied(injector, who, weight)), inputs())
    assert calls == len(injector.attentions) == 4
    assert len(injector.cache) == 1
    injector.cache.clear()
    forward(applied_to(model, Applied(injector, who)), inputs())
    assert calls == 8


def test_unloading_the_injector_forgets_its_keys_and_values(model: Any, tmp_path: Path) -> None:
    loader = module("comfy_nodes.identity.apply.loader")
    an_injector(tmp_path)
    injector = loader.load_injector(tmp_path / "pulid.safetensors")
    who = an_identity(1, sha=injector.pulid_sha256)
    forward(applied_to(model, Applied(injector, who)), inputs())
    injector.patcher.detach(unpatch_all=False)
    assert len(injector.cache) == 1
    injector.patcher.detach()
    assert len(injector.cache) == 0


def sampled(model: Any, cfg: float) -> torch.Tensor:
    """Four steps of ComfyUI's own sampler."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(1, 16, 6, 8, generator=generator)
    text = inputs()
    conditioning = [[text["c_crossattn"], {"pooled_output": text["y"]}]]
    negative = [[text["c_crossattn"] * 0.5, {"pooled_output": text["y"] * 0.5}]]
    result: torch.Tensor = module("comfy.sample").sample(
        model, noise, 4, cfg, "euler", "simple", conditioning, negative, torch.zeros_like(noise),
        disable_pbar=True, seed=1,
    )  # fmt: skip
    return result


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_a_lora_before_or_after_the_identity_is_the_same_and_the_base_comes_back(
    injector: Injector, cfg: float
) -> None:
    model = flux_model()
    before = sampled(model, cfg)
    who = Applied(injector, an_identity(1))
    name = "diffusion_model.double_blocks.0.img_mlp.0.weight"
    change = {name: ("diff", (torch.full((96, 48), 0.01),))}

    def with_lora(which: Any) -> Any:
        clone = which.clone()
        clone.add_patches(change, 0.7)
        return clone

    first, second = with_lora(applied_to(model, who)), applied_to(with_lora(model), who)
    result = sampled(first, cfg)
    assert torch.equal(result, sampled(second, cfg))
    assert not torch.equal(result, sampled(with_lora(model), cfg))
    assert torch.equal(sampled(model, cfg), before)
