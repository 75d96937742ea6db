"""The tests' settings with another key."""

from tests.settings import *  # noqa: F403

SECRET_KEY = "another one"
