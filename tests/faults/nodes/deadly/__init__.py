"""A node that ends ComfyUI's own process, as a crash in a library does."""

import os
import signal
from typing import Any

DEADLY = "deadly"
"""The text that it does it for."""


class EndIf:
    """Hands a picture on, unless its text is the deadly one."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {"required": {"image": ("IMAGE",), "text": ("STRING", {"default": ""})}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, image: Any, text: str) -> tuple[Any]:
        if text == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return (image,)


NODE_CLASS_MAPPINGS = {"EndIf": EndIf}
