"""Processes that use the system as a project would: they enqueue, take, wait, and mind a database that goes away."""
