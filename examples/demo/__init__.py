"""The main job on real input: every source file of Python's standard library, through a queue and tasks."""
