"""Its admin is tested by none of the chosen tests."""

DBTaskResultAdmin = None
