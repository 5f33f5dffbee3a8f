"""The steps from what RunPod tells to what the endpoint's file says. Pure.

A plan names no value of a secret, and no value at all of variables that stand at RunPod.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from deploy.account import Account, FoundEndpoint, FoundVolume, Value, flat
from deploy.endpoint_file import Endpoint, Volume
from deploy.errors import Refused

NEW_VOLUME: Final = "(the new volume)"
"""Stands for the id of a volume that is still to be made."""

_FLASHBOOT: Final = {"off": "OFF", "on": "FLASHBOOT", "priority": "PRIORITY_FLASHBOOT"}


class Kind(StrEnum):
    """What a step does."""

    CREATE_VOLUME = "create volume"
    GROW_VOLUME = "grow volume"
    CREATE_ENDPOINT = "create endpoint"
    CHANGE_ENDPOINT = "change endpoint"


@dataclass(frozen=True)
class Step:
    """One call that changes something. ``body`` is what RunPod is sent, secrets and all;
    ``changes`` says for people what becomes of each setting. ``target`` is the id of what is
    changed, None if it is new."""

    kind: Kind
    name: str
    target: str | None
    body: Mapping[str, Any] = field(repr=False)
    changes: Mapping[str, str]


def make_plan(
    endpoint: Endpoint,
    secret_env: Mapping[str, str],
    account: Account,
    *,
    endpoint_id: str | None = None,
) -> list[Step]:
    """Return the steps, in their order; none if RunPod is as the file says.

    ``secret_env`` has the values of the variables that the file doesn't hold. Without
    ``endpoint_id`` the endpoint is the one with the file's name.

    Raises:
        Refused: a person has to decide or to do something first.
    """
    volume = _volume(endpoint.volume, account) if endpoint.volume else None
    found = _endpoint(endpoint.name, account, endpoint_id)
    steps = []
    if endpoint.volume and (step := _volume_step(endpoint.volume, volume)):
        steps.append(step)
    body = _body(
        endpoint,
        secret_env,
        registry=_registry(endpoint, account),
        volumes=[volume.id if volume else NEW_VOLUME] if endpoint.volume else [],
    )
    if found is None:
        steps.append(_creation(endpoint, body))
    elif step := _change(endpoint, body, found):
        steps.append(step)
    return steps


def _volume(wanted: Volume, account: Account) -> FoundVolume | None:
    named = [each for each in account.volumes if each.name == wanted.name]
    if len(named) > 1:
        raise Refused([f"volume.name: RunPod has {len(named)} volumes called {wanted.name!r}"])
    if named and named[0].data_center != wanted.data_center:
        raise Refused(
            [
                f"volume.data_center: {wanted.name!r} is in {named[0].data_center}, and RunPod"
                " moves no volume; give the new one another name"
            ]
        )
    if named and named[0].size_gb > wanted.size_gb:
        raise Refused(
            [
                f"volume.size_gb: {wanted.name!r} has {named[0].size_gb} GB, and RunPod makes no"
                " volume smaller"
            ]
        )
    return named[0] if named else None


def _endpoint(name: str, account: Account, endpoint_id: str | None) -> FoundEndpoint | None:
    if endpoint_id is not None:
        found = [each for each in account.endpoints if each.id == endpoint_id]
        if not found:
            raise Refused([f"RUNPOD_ENDPOINT_ID: this account has no endpoint {endpoint_id!r}"])
    else:
        found = [each for each in account.endpoints if each.name == name]
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise Refused(
            [
                f"name: RunPod has several endpoints called {name!r}; say which by"
                f" RUNPOD_ENDPOINT_ID: {ids}"
            ]
        )
    if found and not found[0].queue:
        raise Refused([f"{found[0].id} is no queue endpoint on GPUs, and can't become one"])
    return found[0] if found else None


def _registry(endpoint: Endpoint, account: Account) -> str | None:
    if endpoint.registry is None:
        return None
    if endpoint.registry not in account.registries:
        raise Refused(
            [
                f"registry: RunPod has no registry credential called {endpoint.registry!r};"
                " add it in its console, under Settings"
            ]
        )
    return account.registries[endpoint.registry]


def _volume_step(wanted: Volume, found: FoundVolume | None) -> Step | None:
    if found is None:
        body = {"name": wanted.name, "size": wanted.size_gb, "dataCenter": wanted.data_center}
        changes = {"size": f"{wanted.size_gb} GB", "dataCenter": wanted.data_center}
        return Step(Kind.CREATE_VOLUME, wanted.name, None, body, changes)
    if found.size_gb < wanted.size_gb:
        changes = {"size": f"{found.size_gb} → {wanted.size_gb} GB"}
        body = {"size": wanted.size_gb}
        return Step(Kind.GROW_VOLUME, wanted.name, found.id, body, changes)
    return None


def _body(
    endpoint: Endpoint,
    secret_env: Mapping[str, str],
    *,
    registry: str | None,
    volumes: list[str],
) -> dict[str, Any]:
    """The endpoint in RunPod's words, whole."""
    scaling, workers, volume = endpoint.scaling, endpoint.workers, endpoint.volume
    return {
        "name": endpoint.name,
        "image": endpoint.image,
        "registry": registry,
        "disk": endpoint.disk_gb,
        "timeout": endpoint.timeout_s * 1000,
        "flashboot": _FLASHBOOT[endpoint.flashboot],
        "dataCenterIds": [volume.data_center] if volume else endpoint.data_centers,
        "networkVolumes": volumes,
        "gpu": {
            "pools": endpoint.gpu.pools,
            "excludedTypes": endpoint.gpu.excluded_types,
            "count": endpoint.gpu.count,
            # RunPod takes a set of versions or a floor: ours is the floor.
            "allowedCudaVersions": [],
            "minCudaVersion": endpoint.gpu.min_cuda or "",
        },
        "workers": {"min": workers.min, "max": workers.max}
        | ({"idleTimeout": workers.idle_timeout_s} if workers.idle_timeout_s is not None else {}),
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": scaling.queue_delay_s}
        if scaling.queue_delay_s is not None
        else {"type": "REQUEST_COUNT", "requestCount": scaling.request_count},
        "env": {**endpoint.env, **secret_env},
    }


def _creation(endpoint: Endpoint, body: dict[str, Any]) -> Step:
    changes = {
        name: _after(name, value, endpoint, "set")
        for name, value in flat(body).items()
        if value not in (None, ())
    }
    created = {**body, "type": "QUEUE"}
    if not created["gpu"]["minCudaVersion"]:
        # Only a change may say "none" by an empty text.
        created["gpu"] = {k: v for k, v in created["gpu"].items() if k != "minCudaVersion"}
    return Step(Kind.CREATE_ENDPOINT, endpoint.name, None, created, changes)


def _change(endpoint: Endpoint, body: dict[str, Any], found: FoundEndpoint) -> Step | None:
    wanted = flat(body)
    changes = {}
    for name, value in wanted.items():
        before = found.settings.get(name)
        if value == before:
            continue
        after = _after(name, value, endpoint, "changed" if name in found.settings else "set")
        changes[name] = after if name.startswith("env.") else f"{_shown(before)} → {after}"
    for name in found.settings:
        if name not in wanted:
            changes[name] = "removed"
    if not changes:
        return None
    # What is sent is sent whole, each part: RunPod replaces the variables and the GPUs' selection.
    parts = {name.partition(".")[0] for name in changes}
    return Step(
        Kind.CHANGE_ENDPOINT,
        endpoint.name,
        found.id,
        {part: body[part] for part in body if part in parts},
        changes,
    )


def _after(name: str, value: Value, endpoint: Endpoint, verb: str) -> str:
    part, _, variable = name.partition(".")
    if part == "env" and variable not in endpoint.env:
        return verb
    return f"{verb}: {_shown(value)}" if part == "env" else _shown(value)


def _shown(value: Value) -> str:
    if value is None or value == ():
        return "none"
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return text if text.isprintable() else repr(text)
