"""What the worker may be told: each variable's name, default and meaning, declared here once.

handler/settings.py reads no other, and docs/configuration.md gets its table from here, by
``make docs-reference``.
"""

from contract.variables import REQUIRED, Variable

VARIABLES = (
    Variable("OBJECT_STORE_URL", "`file:///folder` or `s3://bucket`.", shown=REQUIRED),
    Variable("CALLBACK_URL", "The gateway's `/webhooks/runpod/status`; together with the next."),
    Variable("CALLBACK_SECRET", "Standard Webhooks secret (`whsec_…`) that signs callbacks."),
    Variable(
        "COMFYUI_PATH",
        "The folder with ComfyUI's `main.py`.",
        shown="`build/comfyui`, or a comfy-cli workspace",
    ),
    Variable(
        "COMFYUI_BASE_DIR",
        "ComfyUI's base directory; holds inputs and outputs while a job runs.",
        shown="a fresh temporary folder",
    ),
    Variable(
        "COMFYUI_MODELS_DIR", "A further folder of model folders.", shown="`build/models`, if there"
    ),
    Variable("COMFYUI_DEVICE", "`auto` or `cpu`.", default="auto"),
    Variable("COMFYUI_BOOT_TIMEOUT_S", "Seconds until ComfyUI must be ready.", default="300"),
    Variable("COMFYUI_EXTRA_ARGS", "More arguments for ComfyUI, as in a shell."),
    Variable("NODE_PACK_DIR", "Our node pack.", shown="`comfy_nodes`"),
    Variable("WORKFLOWS_DIR", "Released workflows.", shown="`workflows`"),
    Variable(
        "PAGE_QUIET_TIMEOUT_S",
        "Seconds that a page may be executed without progress until it is given up.",
        default="300",
    ),
    Variable(
        "REQUIRED_WORKFLOWS",
        "Workflows as `name/vN`, by commas. A worker that hasn't their model files, or "
        "can't render them, doesn't start.",
    ),
    Variable("MODEL_LIST", "The list of model files with their hashes.", shown="`models.txt`"),
    Variable(
        "MODEL_LIST_LOCAL",
        "A second list, with the lines of your own files; see [models and "
        "licences](models-and-licences.md#your-own-files).",
        shown="`models.local.txt` beside the list, if there",
    ),
    Variable(
        "MODELS_USE",
        "`commercial` or `evaluation`. A `commercial` worker doesn't start with models "
        "whose licences forbid that; see [models and "
        "licences](models-and-licences.md#what-a-worker-checks).",
        default="commercial",
    ),
    Variable(
        "ACKNOWLEDGED_LICENCES",
        "The licences that you have, as `id=reference` by commas. The reference is your "
        "own: a contract's or an order's number. It is logged and reported.",
    ),
    Variable(
        "MODELS_CHECK",
        "What is checked of a required workflow's files: `sha256`, or only that they are "
        "`present`.",
        default="sha256",
    ),
    Variable(
        "MODEL_HASHES",
        "Where the hashes of model files are kept, so that a file is read once.",
        shown="`.model_hashes.json` beside the models",
    ),
    Variable(
        "WARM_UP",
        "`true` or `false`: render each required workflow once at start, with made-up inputs.",
        default="true",
    ),
    Variable(
        "WARM_UP_SIZE",
        "Edge of the warm-up's picture, in pixels. A draft, which requires a place for the "
        "face, wants the 1024 that it was drawn for.",
        default="1024",
    ),
    Variable(
        "RAW_WORKFLOWS",
        "`true`: take ComfyUI graphs as "
        "[worker-comfyui](https://github.com/runpod-workers/worker-comfyui) does.",
        default="false",
    ),
    Variable(
        "RAW_OUTPUT",
        "How the files of such graphs are handed over: `base64` in the answer, or as links "
        "into the object `store`.",
        default="base64",
    ),
    Variable(
        "INPUT_CACHE_DIR",
        "Where decoded template art is kept between jobs. Several workers may share it. "
        "Photos and embeddings never get there.",
        shown="`input_cache` in the base directory",
    ),
    Variable(
        "INPUT_CACHE_MB",
        "The size of that cache in MiB; `0` for none. What wasn't used for the longest time"
        " goes first.",
        default="2048",
    ),
    Variable(
        "INPUT_URL_HOSTS",
        "Hosts, or `*.suffix`, by commas: from these, and by https alone, such graphs may "
        "have images read.",
    ),
    Variable("LOG_LEVEL", "`debug`, `info`, `warning` or `error`.", default="info"),
    Variable("RUNPOD_POD_ID", "Named in results.", shown="set by RunPod"),
)
