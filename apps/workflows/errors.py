"""Why a workflow is refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from apps.system.errors import MAX_FAULTS, Conflict, Forbidden, Invalid, Unavailable


class DefinitionError(ValueError):
    """A definition cannot be run as it is written. `path` leads to what is wrong in it, `hint` says what to do.

    `place` is the line and column, where it was read from a file; `others` are its further faults.
    """

    def __init__(self, message: str, *, path: tuple[str | int, ...] = (), hint: str = "") -> None:
        super().__init__(message)
        self.path, self.hint = path, hint
        self.place = (1, 1)
        self.others: list[DefinitionError] = []

    @property
    def faults(self) -> list[DefinitionError]:
        """Return this fault and the others."""
        return [self, *self.others]


def raise_faults(faults: Iterable[DefinitionError]) -> None:
    """Raise the first of some faults, with the others that are reported."""
    found = list(islice(faults, MAX_FAULTS))
    if found:
        found[0].others = found[1:]
        raise found[0]


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


class BadLimit(Invalid):
    """A `max_parallel` is no whole number from 1 with these parameters."""

    message = "With these parameters there is no limit: {what}."


class TooManyOperations(Invalid):
    """A workflow would stand for too many operations."""

    message = "The workflow would be {count} operations, more than {most}; give shorter lists, or run several."


class TooManySecrets(Invalid):
    """The expressions of a workflow would make too many further values of its secret parameters."""

    message = "Its expressions make more than {most} other values of its secret parameters; use those as they are."


class TooManyDefinitions(Conflict):
    """As many definitions are uploaded as there may be."""

    message = "There are {most} uploaded definitions; retire one that is no longer used."


class TargetExists(Conflict):
    """What the workflow would create has been created, and not deleted since."""

    message = "{target} exists: workflow {workflow} created it. Delete it first."


class TargetMissing(Invalid):
    """What the workflow would change has never been created, or was deleted since."""

    message = "There is no {target} in workspace {workspace}; only what a completed workflow created can be used here."


class UnknownDigest(Invalid):
    """A workflow is to be run as it was previewed, and there is no such preview."""

    message = "There is no preview with this digest; preview the workflow again."


class PlanChanged(Conflict):
    """What was previewed is not what would be run now."""

    message = "Something has changed since the preview: {what}. Preview the workflow again."


class NothingToApprove(Conflict):
    """No step of the workflow waits for an approval."""

    message = "Workflow {workflow} does not wait for an approval."


class NotWaiting(Conflict):
    """Steps wait for an approval, but not the one that the request names."""

    message = "Step {step} does not wait for an approval; what does: {steps}."


class SeveralApprovals(Invalid):
    """Several steps wait, and the request does not say which is meant."""

    message = "Several steps wait for an approval; name one as `step`: {steps}."


class OwnApproval(Forbidden):
    """Whoever submitted the workflow wants to approve it."""

    message = "Whoever submitted a workflow may not approve it; ask somebody else."


class BadDefinition(Invalid):
    """An uploaded definition, or a file of a workspace, cannot be used."""


class NameOfPackage(Invalid):
    """A definition is to be uploaded under the name of a shipped type."""

    message = "{name} is a type that the service brings along; choose another name."


class UploadedTwice(Conflict):
    """Two versions of a definition came in at the same moment."""

    message = "Another version of {name} was uploaded at the same moment; look at it, then upload yours again."


class Recursion(Invalid):
    """A workflow would run itself."""

    message = "Workflow {type} cannot run as a step of itself: {path}."


class EndBeforeStart(Invalid):
    """A freeze window would end before it begins."""

    message = "Give an `ends_at` that is after `starts_at`."


class NotFrozen(Conflict):
    """The workflow is not held by a freeze window."""

    message = "No freeze window holds workflow {workflow}."


class NotResumable(Conflict):
    """The workflow is under way, or has completed."""

    message = "Workflow {workflow} is {status}; only one that has failed or was cancelled, and has ended, is resumed."


class AlreadyResumed(Conflict):
    """Another workflow goes on with this one."""

    message = "Workflow {workflow} was resumed as {later}; use that one."


class PartlyRolledBack(Conflict):
    """A rollback has left a step half taken back."""

    message = "Step {step} is partly rolled back. Finish that by POST /v1/workflows/{workflow}/rollback, then resume."


class UnknownStep(Invalid):
    """A step is named that the workflow does not have, or has done."""

    message = "There is no step {name} to be done; there are {known}."


class CompletedStepChanged(Invalid):
    """Changed parameters contradict a step that is done."""

    message = "Step {step} is done, and with these parameters it would be another. Change others, or roll back first."


class WrongStepStatus(Conflict):
    """A step cannot be retried or skipped as it is."""

    message = "Step {step} cannot be {verb}: it is {status}."


class WorkflowNotEnded(Conflict):
    """A workflow under way is to be rolled back."""

    message = "Workflow {workflow} has not ended; cancel it, which takes back what it made."


class NothingToRollBack(Conflict):
    """Nothing is left of a workflow that could be taken back."""

    message = "Nothing is left of workflow {workflow} that could be taken back."


class BadCron(Invalid):
    """A cron expression cannot be used."""

    message = (
        "{cron} cannot be used: {why}. Give minute, hour, day of the month, month and weekday, such as 30 2 * * 1-5 "
        "for half past two from Monday to Friday."
    )


class UnknownTimeZone(Invalid):
    """There is no such time zone."""

    message = "There is no time zone {name}; give one such as Europe/Berlin or UTC."


class ScheduleNameTaken(Conflict):
    """The workspace has a schedule of this name."""

    message = "The workspace has a schedule named {name}."


class NotOwner(Forbidden):
    """Somebody would change a schedule that is another's."""

    message = "The schedule belongs to {owner}; changing it needs the permission {permission}."


class OwnerGone(Conflict):
    """Whoever owns a schedule may not submit workflows any more."""

    message = "Whoever owns schedule {name} may not submit workflows any more; somebody who may has to change it."


class GraphTooLarge(Invalid):
    """A graph has more nodes or edges than a picture can show."""

    message = (
        "The workflow has {nodes} steps and {edges} needs; pictures show up to {most} and {most_edges}. "
        "Read graph.json, or /steps."
    )


class GraphvizMissing(Unavailable):
    """There is no program that draws."""

    message = (
        "Drawing needs Graphviz: install the package `graphviz` of your system, or the wheel `graphviz-pure` into the "
        "service's environment. graph.json and /steps tell the same without."
    )


class GraphvizBusy(Unavailable):
    """Others wait for their pictures already."""

    message = "Other graphs are being drawn; try again shortly. graph.json and /steps tell the same."


class GraphvizFailed(Unavailable):
    """The program that draws has failed, or took too long."""

    message = "Graphviz could not draw this within {seconds:g} seconds; graph.json and /steps tell the same."
