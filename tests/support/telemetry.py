"""What a program with OpenTelemetry's SDK would export: spans and metrics, kept in memory."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from paypro_async.integrations.opentelemetry import OpenTelemetryHook

Attributes = Mapping[str, Any]


class Telemetry:
    """Two providers of the SDK and what came through them."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        self._spans = InMemorySpanExporter()
        resource = Resource.create({"service.name": "tests"})
        self.tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(exporter or self._spans))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)

    def hook(self, **more: Any) -> OpenTelemetryHook:
        return OpenTelemetryHook(tracer_provider=self.tracers, meter_provider=self.meters, **more)

    @staticmethod
    def settle() -> None:
        """Wait for the hooks of clients that are closed: in virtual time a client does not, as that does not pass."""
        for thread in threading.enumerate():
            if thread.name == "paypro-hooks":
                thread.join(timeout=30)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Those that have ended, in the order of their ends."""
        self.settle()
        return self._spans.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of a name, or of the names that begin so, in the order in which they began."""
        return sorted((one for one in self.spans if one.name.startswith(name)), key=lambda one: one.start_time or 0)

    def points(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """The points of a metric by their sorted attributes: a number, or of a histogram how often and how much."""
        return {_key(point.attributes): _value(point) for point in self._points(name)}

    def sum(self, name: str, **apart: Any) -> float:
        """The sum of a metric's points, of a histogram how many numbers it has; *apart* with ``_`` for each dot."""
        return sum(
            _count(point)
            for point in self._points(name)
            if all(_named(point.attributes).get(key) == value for key, value in apart.items())
        )

    def metrics(self) -> dict[str, Any]:
        """Each metric that has a number, by its name."""
        self.settle()
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        found = [scope.metrics for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {one.name: one for metrics in found for one in metrics}

    def everything(self) -> str:
        """All that leaves the process, as text: spans with their links, resource and scope; metrics with exemplars."""
        self.settle()
        data = self._reader.get_metrics_data()
        spans = [f"{span.to_json()} {span.instrumentation_scope!r} {span.links!r}" for span in self.spans]
        return "\n".join([*spans, data.to_json() if data is not None else "", repr(data)])

    def _points(self, name: str) -> list[Any]:
        metric = self.metrics().get(name)
        return list(metric.data.data_points) if metric is not None else []


def tree(telemetry: Telemetry) -> list[tuple[str, str | None]]:
    """Each span with its parent's name, in the order in which they began."""
    names = {one.context.span_id: one.name for one in telemetry.spans}
    return [
        (one.name, names.get(one.parent.span_id, "?") if one.parent is not None else None)
        for one in telemetry.named("")
    ]


class FailingExporter(SpanExporter):
    """An exporter that does what it is given at each span."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self.asked = 0

    def export(self, spans: Any) -> Any:
        self.asked += 1
        with suppress(StopIteration):
            return self._act()

    def shutdown(self) -> None:
        pass


def _key(attributes: Attributes) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(attributes.items()))


def _named(attributes: Attributes) -> dict[str, Any]:
    return {name.replace(".", "_"): value for name, value in attributes.items()}


def _value(point: Any) -> Any:
    return point.value if hasattr(point, "value") else (point.count, point.sum)


def _count(point: Any) -> float:
    return point.value if hasattr(point, "value") else point.count
