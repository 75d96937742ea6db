"""Tasks and settings of the other systems, where they have to stand in modules of their own.

Read only inside the system's own virtual environment, but for `django_project.peer`.
"""
