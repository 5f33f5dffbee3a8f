"""``docker`` as far as the deploy guide uses it, on a machine without an engine.

A container is a process of this machine: the image's program, run by this Python, with the image's
variables and those of the file, in the volume's folder. The volume's place in the image,
``/var/lib/foxetales``, is that folder in every variable. ``build`` only notes the image's name: how
images are made has tests of its own. One that wasn't built is neither pushed nor run, and whatever
else is asked for is refused.

It runs as a program, by way of an executable named ``docker``. The variable DOCKER_STAND_IN names
its folder: ``image.json`` has the image's variables, ``images`` a line for each that was built,
``volume`` is the volume, ``containers`` has a file for each container that runs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ENGINE = Path(os.environ["DOCKER_STAND_IN"])
PLACE = "/var/lib/foxetales"
SERVE = ["python", "-m", "gateway"]


class Unknown(Exception):
    """The guide says something that this stand-in doesn't know."""


def main(words: list[str]) -> int:
    """Do what a command of the guide says; return its status."""
    match words:
        case ["buildx", "version"]:
            return 0
        case ["buildx", "build", *more]:
            with (ENGINE / "images").open("a") as built:
                built.write(f"{more[more.index('--tag') + 1]}\n")
            return 0
        case ["push", image]:
            must_be_built(image)
            return 0
        case ["run", *more]:
            return run(more)
        case ["exec", *more]:
            name, *command = (word for word in more if word != "-it")
            env = json.loads((ENGINE / "containers" / name).read_text())["env"]
            return subprocess.run(program(command), env=env, cwd=volume()).returncode
        case ["cp", source, target]:
            origin = Path(source.partition(":")[2].replace(PLACE, str(volume())))
            shutil.copytree(origin, Path(target) / origin.name)
            return 0
    raise Unknown(f"docker {' '.join(words)}")


def run(words: list[str]) -> int:
    """A container that is waited for, or one with a name that goes on."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    for flag in ("--rm", "--detach", "--read-only"):
        parser.add_argument(flag, action="store_true")
    for option in ("--name", "--restart", "--tmpfs", "--volume", "--publish", "--env-file"):
        parser.add_argument(option)
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    told = parser.parse_args(words)
    must_be_built(told.image)
    env = json.loads((ENGINE / "image.json").read_text())
    if told.env_file:
        env |= variables(Path(told.env_file))
    env = {name: value.replace(PLACE, str(volume())) for name, value in env.items()}
    if not told.detach:
        return subprocess.run(program(told.command), env=env, cwd=volume()).returncode
    with (ENGINE / "container.log").open("ab") as log:
        process = subprocess.Popen(program(told.command or SERVE), env=env, cwd=volume(),
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # fmt: skip
    container = ENGINE / "containers" / told.name
    container.write_text(json.dumps({"pid": process.pid, "env": env}))
    return 0


def must_be_built(image: str) -> None:
    """Refuse an image that nobody built."""
    if image not in (ENGINE / "images").read_text().splitlines():
        raise Unknown(f"the image {image}")


def variables(path: Path) -> dict[str, str]:
    """A file of variables as Docker reads it: no quotes, no comments but whole lines."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def program(command: list[str]) -> list[str]:
    """The image's ``python`` is the one that runs this."""
    if command[0] != "python":
        raise Unknown(f"{command[0]} in a container")
    return [sys.executable, *command[1:]]


def volume() -> Path:
    """The folder that is the volume."""
    return ENGINE / "volume"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
