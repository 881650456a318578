"""Why a workflow is refused."""

from __future__ import annotations

from apps.system.errors import Conflict, Invalid


class DefinitionError(ValueError):
    """A definition cannot be run as it is written: a fault of ours or of who wrote it, never of a caller."""


class ExpressionError(ValueError):
    """An expression of a definition cannot be evaluated."""


class UnknownWorkflowType(Invalid):
    """The body names a workflow that is not defined."""

    message = "There is no workflow type {type}; there are {known}."


class BadParameters(Invalid):
    """The parameters do not fit the definition's schema."""

    message = "The parameters do not fit {type}: {what}"


class BadStepInput(Invalid):
    """A step would be refused with these parameters."""

    message = "Step {step} ({uses}) would be refused: {what}"


class TargetExists(Conflict):
    """What the workflow would create has been created, and not deleted since."""

    message = "{target} exists: workflow {workflow} created it. Delete it first."


class TargetMissing(Invalid):
    """What the workflow would change has never been created, or was deleted since."""

    message = "There is no {target} in workspace {workspace}; only what a completed workflow created can be used here."


class CheckModeMissing(Invalid):
    """Workflows have no check mode."""

    message = "A workflow cannot be run in check mode."
