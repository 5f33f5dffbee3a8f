"""Somebody who follows the deploy guide: its blocks, and the shell that runs them."""

import re
import shlex
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.docs.examples import Block, blocks
from tests.orders.site import ROOT
from tests.sandbox.waiting import eventually

PAGE = ROOT / "docs" / "deploy.md"
PASSWORD = "a-password-for-the-desk"

# Made by the set-up of this very machine; what they do is tested with the sandbox.
NOT_RUN = ("make demo\nmake up\n", ". .venv/bin/activate\n")


@dataclass
class Guide:
    """A reader in a folder of their own, with what they know by now.

    ``words`` are what stands for the guide's examples; ``known`` are the variables of the reader's
    shell, ``world`` those of the gateway that name the stand-ins; ``done`` are the blocks that were
    run, ``failed`` the commands that ended with another status than 0, behind that status.
    """

    folder: Path
    words: dict[str, str]
    known: dict[str, str]
    world: dict[str, str] = field(default_factory=dict)
    done: list[Block] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def reads(self, text: str) -> str:
        """Text of the guide with the reader's own words."""
        for example, own in self.words.items():
            text = text.replace(example, own)
        return text

    def follow(self, step: str) -> list[str]:
        """Run the commands of a step; return what each block printed."""
        return [self._run(block) for block in step_blocks(step) if block.language == "sh"]

    def _run(self, block: Block) -> str:
        """One block, in a shell that has the variables of the last one and leaves its own."""
        self.done.append(block)
        if block.text in NOT_RUN:
            return ""
        failed, variables = self.folder / "failed", self.folder / "variables"
        failed.write_text("")
        variables.unlink(missing_ok=True)
        text = re.sub(r"export (\w+)=…", self._filled, self.reads(block.text))
        if self.url in text:
            eventually(self._is_ready, within_s=60)
        script = f"""
            trap 'printf "%s\\t%s\\n" $? "$BASH_COMMAND" >> {failed}' ERR
            set -o allexport -o pipefail
            {text}
            trap - ERR
            env -0 > {variables}
        """
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.known,
            input=f"{PASSWORD}\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr[-3000:]
        assert variables.exists(), done.stderr[-3000:]
        pairs = (line.split("=", 1) for line in variables.read_text().split("\0") if line)
        self.known = {name: value for name, value in pairs if name not in ("_", "SHLVL", "PWD")}
        for line in failed.read_text().splitlines():
            status, _, command = line.partition("\t")
            self.failed.append((status, command))
        return done.stdout + done.stderr

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return self.words["https://books.example.com"]

    def _is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        return False

    def _filled(self, told: re.Match[str]) -> str:
        return f"export {told[1]}={shlex.quote(self.known[told[1]])}"


def step_blocks(step: str) -> list[Block]:
    """The blocks below a heading."""
    text = PAGE.read_text()
    first = text.count("\n", 0, text.index(f"\n## {step}")) + 1
    following = text.find("\n## ", text.index(f"\n## {step}") + 1)
    last = text.count("\n", 0, following)
    return [block for block in blocks(PAGE) if first < block.line <= last]


def the_block(step: str, language: str) -> str:
    """The text of the only block of a language below a heading."""
    (block,) = [each for each in step_blocks(step) if each.language == language]
    return block.text
