"""Settings are read late: what `override_settings` says counts at once, and no longer than it lasts."""

import pytest
from django.test import override_settings

from django_tpq.conf import settings


def test_a_setting_that_changes_is_read_anew():
    before = settings.RESULT_TTL
    with override_settings(TPQ_RESULT_TTL=before + 1):
        assert before + 1 == settings.RESULT_TTL
    assert before == settings.RESULT_TTL


def test_a_setting_that_was_never_read_is_what_it_is_then():
    with override_settings(TPQ_DEAD_LETTER_TTL=None):
        assert settings.DEAD_LETTER_TTL is None
    assert settings.DEAD_LETTER_TTL is not None


def test_what_is_no_setting_is_said():
    with pytest.raises(AttributeError, match="RESULT_TLT"):
        settings.RESULT_TLT  # noqa: B018 - it raises
