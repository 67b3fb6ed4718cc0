"""What is encrypted comes back as it was, and only there: nothing else, and nothing that was changed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async import ConfigurationError
from paypro_async.ledger.sql.encryption.cipher import KeyedCipher
from paypro_async.ledger.sql.encryption.keys import FILE_VARIABLE, VARIABLE, LedgerKey, new_key, read_keys
from paypro_async.ledger.sql.encryption.values import SEALED, UnreadableError, key_id_of

OLD, NEW = LedgerKey.of(new_key()), LedgerKey.of(new_key())
CIPHER = KeyedCipher([NEW, OLD], hash_key=b"h" * 32)
ABOUT = ("payout.content", "0000000001", "T1")


@given(text=st.text(), about=st.lists(st.text(), min_size=1, max_size=3))
def test_what_is_encrypted_comes_back(text: str, about: list[str]) -> None:
    """Every text, an empty one and one with half a character too, and never twice in the same form."""
    stored = CIPHER.encrypt(text, *about)
    assert stored.startswith(f"{SEALED}{NEW.id}:")
    assert stored.isascii()
    assert CIPHER.decrypt(stored, *about) == text
    assert CIPHER.encrypt(text, *about) != stored
    assert KeyedCipher([OLD, NEW]).decrypt(stored, *about) == text


@given(data=st.data())
def test_whatever_is_changed_is_refused(data: st.DataObject) -> None:
    """A bit anywhere in it, the end cut off, or another key's name on it."""
    stored = CIPHER.encrypt('{"bankNo":"10094038292"}', *ABOUT)
    head, _, body = stored.rpartition(":")
    raw = bytearray(base64.b64decode(body))
    place = data.draw(st.integers(0, len(raw) - 1))
    cut = data.draw(st.booleans())
    if cut:
        del raw[place:]
    else:
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
    for changed in (f"{head}:{base64.b64encode(raw).decode()}", stored.replace(NEW.id, OLD.id, 1), f"{head}:?"):
        with pytest.raises(UnreadableError):
            CIPHER.decrypt(changed, *ABOUT)


@pytest.mark.parametrize(
    "other",
    [
        ("payout.content", "0000000001", "T2"),
        ("payout.content", "0000000002", "T1"),
        ("payout.fingerprint", "0000000001", "T1"),
        ("planned.content", "0000000001", "T1"),
        ("payout.content", "0000000001"),
    ],
)
def test_what_belongs_to_one_row_is_refused_in_another(other: tuple[str, ...]) -> None:
    """Who may write to the database cannot have one payout's account paid for another."""
    stored = CIPHER.encrypt("x", *ABOUT)
    with pytest.raises(UnreadableError):
        CIPHER.decrypt(stored, *other)


def test_a_key_that_is_not_there_is_named() -> None:
    """So that a person knows which one to look for."""
    stored = KeyedCipher([OLD]).encrypt("x", *ABOUT)
    with pytest.raises(UnreadableError, match=OLD.id):
        KeyedCipher([NEW]).decrypt(stored, *ABOUT)
    assert key_id_of(stored) == OLD.id


def test_hashes_do_not_depend_on_the_key_that_writes() -> None:
    """Or the same account would look like another after a rotation; and without the hash key none can be tried."""
    one, other = KeyedCipher([OLD], hash_key=b"a" * 32), KeyedCipher([NEW], hash_key=b"a" * 32)
    assert one.keyed_hash("f" * 32) == other.keyed_hash("f" * 32)
    assert one.keyed_hash("f" * 32) != KeyedCipher([OLD], hash_key=b"b" * 32).keyed_hash("f" * 32)
    assert one.keyed_hash("f" * 32) != "f" * 32
    assert len(one.keyed_hash("f" * 32) or "") == 32
    assert one.keyed_hash(None) is None


def test_a_key_is_shown_nowhere() -> None:
    """Neither by its own repr nor by what holds it."""
    text = new_key()
    key = LedgerKey.of(text)
    shown = f"{key!r} {vars(KeyedCipher([key]))!r}"
    assert text not in shown
    assert base64.urlsafe_b64decode(text).hex() not in shown


def test_a_key_is_read_in_each_of_its_spellings() -> None:
    """As it is printed, without its end, in the other alphabet, and in hexadecimal."""
    text = new_key()
    raw = base64.urlsafe_b64decode(text)
    spellings = (text, text.rstrip("="), base64.b64encode(raw).decode(), raw.hex(), raw.hex().upper(), f" {text}\n")
    assert {LedgerKey.of(one).id for one in spellings} == {LedgerKey.of(text).id}


@pytest.mark.parametrize("text", ["", "x", "A" * 42, "A" * 46, "0" * 63, "secret", "ü" * 44])
def test_what_is_no_key_is_refused_without_showing_it(text: str) -> None:
    """A key that was cut would be another one."""
    with pytest.raises(ConfigurationError, match="paypro ledger key") as caught:
        LedgerKey.of(text)
    assert len(text) < 8 or text not in str(caught.value)


def test_where_keys_come_from(tmp_path) -> None:
    """The argument before the environment; a file has one in each line, and words for people."""
    one, two = new_key(), new_key()
    file = tmp_path / "keys"
    file.write_text(f"# since November\n{one}\n\n{two}\n", encoding="utf-8")
    file.chmod(0o600)
    ids = [LedgerKey.of(one).id, LedgerKey.of(two).id]
    assert [key.id for key in read_keys(None, {FILE_VARIABLE: str(file)})] == ids
    assert [key.id for key in read_keys(None, {VARIABLE: f"{one}, {two}"})] == ids
    assert [key.id for key in read_keys(lambda: [one, two], {VARIABLE: new_key()})] == ids
    assert [key.id for key in read_keys(f"{one} {one}", {})] == ids[:1]
    assert read_keys(None, {}) == ()


def _fails() -> str:
    raise RuntimeError("vault token 4711 is over")


async def _asks() -> str:
    return new_key()


@pytest.mark.parametrize("source", [_fails, _asks, lambda: None, list, lambda: "x", 3, [3], ""])
def test_a_source_that_gives_no_key_is_refused(source: object) -> None:
    """In words of ours: what a vault's client says may hold anything."""
    with pytest.raises(ConfigurationError, match="Nothing was sent") as caught:
        read_keys(source, {})  # type: ignore[arg-type]
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("environ", [{VARIABLE: "a", FILE_VARIABLE: "b"}, {FILE_VARIABLE: "/no/such"}, {VARIABLE: " "}])
def test_an_environment_that_names_none_is_refused(environ: dict[str, str]) -> None:
    """With the variable's name, and without what it holds."""
    with pytest.raises(ConfigurationError, match=VARIABLE) as caught:
        read_keys(None, environ)
    assert "/no/such" not in str(caught.value)
