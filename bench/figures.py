"""Turn samples into the figures that are printed."""

import math
import sys
from collections.abc import Sequence
from typing import Any

Figure = dict[str, Any]


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that is not smaller than `share` of all."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def figure(samples: Sequence[float], *, unit: str = "ms", digits: int = 1, **more: Any) -> Figure:
    """Return p50, p95, n and unit of the samples, and what else is given."""
    if not samples:
        return {"p50": None, "p95": None, "n": 0, "unit": unit, **more}
    return {
        "p50": round(quantile(samples, 0.5), digits),
        "p95": round(quantile(samples, 0.95), digits),
        "n": len(samples),
        "unit": unit,
        **more,
    }


def overhead(product: Sequence[float], raw: Sequence[float], **more: Any) -> Figure:
    """Return what the product costs on top: its quantile minus the raw CLI's same quantile, with both beside it."""
    of_product, of_raw = figure(product), figure(raw)
    return {
        "p50": round(of_product["p50"] - of_raw["p50"], 1),
        "p95": round(of_product["p95"] - of_raw["p95"], 1),
        "n": len(product),
        "unit": "ms",
        "product": of_product,
        "raw": of_raw,
        **more,
    }


def progress(words: str) -> None:
    """Write one line of progress to stderr; stdout belongs to the JSON object."""
    sys.stderr.write(f"bench: {words}\n")
    sys.stderr.flush()
