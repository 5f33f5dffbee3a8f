"""``python -m handler``: a RunPod serverless worker. ``python -m handler config check`` says what
is missing, wrong or risky in its environment, and starts nothing.

Exits with status 2 if its settings are wrong, or if licences of models forbid what they say, and 1
if it can't get ready; after one line on standard error that says why, or one for each model.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import ExitStack
from importlib import import_module
from types import FrameType

from handler import config_command
from handler.build import Services, build
from handler.errors import ComfyBootFailed, ComfyError, LicenceForbids, Unfit, WorkflowInvalid
from handler.logs import log_to
from handler.settings import SettingsInvalid, read_settings
from storage.errors import StoreError

log = logging.getLogger("handler")


def main() -> int:
    """Run until RunPod or a signal ends it; return the exit status."""
    if sys.argv[1:2] == ["config"]:
        return config_command.run(sys.argv[2:], os.environ, sys.stdout)
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
        except LicenceForbids as error:
            return max(_refuse(2, f"licence: {line}") for line in error.refusals)
        except ComfyBootFailed as error:
            log.error("ComfyUI's last lines", extra={"log_tail": error.log_tail})
            return _refuse(1, str(error))
        except (ComfyError, WorkflowInvalid, Unfit, StoreError, ValueError) as error:
            return _refuse(1, str(error))
        _serve(services)
    return 0


def _get_ready(services: Services) -> None:
    """Find out now, not at the first paid job, what is missing.

    The SDK, which takes two seconds to import, is imported while ComfyUI boots.
    """
    fitness = services.fitness
    services.licences.check()
    services.store.ping()
    fitness.models_are_right()  # before the boot: that is long, and in vain without them
    fitness.note_missing_models()
    threading.Thread(target=import_module, args=("runpod",), daemon=True).start()
    services.process.ensure_running()
    fitness.nodes_are_there()
    asyncio.run(fitness.warm_up())
    log.info("worker ready")


def _serve(services: Services) -> None:
    import runpod  # here: it reads its environment when it is imported

    logger = runpod.RunPodLogger()
    if logger.level in ("TRACE", "DEBUG"):  # its default, which prints every answer: pictures, too
        logger.set_level("INFO")
    fitness = services.fitness
    checks = (
        fitness.comfyui_is_up,
        fitness.nodes_are_there,
        fitness.models_are_right,
        fitness.is_warm,
    )
    for check in checks:  # what has been found out already: RunPod is told if it holds no longer
        runpod.serverless.register_fitness_check(check)
    runpod.serverless.start({"handler": services.worker.handle})


def _exit(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _refuse(status: int, reason: str) -> int:
    sys.stderr.write(f"foxetales worker: {' '.join(reason.split())}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
