"""Dashboard and alerts: of metrics that there are, each alert with a page."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

MONITORING = Path("k8s/components/monitoring")
ALERTS = [
    rule
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
]
PANELS = [
    one for one in yaml.safe_load((MONITORING / "panels.yaml").read_text()) if "row" not in one
]


def test_the_dashboard_is_made_of_its_source() -> None:
    module = runpy.run_path(str(MONITORING / "generate.py"))
    assert (MONITORING / "catalens.json").read_text() == module["written"]()


def test_every_metric_of_ours_is_one_that_a_replica_counts() -> None:
    source = Path("serve/metrics.py").read_text()
    counted = set(re.findall(r'"(catalens_\w+)"', source))
    queries = [query["query"] for panel in PANELS for query in panel["queries"]]
    queries += [alert["expr"] for alert in ALERTS]
    used = set(re.findall(r"ray_(catalens_\w+)", " ".join(queries)))
    assert used
    for name in used:
        assert re.sub(r"_(total|bucket|sum|count)$", "", name) in counted, name


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_a_page_that_says_what_to_do(alert: dict[str, object]) -> None:
    name = str(alert["alert"])
    page = Path("docs/operations.md").read_text()
    assert f"### {name}\n" in page
    assert str(alert["annotations"]["runbook_url"]).endswith(f"#{name.lower()}")  # type: ignore[index]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")  # type: ignore[index]
