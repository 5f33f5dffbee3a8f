"""Addresses: made fit for a label, never guessed at."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.addresses import (
    ADDRESS_INCOMPLETE,
    ADDRESS_MISSING,
    ADDRESS_TOO_LONG,
    LONGEST_LINE,
    email_of,
    from_shopify,
    from_stripe,
)
from gateway.ports import Address


def details(**changes: Any) -> dict[str, Any]:
    """Shipping details as Stripe tells them."""
    place = {
        "line1": "12 St James's Square",
        "line2": None,
        "city": "London",
        "state": None,
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    }
    name = changes.pop("name", "Ada Lovelace")
    return {"name": name, "address": {**place, **changes}}


def test_stripe_s_address_is_read() -> None:
    found = from_stripe(details(line2="Flat 2"), "+44 20 7946 0000")
    assert found.problem is None
    assert found.address == Address(
        name="Ada Lovelace",
        line1="12 St James's Square",
        line2="Flat 2",
        city="London",
        state="",
        postcode="SW1Y 4JH",
        country="GB",
        phone="+44 20 7946 0000",
    )


def test_shopify_s_address_is_read() -> None:
    shipping = {
        "first_name": "Zoë",
        "last_name": "Åsa",
        "company": "Acme",
        "address1": "1 Main St",
        "address2": "Floor 3",
        "city": "Springfield",
        "province": "Illinois",
        "province_code": "IL",
        "zip": "62701",
        "country_code": "us",
        "phone": None,
    }
    found = from_shopify(shipping, "555-0100")
    assert found.problem is None
    assert found.address == Address(
        name="Zoë Åsa",
        line1="1 Main St",
        line2="Acme, Floor 3",
        city="Springfield",
        state="IL",
        postcode="62701",
        country="US",
        phone="555-0100",
    )


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_address_is_a_problem(nothing: dict[str, Any] | None) -> None:
    for found in (from_stripe(nothing, None), from_shopify(nothing, None)):
        assert (found.address, found.problem) == (None, ADDRESS_MISSING)


@pytest.mark.parametrize(
    "lacking",
    [
        {"name": ""},
        {"name": None},
        {"name": " \n"},
        {"line1": None},
        {"city": "\u202e"},
        {"country": None},
        {"country": "England"},
        {"country": "G1"},
        {"country": 44},
    ],
)
def test_an_address_that_lacks_something_is_kept_with_the_problem(lacking: dict[str, Any]) -> None:
    found = from_stripe(details(**lacking), None)
    assert found.problem == ADDRESS_INCOMPLETE
    assert found.address


def test_a_country_may_have_neither_states_nor_postcodes() -> None:
    assert from_stripe(details(postal_code=None, state=None), None).problem is None


def test_a_line_that_no_label_holds_is_a_problem_and_is_not_cut() -> None:
    found = from_stripe(details(name="N" * 200), None)
    assert found.problem == ADDRESS_TOO_LONG
    assert found.address
    assert found.address.name == "N" * 200
    assert from_stripe(details(name="N" * LONGEST_LINE), None).problem is None


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("Ada\r\nBcc: x@y.z", "Ada Bcc: x@y.z"),
        ("Ada\x00\x1b[31m", "Ada [31m"),
        ("\u202eevol\u202c Ada", "evol Ada"),
        ("Nguye\u0302\u0303n", "Nguyễn"),
        ("ליאור כהן", "ליאור כהן"),
        ("Ada 🦊", "Ada 🦊"),
        ("<b>Ada</b>", "<b>Ada</b>"),
        ("\ud800Ada", "Ada"),
    ],
)
def test_what_is_typed_becomes_one_line(typed: str, label: str) -> None:
    found = from_stripe(details(name=typed), None)
    assert found.address
    assert found.address.name == label


@pytest.mark.parametrize(
    ("typed", "phone"), [("tel:+1 (555) 010-0", "+1 (555) 010-0"), (None, ""), (5, ""), ("x", "")]
)
def test_a_phone_number_has_digits_and_signs(typed: object, phone: str) -> None:
    found = from_stripe(details(), typed)
    assert found.address
    assert found.address.phone == phone


@given(st.dictionaries(st.sampled_from(["line1", "city", "country", "state"]), st.text()))
def test_an_address_without_a_problem_is_printable(typed: dict[str, str]) -> None:
    found = from_stripe(details(**typed), None)
    if found.problem is None and found.address is not None:
        for text in vars(found.address).values():
            assert "\n" not in text
            assert len(text) <= LONGEST_LINE
            text.encode()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("parent@example.com", "parent@example.com"),
        (" parent@EXAMPLE.com", "parent@example.com"),
        ("nobody", None),
        ("a@b\nBcc: c@d.e", None),
        ("", None),
        (None, None),
        (7, None),
        ("a" * 400 + "@example.com", None),
    ],
)
def test_a_mail_address_is_kept_if_a_letter_can_go_there(given: object, kept: str | None) -> None:
    assert email_of(given) == kept
