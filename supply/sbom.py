"""The images' bills of materials: CycloneDX 1.6, as JSON.

Made from the locks, the model list and the Dockerfiles, not by looking into an image: what the
hashes let in is what is in it. Two runs over the same files give the same bytes.
"""

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handler.workflows.model_list import ListedModel
from supply.licences import Licensed

SPEC_VERSION = "1.6"
_NAMESPACE = uuid.UUID("5ab5e0b6-7d53-4a50-9b0e-54b1d2a5a0cf")  # ours, made once at random
_ARGUMENT = re.compile(r"^ARG ([A-Z_]+)=(\S+)$", re.MULTILINE)

Component = dict[str, Any]


@dataclass(frozen=True)
class Image:
    """An image: its name, version, and what its Dockerfile's build arguments default to."""

    name: str
    version: str
    arguments: dict[str, str]


def arguments_of(dockerfile: Path) -> dict[str, str]:
    """Return the build arguments that have a default."""
    return dict(_ARGUMENT.findall(dockerfile.read_text(encoding="utf-8")))


def bill(image: Image, packages: Iterable[Licensed], models: Iterable[ListedModel]) -> str:
    """Return an image's bill of materials."""
    components = [
        _base(image.arguments),
        *_comfyui(image.arguments),
        *(_package(package) for package in packages),
        *(_model(model) for model in models),
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": image.name,
                "name": image.name,
                "version": image.version,
                "licenses": _licence("LicenseRef-Proprietary"),
            }
        },
        "components": components,
        "dependencies": [
            {"ref": image.name, "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
    return json.dumps({**document, "serialNumber": f"urn:uuid:{serial}"}, indent=1) + "\n"


def _base(arguments: dict[str, str]) -> Component:
    tag, digest = arguments["PYTHON_TAG"], arguments["PYTHON_DIGEST"]
    return {
        "type": "container",
        "bom-ref": f"python:{tag}",
        "name": "python",
        "version": tag,
        "purl": f"pkg:oci/python@{digest.replace(':', '%3A')}?tag={tag}",
        "hashes": [_sha256(digest.removeprefix("sha256:"))],
    }


def _comfyui(arguments: dict[str, str]) -> list[Component]:
    if "COMFYUI_VERSION" not in arguments:
        return []
    version = arguments["COMFYUI_VERSION"]
    return [
        {
            "type": "application",
            "bom-ref": "comfyui",
            "name": "ComfyUI",
            "version": version,
            "licenses": _licence("GPL-3.0-or-later"),
            "externalReferences": [{"type": "vcs", "url": arguments["COMFYUI_URL"]}],
        }
    ]


def _package(package: Licensed) -> Component:
    """A package; a lock allows several files of it, of which the installer takes one."""
    pin = package.pin
    return {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "licenses": _licence(package.licence or "NOASSERTION"),
        "properties": [{"name": "foxetales:lock:sha256", "value": value} for value in pin.sha256],
    }


def _model(model: ListedModel) -> Component:
    size = [] if model.size_bytes is None else [("foxetales:bytes", str(model.size_bytes))]
    properties = [*size, ("foxetales:gated", str(model.gated).lower())]
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model.name}",
        "name": model.name,
        "hashes": [_sha256(model.sha256)] if model.sha256 else [],
        "licenses": _licence(model.licence),
        "properties": [{"name": name, "value": value} for name, value in properties],
    }


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _licence(expression: str) -> list[dict[str, str]]:
    return [{"expression": expression}]
