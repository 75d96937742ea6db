"""Starting processes anew: the same project in a fresh interpreter. Nothing is forked: a Django that is set up
may have threads and connections by now.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured

__all__ = ["start_command"]


def start_command(arguments: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start `manage.py executor` with these arguments in a new process; `options` go to Popen. Its checks are ours."""
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise ImproperlyConfigured(
            "an executor starts processes of its own, and they need DJANGO_SETTINGS_MODULE: settings made by "
            "settings.configure() can not be handed on"
        )
    flags = [f"-W{option}" for option in sys.warnoptions]
    flags += [f"-X{key}" if value is True else f"-X{key}={value}" for key, value in sys._xoptions.items()]
    path = os.pathsep.join(os.path.abspath(entry or os.curdir) for entry in sys.path)  # noqa: PTH100 - text
    return subprocess.Popen(
        [sys.executable, *flags, "-m", "django", "executor", "--skip-checks", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        **options,
    )
