"""Reading the YAML files of catalog entries; faults name file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OUR_OWN = Path(__file__).parent / "catalog"


class BadEntry(Exception):
    """An entry of a catalog cannot be used; `faults` says why, each with its file and line."""

    def __init__(self, faults: list[str]) -> None:
        """Keep the faults."""
        super().__init__("\n".join(faults))
        self.faults = faults


def load_yaml(path: Path) -> Any:
    """Return a YAML file's content. Raises BadEntry naming the line."""
    import yaml  # takes long, and few processes read the catalog

    from apps.system.yaml_problems import problem_of

    # libyaml is ten times as fast, but very deep nesting ends its process: it never reads files of others.
    fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    shown = "/".join(path.parts[-3:] if path.name != "taskserv.yaml" else path.parts[-2:])
    try:
        loader = fast if path.is_relative_to(OUR_OWN) else yaml.SafeLoader
        return yaml.load(path.read_text(), Loader=loader)  # noqa: S506 - both are safe loaders
    except FileNotFoundError:
        advice = "" if path.name == "taskserv.yaml" else ", with only `---` where nothing is to be done"
        raise BadEntry([f"{shown}: is missing; write it{advice}."]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadEntry([f"{shown}: cannot be read as text ({type(error).__name__})."]) from None
    except RecursionError:
        raise BadEntry([f"{shown}:1: is nested too deeply."]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise BadEntry([f"{shown}:{line}: is not YAML: {problem_of(error)}."]) from None
