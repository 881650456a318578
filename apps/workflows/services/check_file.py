"""Check a workflow definition in any file."""

from __future__ import annotations

from pathlib import Path

from apps.workflows.definition_references import faults_of
from apps.workflows.errors import DefinitionError


def check_file(path: Path) -> str:
    """Say what is wrong with a definition file, with line and column; empty when nothing is."""
    from apps.workflows.definition_files import parse_text  # YAML takes long to import

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return f"{path}: {error.strerror}."
    except UnicodeDecodeError:
        return f"{path}: it is no UTF-8 text."
    try:
        parse_text(text, str(path), refer=faults_of)
    except DefinitionError as error:
        return "\n".join(map(str, error.faults))
    return ""
