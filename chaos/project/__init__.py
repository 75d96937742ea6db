"""A Django project that is put under load and faults."""
