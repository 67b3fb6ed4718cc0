"""How personal values look in ``repr``, logs, errors and reports: enough to recognise, too little to use."""

__all__ = ["mask_account", "mask_email", "mask_mobile", "mask_name", "mask_number", "mask_text"]

_DOT = "•"


def _last(value: object, shown: int) -> str:
    text = "" if value is None else str(value)
    # A short value would be given away by its end.
    return _DOT * 4 + (text[-shown:] if len(text) >= shown * 2 else "")


def mask_account(value: object) -> str:
    """The last four characters of an account number."""
    return _last(value, 4)


def mask_mobile(value: object) -> str:
    """The last two digits of a mobile number."""
    return _last(value, 2)


def mask_number(value: object) -> str:
    """The last two characters of a number of which it is not known whether it is an account or a mobile."""
    return _last(value, 2)


def mask_email(value: object) -> str:
    """The domain of an e-mail address."""
    _, at, domain = ("" if value is None else str(value)).rpartition("@")
    return _DOT * 4 + at + domain if at else _DOT * 4


def mask_name(value: object) -> str:
    """The first letter of a name."""
    text = "" if value is None else str(value)
    return (text[:1] if len(text) > 1 else "") + _DOT * 4


def mask_text(value: object) -> str:
    """Only the length of free text, which may hold anything."""
    return "None" if value is None else f"<{len(str(value))} characters>"
