"""What isn't deployed: settings that RunPod would take, and that would do harm. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from deploy.endpoint_file import Endpoint

RESERVE_S: Final = 30
"""So much longer than the job's own deadline RunPod waits: a late worker ends its job itself, with
a result that says so."""

_REFERENCE: Final = re.compile(r"\{\{ *RUNPOD_SECRET_\w+ *\}\}")
_GIVES_ACCESS: Final = re.compile(r"SECRET|TOKEN|PASSWORD|(^|_)KEY(_|$)")
_EXAMPLE_HOSTS: Final = ("registry.example", "example.com", "example.org")
_TAG: Final = re.compile(r"(:(?P<tag>[\w.-]+))?(@sha256:(?P<digest>[0-9a-f]{64}))?$")
_S3_KEYS: Final = ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")


def objections(
    endpoint: Endpoint, secret_env: Mapping[str, str], *, job_deadline_s: float
) -> list[str]:
    """Return why ``endpoint`` mustn't be deployed, a line for each reason; nothing if it may.

    ``secret_env`` has the values of the variables that the file doesn't hold; no line repeats one.
    """
    return [
        *_image(endpoint),
        *_workers(endpoint),
        *_timeout(endpoint, job_deadline_s),
        *_places(endpoint),
        *_plain_secrets(endpoint),
        *_worker_settings({**endpoint.env, **secret_env}),
    ]


def _image(endpoint: Endpoint) -> Iterator[str]:
    host, _, rest = endpoint.image.partition("/")
    if host.split(":")[0].endswith(_EXAMPLE_HOSTS):
        yield "image: is an example's; name your own"
    found = _TAG.search(rest or host)
    tag, digest = (found["tag"], found["digest"]) if found else (None, None)
    if digest is None and tag in (None, "latest"):
        yield "image: needs an exact tag or a digest; workers of one endpoint must be alike"
    if endpoint.registry is None and not endpoint.public_image:
        yield "registry: is missing; a public image says public_image = true"
    if endpoint.registry is not None and endpoint.public_image:
        yield "registry: a public image needs none"


def _workers(endpoint: Endpoint) -> Iterator[str]:
    workers = endpoint.workers
    if workers.max == 0:
        yield "workers.max: 0 renders nothing, and jobs would wait for ever"
    elif workers.min > workers.max:
        yield "workers.min: is more than workers.max"
    if endpoint.scaling.queue_delay_s is not None and workers.idle_timeout_s is None:
        yield "workers.idle_timeout_s: is missing"
    if endpoint.scaling.request_count is not None and workers.idle_timeout_s is not None:
        yield "workers.idle_timeout_s: RunPod takes none beside scaling.request_count"


def _timeout(endpoint: Endpoint, job_deadline_s: float) -> Iterator[str]:
    least = job_deadline_s + RESERVE_S
    if endpoint.timeout_s < least:
        yield (
            f"timeout_s: must be at least {least:g}, {RESERVE_S} more than the gateway's"
            " JOB_DEADLINE_S: RunPod would end jobs before they may end themselves"
        )


def _places(endpoint: Endpoint) -> Iterator[str]:
    volume = endpoint.volume
    if volume and any(place != volume.data_center for place in endpoint.data_centers):
        yield "data_centers: workers with a volume can only run in the volume's data centre"


def _plain_secrets(endpoint: Endpoint) -> Iterator[str]:
    for name, value in endpoint.env.items():
        if name in endpoint.secret_env:
            yield f"env.{name}: stands in secret_env, too"
        if _GIVES_ACCESS.search(name) and not _REFERENCE.fullmatch(value.strip()):
            yield (
                f"env.{name}: a secret doesn't belong into the file; name it in secret_env, or"
                " write {{ RUNPOD_SECRET_name }}"
            )


def _worker_settings(env: Mapping[str, str]) -> Iterator[str]:
    store = env.get("OBJECT_STORE_URL", "")
    if not store.startswith("s3://") and not _REFERENCE.fullmatch(store.strip()):
        yield "env.OBJECT_STORE_URL: must be s3://bucket; workers and gateway share one store"
    else:
        for name in _S3_KEYS:
            if not env.get(name):
                yield f"secret_env: {name} is missing; the store wouldn't let workers in"
    if ("CALLBACK_URL" in env) != ("CALLBACK_SECRET" in env):
        yield "env: CALLBACK_URL and CALLBACK_SECRET belong together"
    callback_host = urlsplit(env.get("CALLBACK_URL", "")).hostname or ""
    if callback_host.endswith(_EXAMPLE_HOSTS):
        yield "env.CALLBACK_URL: is an example's; name your gateway's"
    if not env.get("REQUIRED_WORKFLOWS"):
        yield (
            "env.REQUIRED_WORKFLOWS: is missing; a worker without models would take jobs,"
            " and the first job of each worker would pay for loading them"
        )
