"""The page where a session is paid with nobody's money."""

from dataclasses import asdict
from html import escape
from string import Template
from typing import Final

from sandbox.stripe_stand_in.sessions import Buyer, Document

_LABELS: Final = {
    "email": "E-mail",
    "name": "Name",
    "phone": "Phone",
    "line1": "Street and number",
    "city": "City",
    "state": "State",
    "postal_code": "Postcode",
    "country": "Country (two letters)",
}

_PAGE: Final = Template(
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Checkout (stand-in)</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem;
         color: #2b2b33; background: #f6f5fb }
  label { display: block; margin: .75rem 0; font-size: .9rem }
  input { display: block; width: 100%; box-sizing: border-box; padding: .5rem; font: inherit;
          border: 1px solid #b9b6cc; border-radius: .4rem }
  button { width: 100%; padding: .75rem; margin-top: 1rem; font: inherit; font-weight: 600;
           color: #fff; background: #5a4fcf; border: 0; border-radius: .4rem; cursor: pointer }
  .note { padding: .6rem .8rem; background: #fff3cd; border-radius: .4rem; font-size: .9rem }
</style>
<p class="note">This page stands in for Stripe's. No money moves.</p>
<h1>$title</h1>
<form method="post">
$fields
<button id="pay">Pay $price</button>
</form>
$cancel
"""
)


def checkout_page(session: Document, title: str, buyer: Buyer) -> str:
    """Return the page as HTML, filled in for ``buyer``."""
    filled = asdict(buyer)
    if session["customer_email"]:
        filled["email"] = session["customer_email"]
    fields = "\n".join(
        f'<label>{label}<input name="{name}" value="{escape(filled[name])}"></label>'
        for name, label in _LABELS.items()
    )
    cancel = session["cancel_url"]
    return _PAGE.substitute(
        title=escape(title),
        fields=fields,
        price=f"{session['amount_total'] / 100:.2f} {session['currency'].upper()}",
        cancel=f'<p><a href="{escape(cancel)}">Back, without paying</a></p>' if cancel else "",
    )
