"""Reads a Dockerfile of ours, and plays it in a scratch folder where no container engine runs."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MOUNT = re.compile(r"--mount=\S+\s+")
_FLAG = re.compile(r"^--([a-z-]+)(?:=(\S+))?\s+")


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined; ``flags`` as in ``COPY --from=build``."""

    name: str
    flags: Mapping[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments, of a JSON list too."""
        return json.loads(self.text) if self.text.startswith("[") else self.text.split()


@dataclass(frozen=True)
class Stage:
    """A stage: its name ("" for the last one's), what it is made from, and its instructions."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def named(self, *names: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name in names]


def read(path: Path) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage, and the stages."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in _instructions(path.read_text()):
        if instruction.name == "FROM":
            base, _, name = instruction.text.partition(" AS ")
            stages.append(Stage(name, base, ()))
        elif not stages:
            name, _, default = instruction.text.partition("=")
            arguments[name] = default
        else:
            last = stages[-1]
            stages[-1] = Stage(last.name, last.base, (*last.instructions, instruction))
    return arguments, stages


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [_instruction(line) for line in joined.splitlines() if line.strip()]


def _instruction(line: str) -> Instruction:
    name, _, rest = line.partition(" ")
    flags: dict[str, str] = {}
    rest = rest.strip()
    while flag := _FLAG.match(rest):
        flags[flag[1]] = flag[2] or ""
        rest = rest[flag.end() :]
    return Instruction(name, flags, rest.removeprefix("CMD ") if name == "HEALTHCHECK" else rest)


def environment(stage: Stage, arguments: Mapping[str, str]) -> dict[str, str]:
    """What the stage's ENV instructions set, ``${NAME}`` filled in from the arguments."""
    found: dict[str, str] = {}
    for instruction in stage.named("ENV"):
        for name, value in re.findall(r'([A-Z_]+)=("[^"]*"|\S+)', instruction.text):
            filled = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], value)
            found[name] = filled.strip('"')
    return found


def defaults(stage: Stage) -> dict[str, str]:
    """The stage's own arguments."""
    pairs = (instruction.text.partition("=") for instruction in stage.named("ARG"))
    return {name: default for name, _, default in pairs}


@dataclass(frozen=True)
class Scratch:
    """A folder in which absolute paths of an image lie.

    All stages share it, so a COPY between them to the same path has nothing to do. ``skipped`` says
    which commands of a RUN can't be run outside an image.
    """

    folder: Path
    skipped: Callable[[str], bool]

    def inside(self, text: str) -> str:
        """Text with the image's absolute paths leading into the folder."""
        return re.sub(
            r"(?<![\w./}-])/(opt|build|art|fetch|var/lib/foxetales|usr/local/bin)(?=[/\s:\"]|$)",
            lambda match: f"{self.folder}/{match[1]}",
            text,
        )

    def play(self, stage: Stage, env: Mapping[str, str], more: Mapping[str, str]) -> None:
        """Do what the stage says. ``more`` maps an end of a command to what is added to it."""
        here = self.folder
        for instruction in stage.instructions:
            if instruction.name == "WORKDIR":
                here = Path(self.inside(instruction.text))
                here.mkdir(parents=True, exist_ok=True)
            elif instruction.name == "COPY":
                self._copy(instruction, here)
            elif instruction.name == "RUN":
                self._run(instruction, here, env, more)

    def _copy(self, instruction: Instruction, here: Path) -> None:
        *sources, target = instruction.words
        for source in sources:
            start = self.folder if "from" in instruction.flags else ROOT
            origin = Path(self.inside(source)) if "from" in instruction.flags else start / source
            assert origin.exists(), f"COPY {source}: there is none"
            place = here / self.inside(target)
            if origin == place:
                continue
            if origin.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(origin, place, dirs_exist_ok=True, ignore=ignored)
            else:
                place = place / origin.name if target.endswith("/") else place
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin, place)

    def _run(
        self, instruction: Instruction, here: Path, env: Mapping[str, str], more: Mapping[str, str]
    ) -> None:
        text = _MOUNT.sub("", instruction.text)
        commands = [part for part in text.split(" && ") if not self.skipped(part.strip())]
        for end, addition in more.items():
            commands = [
                part + addition if part.rstrip().endswith(end) else part for part in commands
            ]
        if not commands:
            return
        script = self.inside(" && ".join(commands))
        done = subprocess.run(
            ["bash", "-c", script], cwd=here, env=dict(env), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
