"""What actors and those who start them agree on. Standard library only."""

__all__ = ["END", "NEW", "STOP"]

STOP = "stop"
"""The file, beside the ledger, that tells producers and askers to end."""
END = "end"
"""The file that tells the others."""
NEW = "is new"
"""Among the evils: a task that the release before does not know."""
