"""The example with Prometheus and Grafana: the service shows numbers; alerts and graphs ask for such as are there."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from paypro_async.integrations.opentelemetry import OpenTelemetryHook
from paypro_async.integrations.telemetry import ATTRIBUTES, METRICS, Kind
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.integrations.test_services import application_of, post, settings, until
from tests.support.merchant import MERCHANT_NO
from tests.support.valid import PAYEE
from tests.support.web import exchange, request, under_uvicorn

EXAMPLE = Path(__file__).parents[2] / "examples" / "telemetry"
REHEARSAL = Path(__file__).parents[1] / "vectors" / "alerts_test.yml"
SUFFIXES = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
OF_PROMETHEUS = {"job", "instance"}


def metrics_of(page: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Each series of a page of metrics: its name, and by its labels, without those of the scope, its number."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if not k.startswith("otel_scope")))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def exported() -> dict[str, set[str]]:
    """What Prometheus gets of each row of the table: the names, and the labels of each."""
    names: dict[str, set[str]] = {"up": set()}
    for row in METRICS:
        labels = {one.replace(".", "_") for one in row.attributes}
        for suffix in SUFFIXES.get(row.kind, ("",)):
            names[row.prometheus_name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return names


def asked_of(expression: Any) -> tuple[set[str], set[str], set[str]]:
    """The metrics that an expression asks for, the labels that it chooses by, and those that it groups by."""
    names, chosen, grouped = set(), set(), set()

    def look(one: Any) -> None:
        if isinstance(one, promql_parser.VectorSelector):
            names.add(one.name)
            chosen.update(matcher.name for matcher in one.matchers.matchers)
        elif isinstance(one, promql_parser.MatrixSelector):
            look(one.vector_selector)
        elif isinstance(one, promql_parser.BinaryExpr):
            look(one.lhs)
            look(one.rhs)
        elif isinstance(one, promql_parser.Call):
            for argument in one.args:
                look(argument)
        elif isinstance(one, promql_parser.ParenExpr):
            look(one.expr)
        elif isinstance(one, promql_parser.AggregateExpr):
            look(one.expr)
            grouped.update(re.findall(r"[a-z_]+", str(one.modifier).partition("(")[2]) if one.modifier else ())
        else:
            assert isinstance(one, promql_parser.NumberLiteral), type(one)

    look(expression)
    return names, chosen, grouped


RULES = [rule for group in yaml.safe_load((EXAMPLE / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((EXAMPLE / "dashboard.json").read_text())
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
ASKED = [
    *(pytest.param(rule["expr"], rule["annotations"]["summary"], id=rule["alert"]) for rule in RULES),
    *(
        pytest.param(
            target["expr"].replace("$__rate_interval", "1m"), target["legendFormat"], id=f"{one['title']}-{number}"
        )
        for one in PANELS
        for number, target in enumerate(one["targets"])
    ),
]


@pytest.mark.parametrize(("expression", "words"), ASKED)
def test_each_alert_and_graph_asks_for_metrics_and_labels_that_are_exported(expression, words):
    names, chosen, grouped = asked_of(promql_parser.parse(expression))
    there = exported()
    assert names <= set(there)
    for name in names:
        assert chosen | grouped <= there[name] | OF_PROMETHEUS, name
    shown = set(re.findall(r"\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}", words))
    assert shown <= grouped


def test_a_metric_that_is_not_there_would_be_found():
    """Or the test above could not fail."""
    names, chosen, grouped = asked_of(promql_parser.parse('sum by (le) (rate(nothing_bucket{a="b"}[5m])) / up'))
    assert (names, chosen, grouped) == ({"nothing_bucket", "up"}, {"a"}, {"le"})
    assert "nothing_bucket" not in exported()


def test_the_table_says_what_prometheus_calls_each_metric():
    """As the exporter itself writes it."""
    registry = CollectorRegistry()
    provider = MeterProvider([PrometheusMetricReader(registry=registry)], shutdown_on_exit=False)
    hook = OpenTelemetryHook(meter_provider=provider)
    for row in METRICS:
        tell = {Kind.HISTOGRAM: "record", Kind.GAUGE: "set"}.get(row.kind, "add")
        getattr(hook._instruments[row.name], tell)(1, dict.fromkeys(row.attributes, "x"))
    told = metrics_of(generate_latest(registry).decode())
    told.pop("target_info")
    assert set(told) == set(exported()) - {"up"}
    for name, series in told.items():
        assert {label for labels in series for label, _ in labels} == exported()[name]
    provider.shutdown()


def test_the_dashboard_can_be_imported_as_it_is():
    """A uid of its own, a data source that is chosen on the page, panels with units that do not overlap."""
    assert DASHBOARD["uid"] == "paypro-payouts"
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert asked_of(promql_parser.parse("paypro_connections_limit"))[0] <= set(exported())
    assert "label_values(paypro_connections_limit, job)" in json.dumps(variables["job"])
    numbers = [one["id"] for one in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for one in DASHBOARD["panels"]:
        at = one["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not taken & cells, one["title"]
        taken |= cells
    for one in PANELS:
        assert one["fieldConfig"]["defaults"]["unit"] in {"short", "s", "cps", "reqps"}
        assert one["description"].endswith(".")
        assert {one["datasource"]["uid"], *(target["datasource"]["uid"] for target in one["targets"])} == {
            "${datasource}"
        }


def test_each_alert_says_what_happened_and_what_to_do():
    for rule in RULES:
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["action"].endswith(".")
    scraped = yaml.safe_load((EXAMPLE / "prometheus.yml").read_text())
    jobs = {one["job_name"] for one in scraped["scrape_configs"]}
    assert set(re.findall(r'job="([a-z-]+)"', " ".join(rule["expr"] for rule in RULES))) <= jobs
    assert scraped["rule_files"] == ["alerts.yml"]


async def test_the_service_shows_what_it_has_paid(tmp_path, monkeypatch):
    """Pays, is called back, and says so in numbers, of which none is a person's or a payout's."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with Sandbox(paid_after=3600, faults=FaultPlan.script({"T2": [Fault.PAGE_502]})) as sandbox:
        environ = {**settings(sandbox, tmp_path, listener.getsockname()[1]), "PAYPRO_SETTLE_AFTER": "3"}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        app = application_of("service", EXAMPLE)
        async with under_uvicorn(app, listener=listener) as served:
            paid = await asyncio.gather(*(post(served.port, {"trade_no": f"T{n}", **PAYEE}) for n in range(3)))
            assert [status for status, _ in paid] == [200] * 3
            sandbox.advance(3601)
            await sandbox.callbacks_sent()

            async def page() -> str:
                status, headers, body = await exchange(
                    served.port, request("/metrics", b"", method="GET", length=False)
                )
                assert (status, headers["content-type"].partition(";")[0]) == (200, "text/plain")
                return body.decode()

            def is_told(text: str) -> bool:
                told = metrics_of(text).get("paypro_payouts_total", {})
                return told.get((("paypro_cause", "callback"), ("paypro_status", "succeeded"))) == 3

            text = await until(page, is_told)
    told = metrics_of(text)
    assert told["paypro_payouts_in_flight"] == {(): 0}
    assert told["paypro_payout_duration_seconds_count"] == {(("paypro_status", "processing"),): 3}
    assert sum(told["paypro_callback_lag_seconds_count"].values()) == 3
    refused = [
        labels for labels in told["http_client_request_duration_seconds_count"] if ("error_type", "502") in labels
    ]
    assert len(refused) == 1
    assert set(told) >= {row for row in exported() if row.startswith(("paypro_ledger", "paypro_reconcile"))}
    assert not [value for value in [*PAYEE.values(), "T0", MERCHANT_NO, "sandbox-secret"] if f'"{value}"' in text]
    assert not [
        value for value in [PAYEE["name"], PAYEE["mobile"], PAYEE["bank_number"], "sandbox-secret"] if value in text
    ]
    assert {one.asked_for for one in ATTRIBUTES.values()} - {None} == {"trade_no", "amount", "batch_id"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus")
def test_the_alerts_are_rehearsed():
    """By Prometheus's own tool: which numbers wake somebody, after how long, in which words, and which do not."""
    for words in (["check", "config", EXAMPLE / "prometheus.yml"], ["test", "rules", REHEARSAL]):
        done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_rehearsed():
    """As far as its name goes; what it does is the tool's to say."""
    rehearsed = REHEARSAL.read_text()
    assert [rule["alert"] for rule in RULES if rule["alert"] not in rehearsed] == []
