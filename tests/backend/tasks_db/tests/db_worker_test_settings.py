"""Of the processes beside the tests."""

from tests.settings import *  # noqa: F403
