import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace_kernel.sql.secrets import Secrets, cut, escaped, is_redacted, redact

CANARY = "c4n@ry/s3cret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:pw1@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgresql://h/db", "postgresql://h/db"),
        ("postgresql://u:p@ss@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:p@s/s@h/db", "postgresql://u:***@h/db"),
        ("postgresql://h/db?password=S:x@y&a=b", "postgresql://h/db?password=***&a=b"),
        ("postgresql://u:a/b?c#d@h:1/db", "postgresql://u:***@h:1/db"),
        ("postgresql://u:pw@[::1]:5432/db", "postgresql://u:***@[::1]:5432/db"),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("postgresql://h/db?password=x&sslmode=on", "postgresql://h/db?password=***&sslmode=on"),
        ("snowflake://u:p@acc/db?private_key=k&role=r", "snowflake://u:***@acc/db?private_key=***&role=r"),
        ("trino://h/db?access_token=k", "trino://h/db?access_token=***"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
        ("host=h password=hunter2 dbname=d", "host=h password=*** dbname=d"),
        ("u:pw@h", "***"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_connection_string_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redact(url) == shown


TYPED = st.text(alphabet=st.characters(codec="ascii", min_codepoint=33), max_size=8)


@given(TYPED, TYPED)
def test_no_password_survives_whatever_is_in_it(before: str, after: str) -> None:
    url = f"postgresql://u:{before}CANARY{after}@h.example:5432/db"
    assert "CANARY" not in redact(url)
    secrets = Secrets.of(url)
    assert "CANARY" not in secrets.scrub(f"no host {before}CANARY{after}@h.example")


def test_a_forgotten_escape_is_made_up_for() -> None:
    parts = cut(escaped("postgresql://u:p@ss%25@h:5432/db?x=1"))
    assert parts is not None
    assert (parts.user, parts.password, parts.tail, parts.query) == ("u", "p%40ss%25", "h:5432/db", "x=1")


def test_a_hidden_password_is_recognised() -> None:
    assert is_redacted("postgresql://u:***@h/db")
    assert is_redacted("postgresql://h/db?password=***")
    assert not is_redacted("postgresql://u:pw@h/db")


@pytest.mark.parametrize(
    "text",
    [
        f"connection to {CANARY} failed",
        "could not resolve ry/s3cret@h",  # a piece, as a parser that cuts at the first @ shows it
        "c4n%40ry%2Fs3cret",
        "c4n%40ry/s3cret",
    ],
)
def test_no_spelling_and_no_piece_of_a_password_stays_in_a_text(text: str) -> None:
    secrets = Secrets.of(f"postgresql://u:{CANARY}@h/db?token=t0ken")
    scrubbed = secrets.scrub(text + " t0ken end")
    assert "s3cret" not in scrubbed
    assert "t0ken" not in scrubbed
    assert scrubbed.endswith(" end")
    assert "s3cret" not in repr(secrets)


def test_a_short_password_does_not_garble_words() -> None:
    assert Secrets.of("postgresql://u:a@h/db").scrub("a database, password a") == "*** database, password ***"
