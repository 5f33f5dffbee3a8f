"""From settings to a worker: the only place, beside ``__main__``, that knows the adapters."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from handler.adapters.clock import SystemClock
from handler.adapters.object_links import object_links
from handler.adapters.runpod_progress import RunPodProgress
from handler.adapters.signed_callback import SignedCallback
from handler.comfy.engine import ComfyEngine
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from handler.fitness import Demands, Fitness
from handler.graph import Workflows, load_workflows
from handler.health import Health, Machine, query_gpus
from handler.input_cache import InputCache
from handler.models import HashCache, ModelFiles
from handler.models.licence_gate import LicenceGate
from handler.ports import ProgressSink
from handler.raw_workflows import RawWorkflows
from handler.settings import Settings
from handler.url_inputs import UrlInputs
from handler.worker import Worker
from handler.workflows.model_list import Models, read_model_list
from storage.folder import FolderStore
from storage.open import open_store
from storage.s3 import S3Store
from storage.scratch import scratch, sweep_scratch


@dataclass(frozen=True)
class Services:
    """The parts of a running worker."""

    worker: Worker
    process: ComfyProcess
    store: FolderStore | S3Store
    workflows: Workflows
    licences: LicenceGate
    fitness: Fitness


def build(settings: Settings, stack: ExitStack) -> Services:
    """Put a worker together. ComfyUI isn't booted yet; it is stopped, and a temporary base
    directory removed, when ``stack`` closes.

    Raises:
        WorkflowInvalid: a workflow file, or the model list, is wrong.
        ValueError: the object store's URL or credentials are of another form.
    """
    clock = SystemClock()
    store = open_store(settings.object_store_url, settings.store_environment)
    workflows = load_workflows(settings.workflows_dir)
    sweep_scratch()
    root = settings.comfyui_base_dir or stack.enter_context(scratch("comfyui"))
    files = ComfyFiles(root, settings.node_pack_dir, settings.comfyui_models_dir)
    files.sweep()
    process = ComfyProcess(_comfy_options(settings), files, clock)
    stack.callback(process.stop)
    engine = ComfyEngine(process, files, clock, settings.page_quiet_timeout_s)
    listed = read_model_list(settings.model_list, settings.model_list_local)
    models = _models(settings, root, listed)
    health = Health(
        _machine(settings, root, process),
        workflows,
        settings.required_workflows,
        models,
        clock,
        settings.worker_id,
        settings.terms,
    )
    worker = Worker(
        comfy=engine,
        store=store,
        workflows=workflows,
        open_sink=_sinks(settings, clock),
        clock=clock,
        cache=InputCache(
            settings.input_cache_dir or root / "input_cache", settings.input_cache_bytes
        ),
        health=health,
        raw=_raw(settings, engine, store, root, clock),
        worker_id=settings.worker_id,
    )
    licences = LicenceGate(
        settings.terms,
        listed=listed,
        files=models,
        workflows=workflows,
        required=settings.required_workflows,
        any_graph=settings.raw_workflows,
    )
    fitness = Fitness(
        _demands(settings),
        workflows=workflows,
        models=models,
        engine=_Engine(process),
        comfy=engine,
        clock=clock,
    )
    return Services(worker, process, store, workflows, licences, fitness)


class _Engine:
    """A ComfyUI process as :class:`handler.fitness.Engine` sees it."""

    def __init__(self, process: ComfyProcess) -> None:
        self._process = process

    @property
    def alive(self) -> bool:
        return self._process.alive

    def node_classes(self) -> frozenset[str]:
        return self._process.ensure_running().node_classes()


def _models(settings: Settings, root: Path, listed: Models) -> ModelFiles:
    folders = [root / "models"]
    if settings.comfyui_models_dir is not None:
        folders.insert(0, settings.comfyui_models_dir)
    return ModelFiles(listed, folders, HashCache(settings.model_hashes))


def _machine(settings: Settings, root: Path, process: ComfyProcess) -> Machine:
    return Machine(
        comfyui=settings.comfyui_path,
        node_pack=settings.node_pack_dir,
        files=root,
        comfyui_alive=lambda: process.alive,
        query_gpus=query_gpus,
    )


def _demands(settings: Settings) -> Demands:
    return Demands(
        workflows=settings.required_workflows,
        check_hashes=settings.check_hashes,
        warm_up=settings.warm_up,
        size=settings.warm_up_size,
    )


def _raw(
    settings: Settings,
    engine: ComfyEngine,
    store: FolderStore | S3Store,
    root: Path,
    clock: SystemClock,
) -> RawWorkflows | None:
    if not settings.raw_workflows:
        return None
    to_store = settings.raw_to_store
    environment = settings.store_environment
    return RawWorkflows(
        comfy=engine,
        store=store,
        clock=clock,
        outputs=root / "output",
        read_url=UrlInputs(settings.input_url_hosts).get,
        link=object_links(settings.object_store_url, environment) if to_store else None,
    )


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
