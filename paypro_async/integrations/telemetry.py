"""Every span, attribute and metric of the OpenTelemetry hook, as tables: the hook, its tests and the docs read them.

Names and units follow OpenTelemetry's semantic conventions (https://opentelemetry.io/docs/specs/semconv/): those of
HTTP clients, which are stable, where a request is described; for what only payouts have, our own under ``paypro.``.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from paypro_async._core.values import frozen

__all__ = ["ASKED_FOR", "ATTRIBUTES", "METRICS", "SCHEMA_URL", "SPANS", "Attribute", "Kind", "Metric", "SpanRow"]

SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
"""The version of the conventions whose names these are."""

# Seconds. The first is what the conventions advise for HTTP requests; a payout may wait for hours in a batch.
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PAYOUT = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
_COMMIT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
_LONG = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 10800.0, 43200.0)


class Kind(StrEnum):
    """What a metric does with its numbers."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen(kw_only=True)
class Metric:
    """A metric of the hook.

    Args:
        name: As OpenTelemetry knows it; Prometheus writes it with underscores and its unit.
        kind: What is done with the numbers.
        unit: In UCUM's notation; what stands in braces says what is counted.
        description: A sentence for people.
        attributes: What it is told apart by, each with few values.
        buckets: Of a histogram, the bounds that it advises.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """As Prometheus knows it; of a histogram, what stands before ``_bucket``, ``_sum`` and ``_count``."""
        name = self.name.replace(".", "_") + ("_seconds" if self.unit == "s" else "")
        return f"{name}_total" if self.kind is Kind.COUNTER else name


@frozen(kw_only=True)
class Attribute:
    """An attribute of spans or metrics.

    Args:
        name: As OpenTelemetry knows it.
        meaning: A sentence for people.
        asked_for: The word by which it must be asked for, if it is not there by itself. Then only spans have it.
    """

    name: str
    meaning: str
    asked_for: str | None = None


@frozen(kw_only=True)
class SpanRow:
    """A kind of span.

    Args:
        name: Of its spans; of a request it is the method and the path.
        kind: OpenTelemetry's word.
        description: A sentence for people.
        attributes: What a span of it may have.
    """

    name: str
    kind: str
    description: str
    attributes: tuple[str, ...]


SPANS: tuple[SpanRow, ...] = (
    SpanRow(
        name="paypro.payout",
        kind="INTERNAL",
        description="One call of `payout`, or one item of a batch, until its caller is told its end. An item is the "
        "root of a trace of its own, with a link to the span of its batch.",
        attributes=(
            *("paypro.region", "paypro.currency", "paypro.status", "paypro.attempts", "paypro.queries", "paypro.code"),
            *("error.type", "paypro.incomplete", "paypro.trade_no", "paypro.amount", "paypro.batch.id"),
        ),
    ),
    SpanRow(
        name="POST /…",
        kind="CLIENT",
        description="One request to the platform: an attempt to pay, or a query. A child of its payout's span, or "
        "of the caller's. It lasts from when the request wanted a connection to when its reply was read.",
        attributes=(
            *("http.request.method", "server.address", "server.port", "url.full", "url.template"),
            *("http.request.resend_count", "http.response.status_code", "error.type"),
            *("paypro.request.kind", "paypro.attempt", "paypro.phase", "paypro.verdict", "paypro.code"),
            *("paypro.incomplete", "paypro.trade_no"),
        ),
    ),
    SpanRow(
        name="paypro.batch",
        kind="INTERNAL",
        description="A batch, or a worker's shard of one, as long as it runs in this process.",
        attributes=(
            *("paypro.batch.total", "paypro.batch.sent", "paypro.batch.stopped", "paypro.batch.counts.<status>"),
            *("error.type", "paypro.incomplete", "paypro.batch.id"),
        ),
    ),
    SpanRow(
        name="paypro.callback",
        kind="INTERNAL",
        description="A callback of the platform, until it is answered. A child of the web framework's span, if any.",
        attributes=("http.response.status_code", "error.type", "paypro.trade_no"),
    ),
    SpanRow(
        name="paypro.reconcile",
        kind="INTERNAL",
        description="A reconciliation, from its start to its report.",
        attributes=("paypro.reconcile.checked", "paypro.reconcile.complete"),
    ),
)

ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType(
    {
        one.name: one
        for one in (
            Attribute(name="paypro.status", meaning="What is known of the payout: one of `ItemStatus`."),
            Attribute(name="paypro.cause", meaning="How that was learned: one of `Cause`."),
            Attribute(name="paypro.region", meaning="The country of the payout."),
            Attribute(name="paypro.currency", meaning="ISO 4217."),
            Attribute(name="paypro.attempts", meaning="How often this call has sent the payout."),
            Attribute(name="paypro.queries", meaning="How often this call has asked about it."),
            Attribute(name="paypro.attempt", meaning="The number of the attempt in the ledger, from 1."),
            Attribute(
                name="paypro.code", meaning="The platform's code. One that is longer than eight characters is left out."
            ),
            Attribute(name="paypro.request.kind", meaning="What was asked: `payout`, `query` or `balance`."),
            Attribute(name="paypro.phase", meaning="How far the request got: `not_sent`, `maybe_sent` or `answered`."),
            Attribute(
                name="paypro.verdict",
                meaning="What the exchange proves: `paid`, `processing`, `no_such_order`, `unknown`, …",
            ),
            Attribute(
                name="paypro.incomplete", meaning="`true` if the span's end was never heard of, and it was given up."
            ),
            Attribute(name="paypro.batch.total", meaning="How many items the batch has, if its source says it."),
            Attribute(name="paypro.batch.sent", meaning="How many of them were sent by this run."),
            Attribute(name="paypro.batch.stopped", meaning="Why the batch ended early; on metrics `no` if it did not."),
            Attribute(name="paypro.batch.counts.<status>", meaning="How many items ended in that status."),
            Attribute(name="paypro.reconcile.checked", meaning="Payouts that the platform was asked about."),
            Attribute(
                name="paypro.reconcile.complete", meaning="Whether the reconciliation came to the end of the ledger."
            ),
            Attribute(
                name="paypro.finding",
                meaning="What it found: `still_unknown`, `missing`, `review`, `overdue` or `unanswered`.",
            ),
            Attribute(
                name="error.type",
                meaning="The name of the error's class; or an HTTP status; or how far a request got without a reply; "
                "or `unknown_outcome` for a reply that proves nothing; or why a batch stopped.",
            ),
            Attribute(name="http.request.method", meaning="`POST`, always."),
            Attribute(name="http.request.resend_count", meaning="How often this call had sent the payout before."),
            Attribute(name="http.response.status_code", meaning="The HTTP status of the reply, or of our answer."),
            Attribute(name="server.address", meaning="The platform's host."),
            Attribute(name="server.port", meaning="The platform's port."),
            Attribute(name="url.full", meaning="The URL, without user, password and query."),
            Attribute(name="url.template", meaning="The URL's path, of which there are three."),
            Attribute(name="paypro.trade_no", meaning="The merchant's order number.", asked_for="trade_no"),
            Attribute(name="paypro.amount", meaning="In major units of the currency, as text.", asked_for="amount"),
            Attribute(name="paypro.batch.id", meaning="The batch's name.", asked_for="batch_id"),
        )
    }
)
"""Each attribute by its name."""

ASKED_FOR: Mapping[str, str] = MappingProxyType(
    {one.asked_for: one.name for one in ATTRIBUTES.values() if one.asked_for is not None}
)
"""What can be asked for by name, and the attribute that it is."""

_HTTP = ("http.request.method", "server.address", "server.port", "http.response.status_code", "error.type")

METRICS: tuple[Metric, ...] = (
    Metric(
        name="paypro.payouts",
        kind=Kind.COUNTER,
        unit="{payout}",
        description="Payouts that came to a status, as this process wrote it to the ledger. Over all processes each "
        "change counts once.",
        attributes=("paypro.status", "paypro.cause"),
    ),
    Metric(
        name="paypro.payouts.announced",
        kind=Kind.COUNTER,
        unit="{payout}",
        description="Payouts written to the ledger as about to be sent, for the first time or anew.",
    ),
    Metric(
        name="paypro.payouts.in_flight",
        kind=Kind.UP_DOWN_COUNTER,
        unit="{payout}",
        description="Calls of payout, and items of batches, that have begun and not ended.",
    ),
    Metric(
        name="paypro.payouts.open",
        kind=Kind.GAUGE,
        unit="{payout}",
        description="Payouts in the ledger that are not final, whichever process made them; unknown are those whose "
        "outcome nobody knows. Each process of a ledger tells the same: take the largest, not the sum.",
        attributes=("paypro.status",),
    ),
    Metric(
        name="paypro.payout.duration",
        kind=Kind.HISTOGRAM,
        unit="s",
        description="How long a call of payout, or an item of a batch, took until its end.",
        attributes=("paypro.status", "error.type"),
        buckets=_PAYOUT,
    ),
    Metric(
        name="http.client.request.duration",
        kind=Kind.HISTOGRAM,
        unit="s",
        description="How long a request to the platform took, the wait for a connection included.",
        attributes=(*_HTTP, "paypro.request.kind"),
        buckets=_REQUEST,
    ),
    Metric(
        name="paypro.connections.in_use",
        kind=Kind.UP_DOWN_COUNTER,
        unit="{connection}",
        description="Connections to the platform that have a request.",
    ),
    Metric(
        name="paypro.connections.limit",
        kind=Kind.GAUGE,
        unit="{connection}",
        description="How many connections to the platform there are at most (max_connections).",
    ),
    Metric(
        name="paypro.ledger.commit.duration",
        kind=Kind.HISTOGRAM,
        unit="s",
        description="How long the ledger took for a group of requests, its transaction and the commit included.",
        attributes=("error.type",),
        buckets=_COMMIT,
    ),
    Metric(
        name="paypro.ledger.requests",
        kind=Kind.COUNTER,
        unit="{request}",
        description="Requests to the ledger in these groups, those that read included.",
        attributes=("error.type",),
    ),
    Metric(
        name="paypro.callbacks",
        kind=Kind.COUNTER,
        unit="{callback}",
        description="Callbacks of the platform, by what they were answered: 200 for one that is stored.",
        attributes=("http.response.status_code",),
    ),
    Metric(
        name="paypro.callback.lag",
        kind=Kind.HISTOGRAM,
        unit="s",
        description="From when the platform signed a genuine callback until it came, by both clocks; 0 if it seems to "
        "have come before.",
        buckets=_LAG,
    ),
    Metric(
        name="paypro.callback.duration",
        kind=Kind.HISTOGRAM,
        unit="s",
        description="How long the answer to a callback took.",
        attributes=("http.response.status_code",),
        buckets=_REQUEST,
    ),
    Metric(
        name="paypro.batches.in_flight",
        kind=Kind.UP_DOWN_COUNTER,
        unit="{batch}",
        description="Batches, and workers' shards of batches, that run in this process.",
    ),
    Metric(
        name="paypro.batch.duration",
        kind=Kind.HISTOGRAM,
        unit="s",
        description="How long a batch ran, or a worker's shard of one.",
        attributes=("paypro.batch.stopped",),
        buckets=_LONG,
    ),
    Metric(
        name="paypro.batch.payouts",
        kind=Kind.COUNTER,
        unit="{payout}",
        description="Items of batches that have ended, by what became of them.",
        attributes=("paypro.status",),
    ),
    Metric(
        name="paypro.reconcile.duration",
        kind=Kind.HISTOGRAM,
        unit="s",
        description="How long a reconciliation took.",
        attributes=("paypro.reconcile.complete",),
        buckets=_LONG,
    ),
    Metric(
        name="paypro.reconcile.checked",
        kind=Kind.COUNTER,
        unit="{payout}",
        description="Payouts that reconciliations asked the platform about.",
    ),
    Metric(
        name="paypro.reconcile.findings",
        kind=Kind.COUNTER,
        unit="{payout}",
        description="Payouts that want attention after a reconciliation; each run counts them again.",
        attributes=("paypro.finding",),
    ),
    Metric(
        name="paypro.events.dropped",
        kind=Kind.COUNTER,
        unit="{event}",
        description="Events that a client's hooks were too slow for. Spans and counts lack them; payouts lack nothing.",
    ),
)
