"""Grafana's dashboards are what the Python says, and ask for what there is to be asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from services.aggregator.metrics import REGISTRY as AGGREGATOR_REGISTRY
from services.exporter.metric_definitions import METRICS, exposed_name
from services.ingest.metrics import IngestMetrics
from tests.contract import compose_file, dashboard_files
from tests.contract.compose_file import ROOT, theirs
from tests.contract.dashboard_files import GRAFANA, SQL, load, panels, queries, variables
from tools.dashboards.generate import DASHBOARDS, SHARED, render
from tools.dashboards.layout import as_document
from tools.dashboards.panels import NO_UNIT, About, lines
from tools.dashboards.queries import (
    CLICKHOUSE_TYPE,
    DATASOURCE_VARIABLES,
    PROMETHEUS_TYPE,
    promql,
    sql_rows,
)
from tools.dashboards.shared import GRAFANA_VERSION, SOURCES

DEFINITIONS = {exposed_name(meaning): meaning for meaning in METRICS}
ALL = [*dashboard_files.METRICS, *SQL]
each_dashboard = pytest.mark.parametrize(
    "path", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
each_of_metrics = pytest.mark.parametrize(
    "path", dashboard_files.METRICS, ids=lambda path: path.stem
)
each_of_sql = pytest.mark.parametrize("path", SQL, ids=lambda path: path.stem)
#: The public views, and the two tables of the pipeline that docs/sql.md names for everybody.
VIEWS = {
    *("registers", "usage_minute", "usage_hour", "demand_15m", "peak_demand", "load_duration"),
    *("load_factor", "generation_mix", "token_league", "token_density", "charges", "statements"),
    *("data_quality", "charge_parts", "usage_minute_parts", "usage_hour_parts", "checkpoints"),
    "energy_parts",
}


def metric_labels() -> dict[str, set[str]]:
    """What services show, by name as samples bear it, with the labels that are ours."""
    found = {name: set(meaning.labels) for name, meaning in DEFINITIONS.items()}
    for registry in (AGGREGATOR_REGISTRY, IngestMetrics().registry):
        for family in registry.collect():
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
            if family.type == "histogram":
                found[f"{family.name}_bucket"] = {"le"}
    return found


def test_the_files_are_what_the_python_says() -> None:
    """`make dashboards` writes them."""
    written = {
        path.relative_to(GRAFANA): path.read_text(encoding="utf-8")
        for folder in (DASHBOARDS, SHARED)
        for path in folder.rglob("*.json")
    }
    rendered = render()
    assert written.keys() == rendered.keys()
    for name, text in rendered.items():
        assert written[name] == text, f"{name} is old: run `make dashboards`"


@each_dashboard
def test_it_is_a_dashboard_as_grafanas_model_has_it(path: Path) -> None:
    register_default_plugins()
    read = Dashboard.from_json(load(path))
    if path in SQL:
        # The SDK does not know the plug-in's queries; the rest is compared.
        assert read.panels is not None
        assert read.title == load(path)["title"]
        return
    # An alert list's options, which its model leaves open, and the alerts marked on the time too.
    assert as_document(read) == load(path)


def test_ids_and_titles_are_unique() -> None:
    dashboards = [load(path) for path in ALL]
    assert len({dashboard["uid"] for dashboard in dashboards}) == len(ALL)
    assert len({dashboard["title"] for dashboard in dashboards}) == len(ALL)
    for dashboard in dashboards:
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert ids == list(range(1, len(ids) + 1))
        titles = [panel["title"] for panel in panels(dashboard)]
        assert len(titles) == len(set(titles)), dashboard["title"]
        # Grafana takes uids of up to 40 characters.
        assert re.fullmatch(r"[a-z-]{8,40}", dashboard["uid"])


@each_dashboard
def test_each_panel_says_what_it_shows(path: Path) -> None:
    dashboard = load(path)
    assert dashboard["description"].endswith("?")
    for panel in panels(dashboard):
        title = panel["title"]
        if panel["type"] == "alertlist":
            # It asks Grafana, and shows no number.
            assert panel["options"]["alertName"] == "Wattoken"
            continue
        assert title and panel["targets"], title
        assert len(panel["description"]) > 10 and panel["description"][-1] in ".:", title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs)), title


@each_dashboard
def test_no_panel_lies_on_another_or_beside_the_grid(path: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in load(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies on {other}"


@each_dashboard
def test_it_asks_the_source_that_its_user_chose(path: Path) -> None:
    dashboard = load(path)
    kind = CLICKHOUSE_TYPE if path in SQL else PROMETHEUS_TYPE
    chosen = DATASOURCE_VARIABLES[kind]
    wanted = {"type": kind, "uid": f"${{{chosen}}}"}
    variable = variables(dashboard)[chosen]
    assert (variable["type"], variable["query"]) == ("datasource", kind)
    for panel in panels(dashboard):
        if panel["type"] != "alertlist":
            assert panel["datasource"] == wanted
        assert all(target["datasource"] == wanted for target in panel.get("targets", ()))
    for name, other in variables(dashboard).items():
        assert name == chosen or other["datasource"] == wanted
    for annotation in dashboard["annotations"].get("list", ()):
        assert annotation["datasource"] == wanted
    text = path.read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{?(\w+)", text)) - {
        "__rate_interval",
        "__range",
        "__timeFilter",
        "__dateFilter",
        "__fromTime",
        "__toTime",
    }
    assert used - {"__all"} == set(variables(dashboard)), "used and declared differ"


@each_of_metrics
def test_every_metric_and_label_is_one_that_there_is(path: Path) -> None:
    labels = metric_labels()
    rules = dashboard_files.recording_rules()
    dashboard = load(path)
    expressions = {title: target["expr"] for title, target in queries(dashboard)}
    expressions |= {
        name: variable["definition"]
        for name, variable in variables(dashboard).items()
        if variable["type"] == "query"
    }
    for title, expression in expressions.items():
        recorded = set(re.findall(r"\b\w+:\w+(?::\w+)?\b", expression))
        assert recorded <= set(rules), f"{title}: no rule {recorded - set(rules)}"
        names = set(re.findall(r"(?<![\w:])wattoken_\w+(?!:)\b", expression)) - recorded
        assert names | recorded, title
        assert names <= set(labels), f"{title}: {names - set(labels)}"
        used = set(re.findall(r"(\w+)\s*[=!]~?\"", expression))
        grouped = re.findall(r"\bby \(([^)]*)\)", expression)
        used |= {label.strip() for group in grouped for label in group.split(",")}
        if not recorded:
            shown = set().union(*(labels[name] for name in names))
            assert used <= shown, f"{title}: nothing in it has {used - shown}"
        for name in re.findall(r"(?:rate|increase)\((wattoken_\w+)", expression):
            is_counter = name not in DEFINITIONS or DEFINITIONS[name].type == "counter"
            assert is_counter, f"{title}: {name} is no counter"


@each_of_metrics
def test_tenants_are_in_no_metric(path: Path) -> None:
    assert "tenant" not in path.read_text(encoding="utf-8").lower()


@each_of_sql
def test_sql_reads_the_public_views_and_changes_nothing(path: Path) -> None:
    dashboard = load(path)
    texts = {title: target["rawSql"] for title, target in queries(dashboard)}
    texts |= {
        name: variable["query"]
        for name, variable in variables(dashboard).items()
        if variable["type"] == "query"
    }
    for title, text in texts.items():
        read = set(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", text))
        assert read and read <= VIEWS, f"{title}: {read - VIEWS}"
        assert ("checkpoints" in read) == ("checkpoints FINAL" in text), title
        assert text.lstrip().startswith(("SELECT", "WITH")), title
        assert ";" not in text, title
        # Spliced into SQL unquoted, a region named x' would end the text.
        assert not re.search(r"\$\{?(?!__)\w+(?!\w*:singlequote)\b", text), title


def test_links_keep_the_time_and_what_is_chosen() -> None:
    """A variable that two dashboards have means the same in both: it is handed on."""
    known: dict[str, set[tuple[str, str]]] = {}
    for path in ALL:
        dashboard = load(path)
        for link in dashboard["links"]:
            assert link["keepTime"] and link["includeVars"], path
            assert link["tags"] == dashboard["tags"], "to each other, and so back"
        for name, variable in variables(dashboard).items():
            of = variable["query"] if variable["type"] == "datasource" else ""
            known.setdefault(name, set()).add((variable["type"], of))
    assert all(len(kinds) == 1 for kinds in known.values()), known


@pytest.mark.parametrize("stem", ["grid", "meter-room"])
def test_what_is_chosen_is_region_provider_and_model(stem: str) -> None:
    dashboard = load(DASHBOARDS / "metrics" / f"{stem}.json")
    names = ("region", "provider", "model")
    assert [*variables(dashboard)] == ["datasource", *names]
    for number, name in enumerate(names):
        # Each offers what there is of those before it.
        for before in names[:number]:
            assert f'{before}=~"${before}"' in variables(dashboard)[name]["definition"]
    for panel in panels(dashboard):
        asked = " ".join(target["expr"] for target in panel.get("targets", ()))
        for name in names:
            told = f"{name}s" in panel["description"].partition(" Of all ")[2]
            assert not asked or (f"${name}" in asked) != told, f"{panel['title']}: {name}"


@each_of_metrics
def test_alerts_and_new_versions_are_marked_on_the_time(path: Path) -> None:
    marked = {one["name"]: one["expr"] for one in load(path)["annotations"]["list"]}
    assert marked.keys() == {"Alerts", "New versions"}
    assert 'ALERTS{alertname=~"Wattoken.+", alertstate="firing"}' in marked["Alerts"]
    builds = set(re.findall(r"wattoken_\w+", marked["New versions"]))
    assert builds <= set(metric_labels())


def test_alerts_are_listed() -> None:
    listed = {
        path.stem
        for path in dashboard_files.METRICS
        if any(panel["type"] == "alertlist" for panel in panels(load(path)))
    }
    assert listed == {"grid", "pipeline"}


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_imported_is_what_is_provisioned_with_its_source(path: Path) -> None:
    """As Grafana's import has it: it asks for each input, and puts the answer in its place."""
    text = (SHARED / path.relative_to(DASHBOARDS)).read_text(encoding="utf-8")
    (asked,) = json.loads(text)["__inputs"]
    assert f"${{{asked['name']}}}" in text
    imported = json.loads(text.replace(f"${{{asked['name']}}}", "its-uid"))
    kind = CLICKHOUSE_TYPE if path in SQL else PROMETHEUS_TYPE
    chosen = variables(imported)[DATASOURCE_VARIABLES[kind]].pop("current")
    assert (asked["type"], asked["pluginId"], chosen["value"]) == ("datasource", kind, "its-uid")
    needed = {one["id"]: one["type"] for one in imported["__requires"]}
    kinds = {panel["type"] for panel in panels(imported)}
    assert needed == {"grafana": "grafana", kind: "datasource", **dict.fromkeys(kinds, "panel")}
    assert {name: imported.pop(name) for name in ("id", "__elements")} == {
        "id": None,
        "__elements": {},
    }
    for name in ("__inputs", "__requires"):
        del imported[name]
    assert imported == load(path)


def test_what_is_imported_names_the_versions_that_compose_runs() -> None:
    grafana = theirs()["grafana"]
    assert grafana["image"].startswith(f"grafana/grafana:{GRAFANA_VERSION}@")
    plug_in = f"{CLICKHOUSE_TYPE}@{SOURCES[CLICKHOUSE_TYPE].version}"
    assert grafana["environment"]["GF_PLUGINS_PREINSTALL"] == plug_in


def test_rejected_is_told_of_the_time_shown() -> None:
    shown = dict(queries(load(DASHBOARDS / "metrics/pipeline.json")))
    assert "increase(wattoken_events_rejected_total[$__range])" in shown["Rejected (A)"]["expr"]
    assert "max(max by (partition)" in shown["Newest event (A)"]["expr"]


def test_what_each_dashboard_must_show_is_there() -> None:
    shown = {path.stem: path.read_text(encoding="utf-8") for path in dashboard_files.METRICS}
    for stem, names in {
        "grid": ("block_demand", "sliding_demand", "billing_peak", "capacity", "coincident"),
        "league": ("week_tokens", "week_share_ratio", "leading_weeks", "model_info"),
        "meter-room": ("input_tokens_total", "output_tokens_total", "requests_total", "price_usd"),
        "pipeline": (
            *("consumer_lag_messages", "watermark_timestamp", "events_duplicate_total"),
            *("events_rejected_total", "reconciliation_difference_tokens", "wattoken_up"),
        ),
    }.items():
        for name in names:
            assert name in shown[stem], f"{stem}: {name}"
    views = {name for path in SQL for name in re.findall(r"FROM (\w+)", path.read_text("utf-8"))}
    assert views >= {
        "energy_parts",
        "token_league",
        "load_duration",
        "data_quality",
        "charge_parts",
        "statements",
    }


def test_a_panel_of_two_sources_is_refused() -> None:
    about = About("Both", "Two sources at once.", NO_UNIT)
    with pytest.raises(ValueError, match="Both: a panel asks one data source"):
        lines(about, promql("up"), sql_rows("SELECT 1", ref="B"))
    assert isinstance(lines(about, promql("up")), timeseries.Panel)


def test_provisioning_points_at_what_compose_mounts_and_runs() -> None:
    grafana = theirs()["grafana"]
    mounts = {target: source for source, target, _ in compose_file.volumes(grafana)}
    assert (ROOT / mounts["/etc/grafana/provisioning"]).resolve() == GRAFANA / "provisioning"
    assert (ROOT / mounts["/etc/grafana/dashboards"]).resolve() == DASHBOARDS
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/wattoken.yml").read_text())
    folders = {Path(each["options"]["path"]): each["folder"] for each in providers["providers"]}
    assert {path.name for path in folders} == {path.parent.name for path in ALL}
    assert all(path.parent == Path("/etc/grafana/dashboards") for path in folders)
    assert len(set(folders.values())) == len(folders)
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (DASHBOARDS / home.relative_to("/etc/grafana/dashboards")).exists()


def test_the_prometheus_source_is_the_one_compose_runs() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    prometheus = compose_file.published(theirs()["prometheus"])[0]
    assert (source["type"], source["url"]) == (
        PROMETHEUS_TYPE,
        f"http://prometheus:{prometheus[2]}",
    )
    scrape = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]


def test_the_clickhouse_source_is_the_one_compose_runs() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/clickhouse.yml").read_text())[
        "datasources"
    ]
    settings = source["jsonData"]
    _, _, port = compose_file.published(theirs()["clickhouse"])[0]
    assert (source["type"], settings["host"], settings["port"], settings["protocol"]) == (
        *(CLICKHOUSE_TYPE, "clickhouse", port),
        "http",
    )
    environment = compose_file.environment(compose_file.ours()["exporter"])
    assert settings["defaultDatabase"] == environment["WATTOKEN_CLICKHOUSE_DATABASE"]
    users = (ROOT / "deploy/docker/clickhouse/users.xml").read_text(encoding="utf-8")
    assert f"<{settings['username']}>" in users
    (limit,) = re.findall(r"<max>(\d+)</max><changeable_in_readonly/>", users)
    assert int(settings["queryTimeout"]) <= int(limit)


def test_the_plug_in_is_pinned_and_its_password_is_mounted() -> None:
    grafana = theirs()["grafana"]
    plug_in = grafana["environment"]["GF_PLUGINS_PREINSTALL"]
    assert re.fullmatch(rf"{CLICKHOUSE_TYPE}@\d+\.\d+\.\d+", plug_in)
    text = (GRAFANA / "provisioning/datasources/clickhouse.yml").read_text(encoding="utf-8")
    (secret,) = re.findall(r"password: \$__file\{(.+)\}", text)
    mounts = {target: source for source, target, _ in compose_file.volumes(grafana)}
    assert mounts[str(Path(secret).parent)] == "secrets-grafana"
    assert Path(secret).name == "clickhouse_password"
