"""RunPod's REST API, version 2, for one account: the rules of its OpenAPI description that concern
endpoints, network volumes and registry credentials. A real HTTP server on this machine."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

KEY = "rpa_a_key_that_may_write"

POOLS = {
    "AMPERE_24": {"NVIDIA L4", "NVIDIA RTX A5000"},
    "ADA_24": {"NVIDIA GeForce RTX 4090"},
    "ADA_48_PRO": {"NVIDIA L40", "NVIDIA L40S", "NVIDIA RTX 6000 Ada Generation"},
    "AMPERE_80": {"NVIDIA A100 80GB PCIe", "NVIDIA A100-SXM4-80GB"},
}
CONTAINER = {"args", "disk", "env", "image", "ports", "registry"}
UPDATABLE = CONTAINER | {
    "dataCenterIds", "flashboot", "gpu", "name", "networkVolumes", "scaling", "templateId",
    "timeout", "workers",
}  # fmt: skip
CREATABLE = UPDATABLE | {"type", "cpu"}
CUDA = re.compile(r"\d+\.\d+")


class Problem(Exception):
    """An answer by RFC 9457."""

    def __init__(self, status: int, detail: str, *errors: str) -> None:
        super().__init__(detail)
        self.status = status
        self.document = {"title": "Problem", "status": status, "detail": detail}
        if errors:
            self.document["errors"] = list(errors)


def demand(condition: object, detail: str, status: int = 422) -> None:
    if not condition:
        raise Problem(status, detail)


@dataclass
class Fault:
    """What becomes of the next calls with this method and path. ``status`` is answered without
    anything being done; 0 cuts the connection, after the call was done if ``done``."""

    method: str
    path: str
    status: int = 0
    done: bool = False
    times: int = 1
    retry_after: str = "0"
    detail: str = "a fault"


@dataclass
class FakeRunpod:
    """One account. ``calls`` are all calls as (method, path); ``bodies`` is what was sent."""

    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    registries: dict[str, str] = field(default_factory=lambda: {"foxetales": "reg1"})
    calls: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ignores: set[str] = field(default_factory=set)
    url: str = ""
    lock: Any = field(default_factory=Lock)

    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]

    def stay_idle(self, days: int) -> None:
        """Nobody sends a request for so many days."""
        for endpoint in self.endpoints.values():
            most = 0 if days >= 7 else 2 if days >= 3 else endpoint["workers"]["max"]
            endpoint["workers"]["max"] = min(endpoint["workers"]["max"], most)

    def answer(self, method: str, path: str, key: str, body: Any) -> tuple[int, Any]:
        demand(key == f"Bearer {KEY}", "missing or unknown bearer token", 401)
        kind, _, target = path.removeprefix("/v2/").partition("/")
        if method == "GET" and not target:
            return 200, self._list(kind)
        if method == "POST" and not target:
            made = {"serverless": self._create, "network-volumes": self._create_volume}[kind](body)
            return 201, made
        if method == "PATCH":
            changed = {"serverless": self._update, "network-volumes": self._grow}[kind](
                target, body
            )
            return 200, changed
        raise Problem(404, "no such route")

    def _list(self, kind: str) -> dict[str, Any]:
        if kind == "serverless":
            return {"endpoints": list(self.endpoints.values())}
        if kind == "network-volumes":
            return {"networkVolumes": list(self.volumes.values())}
        return {"registries": [{"id": v, "name": k} for k, v in self.registries.items()]}

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        demand(not set(body) - CREATABLE, "Request validation failed.")
        for name in ("name", "type", "scaling", "image"):
            demand(body.get(name), f"{name} is required")
        demand(("gpu" in body) != ("cpu" in body), "exactly one of gpu and cpu", 400)
        gpu = body["gpu"]
        demand(gpu.get("pools"), "gpu.pools is required")
        floor = gpu.get("minCudaVersion")
        demand(floor is None or CUDA.fullmatch(floor), "gpu.minCudaVersion: pattern")
        document = {
            "id": f"ep{len(self.endpoints) + 1}",
            "dataCenterIds": [],
            "networkVolumes": [],
            "env": {},
            "args": "",
            "ports": [],
            "disk": 20,
            "registry": None,
            "flashboot": "OFF",
            "timeout": 300_000,
            "createdAt": "2026-06-01T12:00:00Z",
            **body,
            "gpu": {"count": 1, "allowedCudaVersions": [], "minCudaVersion": None, **gpu},
            "workers": {"min": 0, "max": 3} | body.get("workers", {}),
        }
        if document["scaling"]["type"] == "QUEUE_DELAY":
            document["workers"].setdefault("idleTimeout", 10)
        self._check(document)
        self.endpoints[document["id"]] = document
        return document

    def _update(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        demand(target in self.endpoints, "endpoint not found", 404)
        demand(not set(body) - UPDATABLE, "Request validation failed.")
        before = self.endpoints[target]
        body = {name: value for name, value in body.items() if name not in self.ignores}
        gpu, patch = before["gpu"], body.get("gpu", {})
        if "excludedTypes" in patch:
            demand("pools" in patch, "gpu.excludedTypes requires pools")
        if "pools" in patch:
            gpu = {name: value for name, value in gpu.items() if name != "excludedTypes"}
        gpu = gpu | patch
        gpu["minCudaVersion"] = gpu["minCudaVersion"] or None
        document = (
            before | body | {"gpu": gpu, "workers": before["workers"] | body.get("workers", {})}
        )
        if document["scaling"]["type"] == "REQUEST_COUNT":
            demand("idleTimeout" not in body.get("workers", {}), "workers.idleTimeout", 400)
            document["workers"] = {
                name: value for name, value in document["workers"].items() if name != "idleTimeout"
            }
        self._check(document)
        self.endpoints[target] = document
        return document

    def _check(self, document: dict[str, Any]) -> None:
        gpu, workers, scaling = document["gpu"], document["workers"], document["scaling"]
        demand(all(isinstance(v, str) for v in document["env"].values()), "env: strings")
        demand(set(gpu["pools"]) <= set(POOLS), "unknown pool", 400)
        types = set().union(*(POOLS[pool] for pool in gpu["pools"]))
        excluded = set(gpu.get("excludedTypes") or [])
        demand(excluded <= types, "gpu.excludedTypes: not in a pool", 400)
        demand(excluded != types, "gpu.excludedTypes: nothing is left", 400)
        demand(not (gpu["allowedCudaVersions"] and gpu["minCudaVersion"]), "one of both", 400)
        demand(0 <= workers["min"] <= workers["max"], "workers", 400)
        demand(set(workers) <= {"min", "max", "idleTimeout"}, "workers")
        if scaling["type"] == "QUEUE_DELAY":
            demand(
                set(scaling) == {"type", "queueDelay"} and scaling["queueDelay"] >= 0.5, "scaling"
            )
            demand(1 <= workers["idleTimeout"] <= 3600, "workers.idleTimeout")
        else:
            demand(set(scaling) == {"type", "requestCount"}, "scaling")
            demand("idleTimeout" not in workers, "workers.idleTimeout isn't for REQUEST_COUNT", 400)
        for volume in document["networkVolumes"]:
            demand(volume in self.volumes, "unknown network volume", 404)
            place = self.volumes[volume]["dataCenter"]
            demand(document["dataCenterIds"] == [place], "volume in another data center", 400)
        known = {None, *self.registries.values()}
        demand(document["registry"] in known, "unknown registry", 404)

    def _create_volume(self, body: dict[str, Any]) -> dict[str, Any]:
        demand(set(body) <= {"name", "size", "dataCenter", "type"}, "additional properties")
        demand({"name", "size", "dataCenter"} <= set(body), "required")
        demand(10 <= body["size"] <= 4096, "size")
        document = {"id": f"vol{len(self.volumes) + 1}", "type": "STANDARD", **body}
        self.volumes[document["id"]] = document
        return document

    def _grow(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        demand(target in self.volumes, "volume not found", 404)
        demand(body and set(body) <= {"name", "size"}, "additional properties")
        demand(body["size"] >= self.volumes[target]["size"], "can't be reduced", 400)
        self.volumes[target] |= body
        return self.volumes[target]


class _Handler(BaseHTTPRequestHandler):
    runpod: FakeRunpod

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        with self.runpod.lock:
            self.runpod.calls.append((self.command, self.path))
            if body is not None:
                self.runpod.bodies.append(body)
            fault = self._fault()
            if fault and not fault.done:
                if fault.status:
                    problem = Problem(fault.status, fault.detail)
                    self._send(fault.status, problem.document, {"Retry-After": fault.retry_after})
                return
            try:
                key = self.headers.get("Authorization", "")
                status, document = self.runpod.answer(self.command, self.path, key, body)
            except Problem as problem:
                status, document = problem.status, problem.document
            if not fault:
                self._send(status, document)

    def _fault(self) -> Fault | None:
        for fault in self.runpod.faults:
            if (fault.method, fault.path) == (self.command, self.path) and fault.times:
                fault.times -= 1
                return fault
        return None

    def _send(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the server looks for these names

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@contextmanager
def fake_runpod() -> Iterator[FakeRunpod]:
    """Serve an account without endpoints and volumes."""
    runpod = FakeRunpod()
    handler = type("Handler", (_Handler,), {"runpod": runpod})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    runpod.url = f"http://127.0.0.1:{server.server_port}/v2"
    try:
        yield runpod
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
