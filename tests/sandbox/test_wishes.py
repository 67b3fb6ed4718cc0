"""What remarks and amounts wish for the end of an order and for its callbacks. Pure."""

import pytest

from paypro_async.sandbox import Sandbox
from paypro_async.sandbox.remarks import Kind, Manner, Wish, Wishes, read_wishes

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


@pytest.mark.parametrize("rules", [{"13": "later:sometimes"}, {"13": ""}, {"x": "paid"}, {"": "paid"}, {"1.": "paid"}])
def test_a_rule_for_amounts_that_says_nothing_is_refused(rules: dict[str, str]):
    """At once, with an example."""
    with pytest.raises(ValueError, match="later:fail:00029"):
        Sandbox(amount_rules=rules)
