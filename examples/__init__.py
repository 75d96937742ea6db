"""Examples that run: each is a package, started by `python -m examples.<name>`."""
