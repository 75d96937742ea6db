"""Its worker: an executor of ours, a real process on the tests' database."""

import os
import subprocess
import sys

from django.core.management.base import BaseCommand
from django.db import connection


class Command(BaseCommand):
    """Run an executor; with --batch until nothing is left."""

    def add_arguments(self, parser):
        parser.add_argument("--batch", action="store_true")
        parser.add_argument("--no-startup-delay", action="store_false", dest="startup_delay")
        parser.add_argument("--interval", type=float)
        parser.add_argument("--worker-id")

    def handle(self, *, batch, **options):
        command = [sys.executable, "-m", "django", "executor", "-f", "-t", "1"]
        environment = os.environ | {"TPQ_TEST_DATABASE": connection.settings_dict["NAME"]}
        if not batch:
            os.execve(command[0], command, environment)
        subprocess.run([*command, "--once"], env=environment, check=True, capture_output=True, timeout=60)
