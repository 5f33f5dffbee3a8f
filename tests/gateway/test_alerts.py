"""The alert rules of the documentation, against the numbers that a gateway serves.

Whether a rule fires when it should is asked of Prometheus' own promtool, with docs/alerts_test.yml.
"""

import re
from pathlib import Path

from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.services import Services

DOCS = Path(__file__).parents[2] / "docs"
RULES = (DOCS / "alerts.yml").read_text()
RULE_TESTS = (DOCS / "alerts_test.yml").read_text()
SELECTOR = re.compile(r'(foxetales_[a-z_]+)(?:\{(\w+)="(\w+)"\})?')


def selectors(text: str) -> set[tuple[str, str, str]]:
    """What the rules ask for: name of the number, label and value, or empty."""
    return {(name, label, value) for name, label, value in SELECTOR.findall(text)}


def test_every_number_and_label_of_the_rules_is_served(services: Services) -> None:
    with TestClient(create_app(services)) as client:
        served = selectors(client.get("/metrics").text)
    names = {name for name, _, _ in served}
    asked = selectors("\n".join(re.findall(r"expr: (.*?)\n        for:", RULES, re.DOTALL)))
    assert len(asked) > 10
    for name, label, value in asked:
        assert ((name, label, value) in served) if label else (name in names), (name, value)


def test_the_labels_of_annotations_are_those_of_the_numbers(services: Services) -> None:
    with TestClient(create_app(services)) as client:
        served = selectors(client.get("/metrics").text)
    labels = set(re.findall(r"\$labels\.(\w+)", RULES))
    assert labels == {"dependency"}
    assert labels <= {label for name, label, _ in served if name == "foxetales_dependency_up"}


def test_no_rule_breaks_when_a_second_gateway_tells_the_same() -> None:
    """What is summed is summed for each gateway by itself, and compared with that one's numbers."""
    assert not re.search(r"\bon ?\(", RULES)
    assert all("without" in each for each in re.findall(r"\bsum\b[^f]*foxetales", RULES))


def test_every_alert_has_an_example_that_fires_it_and_one_that_does_not() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES)
    assert re.findall(r"^  - name: (\w+)", RULE_TESTS, re.MULTILINE) == alerts
    for alert in alerts:
        assert f"alertname: {alert}, exp_alerts: []" in RULE_TESTS, alert
        assert f"        alertname: {alert}\n        exp_alerts:\n" in RULE_TESTS, alert
