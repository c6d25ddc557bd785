"""The small languages of the API: label and field selectors, merge patches and JSON patches."""

import copy
import re
from typing import Any


def selects(labels: dict[str, str], selector: str) -> bool:
    """A label selector: `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`, all of them."""
    return all(_holds(labels, part.strip()) for part in re.split(r",(?![^(]*\))", selector) if part.strip())


def _holds(labels: dict[str, str], part: str) -> bool:
    if found := re.fullmatch(r"(\S+)\s+(in|notin)\s+\((.*)\)", part):
        named = labels.get(found[1]) in [value.strip() for value in found[3].split(",")]
        return named == (found[2] == "in")
    if "!=" in part:
        name, value = part.split("!=")
        return labels.get(name.strip()) != value.strip()
    if "=" in part:
        name, value = re.split("==?", part)
        return labels.get(name.strip()) == value.strip()
    return part[1:] not in labels if part.startswith("!") else part in labels


def field_selects(one: dict[str, Any], selector: str) -> bool:
    """`metadata.name=x,…`: custom resources know name and namespace only. Raises: ValueError: another field."""
    for part in filter(None, selector.split(",")):
        name, value = re.split("==?", part, maxsplit=1)
        if name not in ("metadata.name", "metadata.namespace"):
            raise ValueError(f"field label not supported: {name}")
        if one["metadata"].get(name.partition(".")[2]) != value:
            return False
    return True


def merged(into: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(into) if isinstance(into, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def patched(into: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902: test, add, replace, remove. Raises: ValueError: a test failed, or a path leads nowhere."""
    result = copy.deepcopy(into)
    for operation in operations:
        *steps, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
        try:
            at = result
            for step in steps:
                at = at[int(step)] if isinstance(at, list) else at[step]
            _apply(at, last, operation)
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"path {operation['path']} leads nowhere") from error
    return result


def _apply(at: Any, last: str, operation: dict[str, Any]) -> None:
    place: Any = last if isinstance(at, dict) else len(at) if last == "-" else int(last)
    match operation["op"]:
        case "test":
            if at[place] != operation["value"]:
                raise ValueError(f"testing {operation['path']} failed")
        case "add" if isinstance(at, list):
            at.insert(place, operation["value"])
        case "add":
            at[place] = operation["value"]
        case "replace":
            at[place]  # must be there
            at[place] = operation["value"]
        case "remove":
            del at[place]
        case other:
            raise ValueError(f"no operation {other}")
