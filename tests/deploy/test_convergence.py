"""Whatever stands at RunPod, one apply makes it what the file says, and a second does nothing."""

from functools import partial
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.apply import carry_out
from deploy.endpoint_file import Endpoint
from deploy.plan import make_plan
from deploy.runpod_api import RunpodApi
from tests.deploy.fake_runpod import KEY, POOLS, FakeRunpod, fake_runpod

NAMES = st.text("ABCDEF_", min_size=1, max_size=4).filter(lambda name: name[0] != "_")


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    """An endpoint as a file may have it, of one name, with or without a volume of one name."""
    pools = draw(st.lists(st.sampled_from(sorted(POOLS)), min_size=1, unique=True))
    types = sorted(set().union(*(POOLS[pool] for pool in pools)))
    excluded = draw(st.lists(st.sampled_from(types), unique=True, max_size=len(types) - 1))
    by_delay = draw(st.booleans())
    most = draw(st.integers(1, 9))
    document: dict[str, Any] = {
        "name": "worker",
        "image": draw(st.sampled_from(["images.shop.test/a:1", "images.shop.test/a:2"])),
        "registry": draw(st.sampled_from([None, "foxetales", "other"])),
        "disk_gb": draw(st.integers(5, 50)),
        "timeout_s": draw(st.integers(630, 900)),
        "flashboot": draw(st.sampled_from(["off", "on", "priority"])),
        "data_centers": draw(st.lists(st.sampled_from(["A", "B"]), unique=True)),
        "gpu": {
            "pools": pools,
            "excluded_types": excluded,
            "count": draw(st.integers(1, 2)),
            "min_cuda": draw(st.sampled_from([None, "12.8", "13.0"])),
        },
        "workers": {
            "min": draw(st.integers(0, most)),
            "max": most,
            "idle_timeout_s": draw(st.integers(1, 3600)) if by_delay else None,
        },
        "scaling": {"queue_delay_s": draw(st.floats(0.5, 60))}
        if by_delay
        else {"request_count": draw(st.integers(1, 9))},
        "env": draw(st.dictionaries(NAMES, st.text(max_size=5), max_size=3)),
    }
    if draw(st.booleans()):
        document["data_centers"] = []
        document["volume"] = {"name": "models", "size_gb": 50, "data_center": "A"}
    return Endpoint.model_validate(document)


def apply(runpod: FakeRunpod, client: httpx.Client, endpoint: Endpoint, secrets: Any) -> int:
    api = RunpodApi(client, url=runpod.url, api_key=KEY, sleep=lambda _: None)
    return carry_out(api, partial(make_plan, endpoint, secrets), lambda *_: None)


def test_one_apply_is_enough_whatever_stood_there() -> None:
    with fake_runpod() as runpod, httpx.Client() as client:
        runpod.registries["other"] = "reg2"

        @settings(max_examples=60, deadline=None)
        @given(endpoints(), endpoints(), st.dictionaries(NAMES, st.text(min_size=1), max_size=2))
        def converges(first: Endpoint, second: Endpoint, secrets: dict[str, str]) -> None:
            runpod.endpoints.clear()
            runpod.volumes.clear()
            apply(runpod, client, first, secrets)
            apply(runpod, client, second, {})
            assert apply(runpod, client, second, {}) == 0
            (document,) = runpod.endpoints.values()
            assert document["env"] == second.env
            assert document["image"] == second.image
            assert document["workers"]["max"] == second.workers.max
            assert set(document["gpu"]["pools"]) == set(second.gpu.pools)
            assert set(document["gpu"].get("excludedTypes", [])) == set(second.gpu.excluded_types)
            assert document["gpu"]["minCudaVersion"] == second.gpu.min_cuda
            assert bool(document["networkVolumes"]) == bool(second.volume)

        converges()
