"""What it prunes is ours to prune: none of the chosen tests calls it."""

import logging

logger = logging.getLogger("django_tasks_db")
