"""An app that does at start what a fork would not survive, when asked to."""

import os
import threading

from django.apps import AppConfig
from django.db import connection


class AccidentsConfig(AppConfig):
    """With TPQ_TEST_BUSY_APP it starts a thread and opens a connection."""

    name = "tests.failures.accidents"

    def ready(self) -> None:
        if "TPQ_TEST_BUSY_APP" in os.environ:
            self.answers: list[int] = []
            self.asked, self.answered = threading.Event(), threading.Event()
            threading.Thread(target=self.serve, daemon=True).start()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")

    def serve(self) -> None:
        """Answer whoever asks, for ever."""
        while self.asked.wait():
            self.asked.clear()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 42")
                self.answers.append(cursor.fetchone()[0])
            self.answered.set()
