"""What can go wrong with the embedded PostgreSQL: one thing, with a text that says which."""

__all__ = ["EmbeddedError"]


class EmbeddedError(Exception):
    """There is no server at this path: the text says why and what to do."""
