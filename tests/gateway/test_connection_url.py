"""What may be shown of a database URL, and what must never be."""

import pytest

from tailrace_gateway.connection_url import redacted, scrubbed, secrets_in

SHOWN = {
    "postgresql://u:pw-1@h:5432/d": "postgresql://u:***@h:5432/d",
    "postgresql+psycopg://u:p%40ss@h/d?sslmode=require": "postgresql+psycopg://u:***@h/d?sslmode=require",
    "postgresql://u:p@ss:w0rd@h/d": "postgresql://u:***@h/d",
    "postgresql://h/d?user=u&password=pw-1": "postgresql://h/d?user=u&password=***",
    "snowflake://u@acct/db?private_key_passphrase=pw-1&role=r": "snowflake://u@acct/db?private_key_passphrase=***&role=r",
    "sqlite:///data.db": "sqlite:///data.db",
    "duckdb:///:memory:": "duckdb:///:memory:",
    "env:DATABASE_URL": "env:DATABASE_URL",
    "keyring:shop": "keyring:shop",
    "host=h password=pw-1": "***",
    "pw-1": "***",
}


@pytest.mark.parametrize(("url", "shown"), SHOWN.items())
def test_passwords_are_hidden_and_the_rest_is_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown
    for secret in secrets_in(url):
        assert secret not in redacted(url)


def test_no_url_is_the_embedded_database() -> None:
    assert redacted(None) == "duckdb://"
    assert secrets_in(None) == ()


def test_a_drivers_echo_is_scrubbed() -> None:
    url = "postgresql://u:p%40ss@h/d"
    text = f"cannot reach {url}; password p@ss (p%40ss) refused for u"
    assert scrubbed(text, url) == "cannot reach postgresql://u:***@h/d; password *** (***) refused for u"
    assert scrubbed("connection to h refused", url) == "connection to h refused"
