"""Starting processes anew: the same project in a fresh interpreter. Nothing is forked: a Django that is set up
may have threads and connections by now.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

__all__ = ["start_command", "take_over_databases"]

NAMES = "TPQ_DATABASE_NAMES"
"""The environment's variable with the names of the databases that a process was started for."""


def start_command(arguments: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start `manage.py executor` with these arguments in a new process; `options` go to Popen. Its checks are ours."""
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise ImproperlyConfigured(
            "an executor starts processes of its own, and they need DJANGO_SETTINGS_MODULE: settings made by "
            "settings.configure() can not be handed on"
        )
    flags = [f"-W{option}" for option in sys.warnoptions]
    flags += [f"-X{key}" if value is True else f"-X{key}={value}" for key, value in sys._xoptions.items()]
    names = {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections}
    path = os.pathsep.join(os.path.abspath(entry or os.curdir) for entry in sys.path)  # noqa: PTH100 - text
    return subprocess.Popen(
        [sys.executable, *flags, "-m", "django", "executor", "--skip-checks", *arguments],
        env=os.environ | {"PYTHONPATH": path, NAMES: json.dumps(names)},
        stdin=subprocess.DEVNULL,
        **options,
    )


def take_over_databases() -> None:
    """Work on the databases of whoever started us: under a test runner they are not those of the settings."""
    for alias, name in json.loads(os.environ.get(NAMES, "{}")).items():
        if alias in connections and str(connections[alias].settings_dict["NAME"]) != name:
            connections[alias].settings_dict["NAME"] = name
