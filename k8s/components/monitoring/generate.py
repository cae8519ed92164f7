"""Makes the Grafana dashboard of panels.yaml: `python k8s/components/monitoring/generate.py`."""

import json
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
DASHBOARD: Final = HERE / "catalens.json"
_COLUMNS, _WIDTH, _HEIGHT = 24, 12, 8


def dashboard(panels: list[dict[str, Any]]) -> dict[str, Any]:
    """Grafana's JSON: the panels two by two, in their rows."""
    placed: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        if "row" in panel:
            y += _HEIGHT if x else 0
            grid = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
            placed.append({"id": number, "type": "row", "title": panel["row"], "gridPos": grid})
            x, y = 0, y + 1
            continue
        placed.append(
            {
                "id": number,
                "type": "timeseries",
                "title": panel["title"],
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "gridPos": {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT},
                "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0}, "overrides": []},
                "targets": [
                    {"refId": chr(ord("A") + place), "expr": one["query"]}
                    | {"legendFormat": one["legend"]}
                    for place, one in enumerate(panel["queries"])
                ],
            }
        )
        x += _WIDTH
        if x == _COLUMNS:
            x, y = 0, y + _HEIGHT
    return {
        "uid": "catalens",
        "title": "Catalens",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "panels": placed,
    }


def written() -> str:
    """What belongs into the file."""
    panels = yaml.safe_load((HERE / "panels.yaml").read_text(encoding="utf-8"))
    return json.dumps(dashboard(panels), indent=2) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(written(), encoding="utf-8")
