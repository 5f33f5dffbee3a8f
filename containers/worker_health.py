"""The worker's container is healthy while its ComfyUI answers.

ComfyUI listens on a free port of loopback, another one after each boot; which one, its command
line says, which Linux shows in ``/proc``. A script of the standard library alone, so that it starts
in milliseconds. Exits with status 0 or 1.

While the worker boots ComfyUI again, which takes less than a minute, this says 1: the image allows
for that.
"""

import http.client
import sys
from pathlib import Path

_LAUNCHER = "handler/comfy/launcher.py"
_TIMEOUT_S = 8.0


def comfyui_ports(proc: Path) -> list[int]:
    """The ports of all ComfyUIs that a worker of ours has started."""
    ports = []
    for path in proc.glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_text(errors="replace").split("\0")
        except OSError:  # it has ended since, or isn't ours to look at
            continue
        if "--port" in arguments and any(part.endswith(_LAUNCHER) for part in arguments[:4]):
            ports.append(int(arguments[arguments.index("--port") + 1]))
    return ports


def answers(port: int) -> bool:
    """Whether a ComfyUI on this port of loopback answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/system_stats")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def main(proc: Path = Path("/proc")) -> int:
    """Look once; return the exit status."""
    ports = comfyui_ports(proc)
    if not ports:
        sys.stderr.write("no ComfyUI runs\n")
        return 1
    if not all(map(answers, ports)):
        sys.stderr.write("ComfyUI doesn't answer\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
