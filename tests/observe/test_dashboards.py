"""The dashboards of deploy/grafana: their files are current, Grafana's own schema knows all of what they say, and every
query finds data on a real Prometheus."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from support.dashboards import Query, queries_of
from support.prometheus import Prometheus
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/grafana"
FILES = sorted(FOLDER.glob("*.json"))
NAMES = [file.stem for file in FILES]
QUERIES = [query for file in FILES for query in queries_of(file) if "godwit_kafka_" not in query.expression]


def written() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("dashboards", FOLDER / "dashboards.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    import sys
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    files: dict[str, str] = module.files()
    return files


def test_files_are_what_the_source_writes() -> None:
    assert {file.name: file.read_text() for file in FILES} == written(), "python3 deploy/grafana/dashboards.py"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_schema_knows_all_of_it(file: Path) -> None:
    """Read by Grafana's own model and written again, it says the same: what the model does not know would be lost."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    model = json.loads(file.read_text())
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(model)))
    assert lost(model, again) == []


def lost(model: Any, again: Any, where: str = "") -> list[str]:
    """What of `model` is not, or not the same, in `again`, which may say more (defaults)."""
    if isinstance(model, dict):
        if not isinstance(again, dict):
            return [where]
        return [problem for key, value in model.items()
                for problem in ([f"{where}.{key}"] if key not in again else lost(value, again[key], f"{where}.{key}"))]
    if isinstance(model, list):
        if not isinstance(again, list) or len(model) != len(again):
            return [where]
        return [problem for i, (a, b) in enumerate(zip(model, again)) for problem in lost(a, b, f"{where}[{i}]")]
    return [] if model == again else [f"{where}: {model!r} became {again!r}"]


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_is_laid_out(file: Path) -> None:
    """No two panels overlap, none is wider than the grid, ids are distinct."""
    panels = json.loads(file.read_text())["panels"]
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_each_has_an_address_of_its_own() -> None:
    uids = [json.loads(file.read_text())["uid"] for file in FILES]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_finds_data(prometheus: Prometheus, query: Query) -> None:
    wait_until(lambda: prometheus.numbers(query.runnable()), 20, f"data for {query.runnable()}")


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_variables_have_values(prometheus: Prometheus, file: Path) -> None:
    for variable in json.loads(file.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = variable["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            metric = Query("", "", metric).runnable()
            wait_until(lambda: prometheus.label_values(label, metric), 20, f"{label} of {metric}")
