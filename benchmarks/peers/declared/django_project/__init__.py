"""One small Django project for the systems that are a backend of `django.tasks`, and what they have in common."""
