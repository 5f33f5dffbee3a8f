"""What the gateway does by itself so that nothing stays for longer than it should: files, and jobs
at the endpoint."""

from typing import Final

import anyio.from_thread

from gateway.retention import sweep
from gateway.rounds import Round
from gateway.services import Services
from gateway.stop_jobs import stop_cancelled
from storage.scratch import sweep_scratch

SWEEP_EVERY_S: Final = 900.0
STOP_EVERY_S: Final = 5.0


def upkeep_of(services: Services) -> list[Round]:
    """What is to be done again and again to clean up. Its work is done in threads of anyio's."""
    return [
        Round("retention", SWEEP_EVERY_S, lambda: sum(sweep(services).values())),
        Round("scratch folders", SWEEP_EVERY_S, sweep_scratch),
        Round(
            "stopped jobs",
            STOP_EVERY_S,
            lambda: anyio.from_thread.run(
                stop_cancelled, services.engine, services.clock, services.endpoint
            ),
        ),
    ]
