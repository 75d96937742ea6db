"""Of its locks, which none of the chosen tests tests."""


def exclusive_transaction():
    """Decorate a test that is left out."""
    return lambda test: test


normalize_uuid = None
