"""What is wrong in a YAML text, said in sentences of our own; the line and column are the library's."""

from __future__ import annotations

import yaml

# A part of the library's word for a problem, and what we say of it. The first that fits counts.
PROBLEMS = (
    ("cannot start any token", "a tab, @, ` or % begins something here; indent with blanks, or put the text in quotes"),
    (
        "mapping values are not allowed",
        "a colon is not expected here; put the text in quotes, or correct the indentation",
    ),
    ("undefined alias", "the alias has no anchor before it; write the value instead"),
    ("constructor for the tag", "tags are not supported; remove the !"),
    ("unhashable key", "a list or a mapping is used as a key; put the key in quotes"),
    ("end of stream", "a quote or a bracket is not closed; close it"),
    ("escape", r"an escape in double quotes is not known; use single quotes, or write \\"),
    ("expected the node content", "a value is missing, or begins with a sign of YAML's own; put it in quotes"),
    ("block scalar", "the text after | or > does not begin as it must; begin it on the next line, indented"),
    ("expected", "the indentation does not fit, or a quote, bracket, comma or colon is missing before this"),
    ("tab", "a tab indents it; indent with blanks"),
)


class YAMLProblem(yaml.MarkedYAMLError):
    """A text is YAML, but not as we take it; `problem` is a sentence of ours."""


def problem_of(error: yaml.YAMLError) -> str:
    """Say what is wrong, without a full stop."""
    told = getattr(error, "problem", None) or ""
    if isinstance(error, YAMLProblem):
        return told
    sentences = (sentence for part, sentence in PROBLEMS if part in told)
    return next(sentences, "it is no YAML here; compare with the examples in the documentation")
