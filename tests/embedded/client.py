"""A process that uses an embedded server: `python client.py PATH [OPTIONS]` (JSON), until its input ends.

On each line of input it does what the line says, and answers with a line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

from tpq.embedded import EmbeddedError, guard, start


def started(path: str, options: dict[str, Any]) -> dict[str, Any]:
    try:
        server = start(path, **options)
    except EmbeddedError as error:
        return {"error": str(error)}
    names = ("host", "port", "user", "dbname", "data", "bin", "pid", "dsn")
    return {name: str(getattr(server, name)) for name in names}


def say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def act(word: str, path: str, options: dict[str, Any]) -> object:
    match word:
        case "start":
            return started(path, options)
        case "fork":  # the child takes over as soon as the parent is gone
            parent = os.getpid()
            if os.fork():
                os._exit(0)
            while os.getppid() == parent:
                time.sleep(0.01)
            return os.getpid()
        case "leave":  # a program that stays behind
            nothing = {
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.DEVNULL,
                "stderr": subprocess.DEVNULL,
            }
            return subprocess.Popen(["sleep", "30"], close_fds=False, start_new_session=True, **nothing).pid
        case "daemon":  # closes what it has open
            os.closerange(3, 100)
            return started(path, options)
    raise ValueError(word)


def main(path: str, options: dict[str, Any]) -> None:
    guard.GRACE = options.pop("grace", guard.GRACE)
    say(started(path, options))
    for line in sys.stdin:
        say(act(line.strip(), path, options))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
