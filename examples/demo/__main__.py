"""`python -m examples.demo`: the demo."""

import argparse
import os
import sys

import django


def main() -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, metavar="N", help="only the first N files")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.demo.settings"
    os.environ.setdefault("DEMO_DATABASE", f"tpq_demo_{os.getpid()}")
    django.setup()
    from examples.demo.story import run

    return run(options.files)


if __name__ == "__main__":
    sys.exit(main())
