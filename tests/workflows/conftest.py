"""A small real kind of operation, `probe.make`, whose outcome a test chooses, and definitions made of it."""

from functools import partial

import pytest

from apps.operations import registry
from apps.operations import services as operations
from apps.operations.errors import Refused, Retry
from apps.operations.handler_api import Done, Wait
from apps.operations.models import Operation
from apps.operations.registry import OperationKind
from apps.system.errors import Conflict, Invalid, NotFound
from apps.workflows.definition import parse
from apps.workflows.definitions import definitions
from apps.workspaces.services import workspace_named


class World:
    """What the probes have made: names in the order of making; `history` is all that was done."""

    def __init__(self):
        self.made, self.history, self.held, self.stuck = [], [], set(), set()

    def make(self, name):
        if name not in self.made:
            self.made.append(name)
            self.history.append(f"+{name}")

    def unmake(self, name):
        if name in self.made:
            self.made.remove(name)
            self.history.append(f"-{name}")


def checked(given):
    unknown = set(given) - {"name", "fails", "refused", "data"}
    if unknown:
        raise Invalid("unknown: {what}", what=", ".join(sorted(unknown)))
    return {"fails": 0, "refused": "", **given}


def submit_make(*, workspace, actor, name, fails=0, refused="", data=None, parent=None, kind="probe.make"):
    if refused == "conflict":
        raise Conflict(f"The name {name} is taken.")
    place = workspace_named(workspace)
    params = {"name": name, "fails": fails, "refused": refused, "data": data}
    return operations.submit(kind=kind, workspace=place, actor=actor, params=params, parent=parent)


def submit_unmake(*, workspace, actor, name, parent=None):
    if name == "forgotten":
        raise NotFound(what="probe", id=name)
    place = workspace_named(workspace)
    return operations.submit(kind="probe.unmake", workspace=place, actor=actor, params={"name": name}, parent=parent)


def blab(context):
    """Write its own input wherever an operation can write."""
    data = str(context.params["data"])
    if not context.state:
        context.log(f"It was given {data}.", given=data)
        context.log_all([f"Given: {data}"])
        return Wait(0, state={"waited": 1}, message=f"waiting with {data}")
    if context.state == {"waited": 1}:
        context.save(waited=2)
        raise Retry("LATER", f"Not yet, {data}.", after=0, given=data)
    if context.params["refused"]:
        raise Refused("BROKEN", f"It broke by {data}.")
    return Done({"name": context.params["name"], "data": data})


@pytest.fixture
def world():
    return World()


@pytest.fixture(autouse=True)
def probes(world):
    """Register the kinds; a name in `world.held` keeps running, one in `world.stuck` cannot be unmade."""

    def make(context):
        name = context.params["name"]
        world.make(name)
        if name in world.held:
            return Wait(60, message=f"{name} is held")
        tries = Operation.objects.filter(parent=context.operation.parent_id, kind="probe.make", params=context.params)
        if tries.count() <= context.params["fails"]:
            raise Refused("BROKEN", f"{name} broke.")
        if context.params["refused"] == "missing":
            raise Refused("NOT_FOUND", f"There is no {name}.")
        return Done({"name": name, "size": len(name)})

    def unmake(context):
        name = context.params["name"]
        if name in world.stuck:
            raise Refused("STUCK", f"{name} does not move.")
        if f"{name}!" in world.held:
            return Wait(60, message="slowly")
        world.unmake(name)
        return Done({"name": name})

    added = [
        OperationKind(
            name="probe.make",
            title="Make",
            run=make,
            compensate=unmake,
            submit=submit_make,
            validate_input=checked,
            compensation=lambda result, given: ("probe.unmake", {"name": result["name"]}),
            cleanup=lambda operation: ("probe.unmake", {"name": operation.params["name"]}),
        ),
        OperationKind(
            name="probe.blab",
            title="Blab",
            run=blab,
            submit=partial(submit_make, kind="probe.blab"),
            validate_input=checked,
            compensation=lambda result, given: None,
        ),
        OperationKind(name="probe.mark", title="Mark", run=make, submit=submit_make, validate_input=checked),
        OperationKind(name="probe.unmake", title="Unmake", run=unmake, submit=submit_unmake),
    ]
    registry.register_kinds(added)
    yield
    for kind in added:
        registry._kinds.pop(kind.name)


@pytest.fixture
def define():
    """Return a function that adds a definition for this test."""
    added = []

    def add(type, **raw):
        definitions()[type] = parse({"title": type} | raw)
        added.append(type)

    yield add
    for type in added:
        definitions().pop(type, None)


@pytest.fixture
def submit(api, alice, workspace):
    """Submit a workflow as alice; returns the answered operation."""

    def submitted(type, **parameters):
        body = {"workspace": "production", "workflow_type": type, "parameters": parameters}
        answer = api(alice).post("/v1/workflows/submit", body)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return submitted


@pytest.fixture
def steps_of(api, alice):
    """Return a workflow's steps by name, as the API shows them."""

    def steps(operation):
        answer = api(alice).get(f"/v1/workflows/{operation['id']}/steps")
        assert answer.status_code == 200, answer.content
        return {step["name"]: step for step in answer.json()}

    return steps


def step(name, needs=(), uses="probe.make", **more):
    """A step that makes a probe of its own name."""
    given = {"name": name, **more.pop("given", {})}
    return {"name": name, "uses": uses, "needs": list(needs), "with": given, **more}
