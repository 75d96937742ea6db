"""The other systems, each in a file: how it is installed, set up, fed, and run.

A file is read by the harness, without the system being there, and again inside the system's own virtual
environment: whatever it needs of the system is imported inside its methods. `benchmarks.peers.peer` says what
a file holds.
"""
