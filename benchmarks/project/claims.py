"""How long each claim takes, in a file: pairs of moment (monotonic) and duration, in seconds."""

import os
import struct
import time
from pathlib import Path
from typing import Any

from tpq.table import QueueTable

__all__ = ["watch"]

CLAIM = struct.Struct("=dd")


def watch() -> None:
    """Time the claims of this process, if BENCH_CLAIMS says where to."""
    if not (path := os.environ.get("BENCH_CLAIMS")):
        return
    file, claim = Path(path).open("ab", buffering=0), QueueTable.claim  # noqa: SIM115 - as long as the process

    def timed(self: QueueTable[Any], *args: Any) -> list[Any]:
        began = time.monotonic()
        try:
            return claim(self, *args)
        finally:
            file.write(CLAIM.pack(began, time.monotonic() - began))

    QueueTable.claim = timed  # type: ignore[method-assign]
