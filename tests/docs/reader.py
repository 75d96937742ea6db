"""Somebody who has a fresh `startproject` and follows a document."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREAMBLE = "import os, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'\ndjango.setup()\n"


def blocks(document: str) -> list[tuple[str, str]]:
    """The code blocks of a document of the project: language and text."""
    text = (ROOT / document).read_text()
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class Reader:
    """A project with an app `myapp`.

    Args:
        path: where to make it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.run("-m", "django", "startproject", "project", ".")
        self.run("-m", "django", "startapp", "myapp")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of his processes."""
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{Path(__file__).parent / 'site'}"}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        return environment

    def run(self, *arguments: str) -> str:
        """Run Python, which must end with 0; what it wrote."""
        done = self._done(*arguments)
        return done.stdout + done.stderr

    def _done(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        return done

    def call(self, text: str) -> str:
        """Run a script in the project; what it printed. What it logged is not part of that."""
        (self.path / "script.py").write_text(PREAMBLE + text)
        return self._done("-W", "error", "script.py").stdout

    def shell(self, block: str) -> str:
        """Run the lines behind a prompt that call Python; what they wrote."""
        lines = [line[2:].split() for line in block.splitlines() if line.startswith("$ ")]
        return "".join(self.run(*line[1:]) for line in lines if line[0] == "python")
