"""From settings to a worker: the only place, beside ``__main__``, that knows the adapters."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from handler.adapters.clock import SystemClock
from handler.adapters.runpod_progress import RunPodProgress
from handler.adapters.signed_callback import SignedCallback
from handler.comfy.engine import ComfyEngine
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from handler.graph import Workflows, load_workflows
from handler.ports import ProgressSink
from handler.settings import Settings
from handler.worker import Worker
from storage.folder import FolderStore
from storage.open import open_store
from storage.s3 import S3Store


@dataclass(frozen=True)
class Services:
    """The parts of a running worker."""

    worker: Worker
    process: ComfyProcess
    store: FolderStore | S3Store
    workflows: Workflows


def build(settings: Settings, stack: ExitStack) -> Services:
    """Put a worker together. ComfyUI isn't booted yet; it is stopped, and a temporary base
    directory removed, when ``stack`` closes.

    Raises:
        WorkflowInvalid: a workflow file is wrong.
        ValueError: the object store's URL or credentials are of another form.
    """
    clock = SystemClock()
    store = open_store(settings.object_store_url, settings.store_environment)
    workflows = load_workflows(settings.workflows_dir)
    root = settings.comfyui_base_dir or Path(
        stack.enter_context(tempfile.TemporaryDirectory(prefix="foxetales-comfyui-"))
    )
    files = ComfyFiles(root, settings.node_pack_dir, settings.comfyui_models_dir)
    files.sweep()
    process = ComfyProcess(_comfy_options(settings), files, clock)
    stack.callback(process.stop)
    engine = ComfyEngine(process, files, clock, settings.page_quiet_timeout_s)
    worker = Worker(
        comfy=engine,
        store=store,
        workflows=workflows,
        open_sink=_sinks(settings, clock),
        clock=clock,
        worker_id=settings.worker_id,
    )
    return Services(worker, process, store, workflows)


def _comfy_options(settings: Settings) -> ComfyOptions:
    return ComfyOptions(
        folder=settings.comfyui_path,
        environment=settings.comfy_environment,
        cpu=settings.comfyui_cpu,
        boot_timeout_s=settings.comfyui_boot_timeout_s,
        extra_arguments=settings.comfyui_extra_args,
    )


def _sinks(settings: Settings, clock: SystemClock) -> Callable[[str], ProgressSink]:
    if settings.callback_url is None or settings.callback_secret is None:
        return RunPodProgress
    callback = SignedCallback(settings.callback_url, settings.callback_secret, clock)
    return lambda _runpod_id: callback
