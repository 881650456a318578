"""Labels (tags) of machines: those that identify the machines of this installation, and those of a server's tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MANAGED, INSTALLATION, MACHINE = "prov-managed", "prov-install", "prov-machine"


def identity_labels(installation: str, server_id: str | None = None) -> dict[str, str]:
    """Return the labels that machines are found by: the installation's and, when given, the server's."""
    return {INSTALLATION: installation} | ({} if server_id is None else {MACHINE: server_id})


def has_identity(labels: Mapping[str, str], identity: Mapping[str, str]) -> bool:
    """Tell whether a machine is managed and has all labels of `identity`, none of them empty."""
    return MANAGED in labels and all(value and labels.get(key) == value for key, value in identity.items())


def labels_for(server_id: str, installation: str) -> dict[str, str]:
    """Return the labels of a new machine that identify it."""
    return {MANAGED: "1", **identity_labels(installation, server_id)}


def labels_of_tags(tags: Iterable[str], *, longest: int) -> dict[str, str]:
    """Return the fewest labels that hold a server's tags, joined by commas: `prov-tags`, `prov-tags-2`, …

    `longest` is how many characters the value of a label may have.
    """
    texts: list[str] = []
    for tag in tags:
        longer = f"{texts[-1]},{tag}" if texts else tag
        texts[-1:] = [longer] if len(longer) <= longest else [*texts[-1:], tag]
    return {"prov-tags" if number == 1 else f"prov-tags-{number}": text for number, text in enumerate(texts, start=1)}
