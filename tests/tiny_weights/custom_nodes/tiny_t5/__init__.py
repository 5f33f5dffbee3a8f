"""For tests: lets ComfyUI's text encoder loaders take a T5 of another size than T5-XXL.

ComfyUI can build a smaller T5 (`model_options["t5xxl_model_config"]`), but none of its loader
nodes says so. This pack says it for them, for files whose metadata holds a configuration (see
`tests/tiny_weights/text_encoders.py`). Other files load as ever, and workflows need no change.
"""

import json
from collections.abc import Callable
from typing import Any

import comfy.sd
from safetensors import safe_open

NODE_CLASS_MAPPINGS: dict[str, type] = {}
_CONFIG_KEY = "tiny_t5_config"


def _config_in(path: str) -> dict[str, int] | None:
    if not path.endswith(".safetensors"):
        return None
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(_CONFIG_KEY)
    return json.loads(text) if text else None


def _with_small_t5(load_clip: Callable[..., Any]) -> Callable[..., Any]:
    def load(ckpt_paths: list[str], **arguments: Any) -> Any:
        configs = [config for config in map(_config_in, ckpt_paths) if config]
        if configs:
            options = {**arguments.get("model_options", {}), "t5xxl_model_config": configs[0]}
            arguments = {**arguments, "model_options": options}
        return load_clip(ckpt_paths, **arguments)

    return load


comfy.sd.load_clip = _with_small_t5(comfy.sd.load_clip)
