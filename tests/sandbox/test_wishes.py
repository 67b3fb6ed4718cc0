"""What remarks and amounts wish for the end of an order and for its callbacks. Pure."""

import re

import pytest

from paypro_async.sandbox import Sandbox
from paypro_async.sandbox.remarks import Kind, Manner, Wish, Wishes, read_rule, read_wishes

PAID = ("0000", None)


@pytest.mark.parametrize(
    ("remark", "wishes"),
    [
        ("sandbox:paid", Wishes(Wish(Kind.PAID))),
        ("sandbox:later:paid", Wishes(later=(PAID,))),
        ("sandbox:later:never", Wishes(later=())),
        ("sandbox:later:fail:60030", Wishes(later=(("60030", None),))),
        ("sandbox:later:fail:60030:too full", Wishes(later=(("60030", "too full"),))),
        ("sandbox:later:reverse", Wishes(later=(PAID, ("00029", None)))),
        ("sandbox:later:reverse:5000:gone", Wishes(later=(PAID, ("5000", "gone")))),
        ("sandbox:callback:twice", Wishes(manner=Manner(twice=True))),
        ("sandbox:callback:late", Wishes(manner=Manner(delay=60))),
        ("sandbox:callback:late:0.5", Wishes(manner=Manner(delay=0.5))),
        ("sandbox:callback:amount:299.99", Wishes(manner=Manner(amount="299.99"))),
        ("sandbox:callback:wrong-signature", Wishes(manner=Manner(wrong_signature=True))),
        ("sandbox:callback:none", Wishes(manner=Manner(silent=True))),
        (
            "sandbox:later:fail:00029:no such account sandbox:callback:disorder sandbox:callback:processing",
            Wishes(later=(("00029", "no such account"),), manner=Manner(disorder=True, processing=True)),
        ),
        ("sandbox:paid sandbox:later:fail:00029", Wishes(Wish(Kind.PAID), later=(("00029", None),))),
    ],
)
def test_wishes_are_read(remark: str, wishes: Wishes):
    """One or several."""
    assert read_wishes(remark) == wishes
    assert wishes


@pytest.mark.parametrize(
    "remark",
    [
        "",
        "invoice 17",
        "for sandbox:paid",
        "sandbox:",
        "sandbox:later",
        "sandbox:later:",
        "sandbox:later:fail",
        "sandbox:later:fail:abc",
        "sandbox:later:paid:0000",
        "sandbox:later:reverse:x",
        "sandbox:callback",
        "sandbox:callback:late:soon",
        "sandbox:callback:amount:",
        "sandbox:callback:amount:0",
        "sandbox:callback:amount:1e5",
        "sandbox:callback:twice:thrice",
    ],
)
def test_any_other_text_wishes_nothing(remark: str):
    """It is only given back."""
    assert not read_wishes(remark)


@pytest.mark.parametrize(
    ("rule", "remark"),
    [
        ("later:reverse callback:twice", "sandbox:later:reverse sandbox:callback:twice"),
        ("sandbox:later:reverse sandbox:callback:twice", "sandbox:later:reverse sandbox:callback:twice"),
        ("fail:00029:already paid, try again", "sandbox:fail:00029:already paid, try again"),
        ("fail:00029:try again callback:late:5", "sandbox:fail:00029:try again sandbox:callback:late:5"),
        ("callback:twice paid", "sandbox:callback:twice sandbox:paid"),
        ("vanish callback:none", "sandbox:vanish sandbox:callback:none"),
    ],
)
def test_a_rule_has_the_same_wishes_as_a_remark(rule: str, remark: str):
    """Several too, and with messages of several words."""
    assert read_rule(rule) == read_wishes(remark)


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("later:sometimes callback:twice", "'later:sometimes'"),
        ("callback:twice later:sometimes", "'later:sometimes'"),
        ("later:reverse and more", "'later:reverse and more'"),
        ("", "''"),
    ],
)
def test_a_wrong_rule_is_named_with_the_part_that_is_wrong(rule: str, wrong: str):
    """In the words in which it is written, on the command line or as an argument."""
    with pytest.raises(ValueError, match=re.escape(f"The rule 13={rule} for amounts is wrong: {wrong} is no wish.")):
        Sandbox(amount_rules={"13": rule})


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("name", ["paid_after", "booking_lag"])
def test_seconds_are_finite(name: str, seconds: float):
    """What compares with nothing would never come, or end the sandbox later."""
    with pytest.raises(ValueError, match=f"{name} must be seconds"):
        Sandbox(**{name: seconds})


@pytest.mark.parametrize("rules", [{"13": "later:sometimes"}, {"13": ""}, {"x": "paid"}, {"": "paid"}, {"1.": "paid"}])
def test_a_rule_for_amounts_that_says_nothing_is_refused(rules: dict[str, str]):
    """At once, with an example."""
    with pytest.raises(ValueError, match="later:fail:00029"):
        Sandbox(amount_rules=rules)
