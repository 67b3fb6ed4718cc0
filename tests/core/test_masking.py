import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.masking import mask_account, mask_email, mask_mobile, mask_name, mask_text


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        (mask_account, "10094038292", "••••8292"),
        (mask_account, "1234567", "••••"),
        (mask_account, "12345678", "••••5678"),
        (mask_account, None, "••••"),
        (mask_account, 10094038292, "••••8292"),
        (mask_mobile, "8234567890", "••••90"),
        (mask_mobile, "123", "••••"),
        (mask_mobile, "", "••••"),
        (mask_email, "asha@gmail.com", "••••@gmail.com"),
        (mask_email, "8234567890", "••••"),
        (mask_email, None, "••••"),
        (mask_name, "Asha Rao", "A••••"),
        (mask_name, "A", "••••"),
        (mask_name, "", "••••"),
        (mask_name, None, "••••"),
        (mask_text, "invoice 17", "<10 characters>"),
        (mask_text, "", "<0 characters>"),
        (mask_text, None, "None"),
    ],
)
def test_enough_is_shown_to_recognise_and_too_little_to_use(mask, value, shown):
    """The end of a number, the domain of an address, the first letter of a name, the length of free text."""
    assert mask(value) == shown


@pytest.mark.parametrize("mask", [mask_account, mask_mobile])
@given(st.text(min_size=1))
def test_at_most_half_of_a_number_is_shown(mask, value: str):
    """A short value would be given away by its end, so it is not shown at all."""
    assert len(mask(value).removeprefix("••••")) * 2 <= len(value)


@given(st.text(min_size=1, alphabet=st.characters(exclude_characters="@•")), st.text(alphabet="abc.", min_size=1))
def test_nothing_before_the_at_sign_is_shown(local: str, domain: str):
    """Not even its length."""
    assert mask_email(f"{local}@{domain}") == f"••••@{domain}"
    assert mask_email(local) == "••••"


@given(st.text(min_size=2))
def test_of_a_name_only_the_first_letter_is_shown(name: str):
    """Not even its length."""
    assert mask_name(name) == name[0] + "••••"
