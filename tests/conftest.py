"""Fixtures, by subject."""

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.process",
    "tests.fixtures.projects",
    "tests.fixtures.caches",
    "tests.fixtures.server",
    "tests.fixtures.consumer",
]
