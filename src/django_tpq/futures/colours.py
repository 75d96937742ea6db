"""How log lines look: with all that a file needs, or short and coloured where somebody reads them in a terminal."""

import logging
import os
import re
from collections.abc import Mapping
from typing import IO, Any

from django.core.management.color import color_style

__all__ = ["formatter", "show_lines"]

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s"
CALL = re.compile(r"\bcall (?P<id>\S+) of (?P<task>\S+)")
TOKEN = re.compile(r"(?<=[a-z0-9_-]:)([0-9a-z]{1,13}):[A-Za-z0-9_-]{22}\b")
"""What an id has behind its number: nobody reads it."""
ROLES = {
    logging.DEBUG: "HTTP_NOT_MODIFIED",
    logging.INFO: "SUCCESS",
    logging.WARNING: "WARNING",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "ERROR",
}
"""Levels, and the roles of Django's palettes (DJANGO_COLORS) that they are shown in."""


def formatter(stream: IO[str], *, no_color: bool = False, force_color: bool = False) -> logging.Formatter:
    """What formats the lines for a stream; `--no-color` and `--force-color` come before NO_COLOR and FORCE_COLOR."""
    if is_coloured(stream, no_color=no_color, force_color=force_color):
        return _Coloured()
    return logging.Formatter(FORMAT)


def is_coloured(stream: IO[str], *, no_color: bool, force_color: bool) -> bool:
    """Whether colours are wanted: what was said, or else whether it is a terminal."""
    if no_color or force_color:
        return force_color and not no_color
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class _Coloured(logging.Formatter):
    """The time, the level in its colour, and the message, in which calls and tasks stand out."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-8s %(message)s", "%H:%M:%S")
        self._style_of: Any = color_style(force_color=True)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        role = getattr(self._style_of, ROLES.get(record.levelno, "HTTP_INFO"))
        message = CALL.sub(self._call, TOKEN.sub(r"\1", record.message))
        level = f"{record.levelname:<8}"
        return f"{self.formatTime(record, self.datefmt)} {role(level)} {message}"

    def _call(self, found: "re.Match[str]") -> str:
        show = self._style_of
        return f"call {show.SQL_FIELD(found['id'])} of {show.MIGRATE_LABEL(found['task'])}"


def show_lines(options: Mapping[str, Any]) -> None:
    """Show our own lines, as the options of a command say, unless the project's LOGGING takes care of them."""
    for name in ("django_tpq", "tpq"):
        logger = logging.getLogger(name)
        if not logger.hasHandlers():
            handler = logging.StreamHandler()
            colours = {name: options[name] for name in ("no_color", "force_color")}
            handler.setFormatter(formatter(handler.stream, **colours))
            logger.addHandler(handler)
            logger.setLevel([logging.ERROR, logging.INFO, logging.DEBUG][min(options["verbosity"], 2)])
