"""Faults, load and attacks: real processes, real kills, and a checker outside of what it checks."""
