"""``python -m handler``: a RunPod serverless worker.

Exits with status 2 if its settings are wrong and 1 if it can't get ready, after one line on
standard error that says why.
"""

import logging
import os
import signal
import sys
from contextlib import ExitStack
from types import FrameType

from handler.build import Services, build
from handler.errors import ComfyBootFailed, ComfyError, WorkflowInvalid
from handler.logs import log_to
from handler.settings import SettingsInvalid, read_settings
from storage.errors import StoreError

log = logging.getLogger("handler")


def main() -> int:
    """Run until RunPod or a signal ends it; return the exit status."""
    try:
        settings = read_settings(os.environ)
    except SettingsInvalid as error:
        return _refuse(2, f"settings: {error}")
    log_to(sys.stderr, settings.log_level)
    signal.signal(signal.SIGTERM, _exit)  # while booting; later the SDK's own handler takes over
    with ExitStack() as stack:
        try:
            services = build(settings, stack)
            _get_ready(services)
        except ComfyBootFailed as error:
            log.error("ComfyUI's last lines", extra={"log_tail": error.log_tail})
            return _refuse(1, str(error))
        except (ComfyError, WorkflowInvalid, StoreError, ValueError) as error:
            return _refuse(1, str(error))
        _serve(services)
    return 0


def _get_ready(services: Services) -> None:
    """Find out now, not at the first paid job, what is missing."""
    services.store.ping()
    client = services.process.ensure_running()
    services.workflows.check_nodes(client.node_classes())
    for workflow in services.workflows:
        missing = [
            f"{model.folder}/{model.file}"
            for model in workflow.spec.models
            if not client.has_model(model.folder, model.file)
        ]
        if missing:
            # Not fatal: a machine without the weights may still render the other workflows.
            log.warning("%s lacks models: %s", workflow.label, ", ".join(missing))
    log.info("worker ready")


def _serve(services: Services) -> None:
    import runpod  # here: it takes two seconds, and reads its environment when it is imported

    def comfyui_is_up() -> None:
        if not services.process.alive:
            raise RuntimeError("ComfyUI is not running")

    runpod.serverless.register_fitness_check(comfyui_is_up)
    runpod.serverless.start({"handler": services.worker.handle})


def _exit(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _refuse(status: int, reason: str) -> int:
    sys.stderr.write(f"foxetales worker: {' '.join(reason.split())}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
