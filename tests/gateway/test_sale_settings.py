"""The settings of selling are checked at start."""

import pytest

from gateway.services import build
from gateway.settings import Settings, SettingsError


def faults(environ: dict[str, str], **changes: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ | changes)
    return str(caught.value)


def test_without_any_nothing_is_sold_and_no_webhook_is_taken(settings: Settings) -> None:
    assert settings.stripe_api_key is None
    assert (settings.stripe_secrets, settings.shopify_secrets) == ([], [])
    assert not settings.allow_test_payments


def test_who_sells_by_stripe_must_hear_of_payments(environ: dict[str, str]) -> None:
    assert faults(environ, STRIPE_API_KEY="sk_live_x") == (
        "STRIPE_WEBHOOK_SECRETS: is required with STRIPE_API_KEY"
    )


def test_several_secrets_count_during_rotation(environ: dict[str, str]) -> None:
    several = {"STRIPE_WEBHOOK_SECRETS": "whsec_new whsec_old", "SHOPIFY_CLIENT_SECRETS": "a b"}
    settings = Settings.from_environ(environ | several)
    assert settings.stripe_secrets == ["whsec_new", "whsec_old"]
    assert settings.shopify_secrets == ["a", "b"]
    assert "whsec" not in repr(settings)


def test_countries_are_codes(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ | {"SHIPPING_COUNTRIES": "DE,FR AT"})
    assert settings.shipping_countries == ("DE", "FR", "AT")
    for wrong in ("Germany", "de", "DE;FR", ","):
        assert "SHIPPING_COUNTRIES: " in faults(environ, SHIPPING_COUNTRIES=wrong)


@pytest.mark.parametrize("name", ["CHECKOUT_SUCCESS_URL", "CHECKOUT_CANCEL_URL"])
def test_parents_are_sent_to_web_pages(environ: dict[str, str], name: str) -> None:
    page = "https://shop.test/thanks?session={CHECKOUT_SESSION_ID}"
    assert Settings.from_environ(environ | {name: page})
    for wrong in ("javascript:alert(1)", "/thanks", "https://shop.test/a b"):
        assert f"{name}: " in faults(environ, **{name: wrong})


@pytest.mark.anyio
async def test_a_gateway_sells_by_stripe_if_it_has_a_key(environ: dict[str, str]) -> None:
    keys = {"STRIPE_API_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRETS": "whsec_x"}
    for environment, sells in ((environ, False), (environ | keys, True)):
        services = build(Settings.from_environ(environment), environment)
        assert (services.sales.till.payments is not None) == sells
        for close in services.closers:
            await close()
        services.engine.dispose()
