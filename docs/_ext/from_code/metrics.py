"""The metrics at `/metrics`."""

from prometheus_client import Metric

from from_code.gateway import metrics
from from_code.rst import literal, plain, table


def listed() -> str:
    """Every metric, with its type and meaning."""
    rows = [(literal(name(one)), one.type, plain(one.documentation)) for one in metrics()]
    return table(("metric", "type", "meaning"), rows, "45 15 40")


def name(metric: Metric) -> str:
    """The metric's name in a query: counters end in `_total`."""
    return f"{metric.name}_total" if metric.type == "counter" else str(metric.name)
