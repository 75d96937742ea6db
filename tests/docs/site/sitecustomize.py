"""What the tests supply for the documents' examples: a quicker sleep."""

import time

_sleep = time.sleep
time.sleep = lambda seconds: _sleep(seconds / 200 if seconds >= 10 else seconds)  # type: ignore[assignment]
