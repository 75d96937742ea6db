"""DATABASE_URL in place of a server of our own."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_tpq.embedded import embedded

ORDINARY = "django.db.backends.postgresql"


@pytest.fixture
def entry(monkeypatch):
    def entry(address, **options):
        monkeypatch.setenv("DATABASE_URL", address)
        return embedded("/nowhere", **options)

    return entry


def test_all_of_an_address_is_used(entry):
    assert entry("postgresql://ada:s%40crt@db.example:5433/shop?sslmode=require&application_name=a%20b") == {
        "ENGINE": ORDINARY,
        "NAME": "shop",
        "USER": "ada",
        "PASSWORD": "s@crt",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require", "application_name": "a b"},
    }


def test_several_hosts(entry):
    found = entry("postgres://ada@one:5432,two:5433/shop?target_session_attrs=read-write")
    assert (found["HOST"], found["PORT"]) == ("one,two", "5432,5433")
    assert found["OPTIONS"] == {"target_session_attrs": "read-write"}


def test_what_the_address_leaves_open(entry):
    found = entry("postgresql:///", name="shop")
    assert (found["NAME"], found["HOST"], found["PORT"], found["USER"]) == ("shop", "", "", "")


def test_a_socket_and_the_other_form(entry):
    assert entry("postgresql:///shop?host=/run/postgresql")["HOST"] == "/run/postgresql"
    assert entry("host=/run/postgresql dbname=shop")["NAME"] == "shop"


def test_options_are_merged(entry):
    found = entry("postgresql:///?sslmode=require", CONN_MAX_AGE=60, OPTIONS={"pool": True})
    assert found["CONN_MAX_AGE"] == 60
    assert found["OPTIONS"] == {"sslmode": "require", "pool": True}


def test_another_database_is_refused_without_telling_the_password(entry):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as caught:
        entry("mysql://ada:secret@db.example/shop")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_empty_address_is_none(entry):
    assert entry("")["ENGINE"] == "django_tpq.embedded"


def test_the_entry_of_a_server_of_our_own(monkeypatch, tmp_path):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    found = embedded(
        tmp_path, name="shop", parameters={"fsync": "off"}, TEST={"NAME": "t"}, OPTIONS={"pool": True}
    )
    assert found == {
        "ENGINE": "django_tpq.embedded",
        "NAME": "shop",
        "OPTIONS": {"pool": True},
        "EMBEDDED": {"path": str(tmp_path), "name": "shop", "binaries": None, "parameters": {"fsync": "off"}},
        "TEST": {"NAME": "t"},
    }
