"""The tests' project on a server that is stopped and killed."""

import os

from tests.settings import *  # noqa: F403

if seconds := os.environ.get("TPQ_TEST_ANSWER_TIMEOUT"):
    TPQ_ANSWER_TIMEOUT = float(seconds)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": os.environ["TPQ_TEST_SERVER"],
    }
}
