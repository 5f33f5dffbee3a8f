"""Random weights that every loader takes: a FLUX pipeline with identity, for runs on a CPU.

`make(folder)` fills a models folder with a file for each model, under its released name.
"""

from tests.tiny_weights.bisenet import write_bisenet
from tests.tiny_weights.flux import write_lora, write_unet, write_vae
from tests.tiny_weights.folder import FILES, TINY_MODELS, make
from tests.tiny_weights.onnx_faces import write_arcface, write_scrfd
from tests.tiny_weights.pulid import write_eva, write_pulid
from tests.tiny_weights.retinaface import write_retinaface
from tests.tiny_weights.text_encoders import write_clip_l, write_t5
from tests.tiny_weights.upscaler import write_upscaler

__all__ = [
    "FILES",
    "TINY_MODELS",
    "make",
    "write_arcface",
    "write_bisenet",
    "write_clip_l",
    "write_eva",
    "write_lora",
    "write_pulid",
    "write_retinaface",
    "write_scrfd",
    "write_t5",
    "write_unet",
    "write_upscaler",
    "write_vae",
]
