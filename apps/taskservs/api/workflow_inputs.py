"""Inputs of this app's operations in workflows, checked and completed as the API would."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.system.api.fields import Input, StrictBoolean, StrictString
from apps.taskservs.api.serializers import (
    TaskservConfigure,
    TaskservCreate,
    TaskservUpgrade,
    TaskservVerify,
)
from apps.taskservs.catalog_loader import definition_named, load_catalog
from apps.taskservs.config_validation import checked

ONLY_OVER_THE_API = ("workspace", "check_mode")


def completed(shape: type[Input], given: dict[str, Any]) -> dict[str, Any]:
    """Return an input in the given shape, without what only a request says. Raises ValidationError."""
    serializer = shape(data=given)
    serializer.is_valid(raise_exception=True)
    return {key: value for key, value in serializer.validated_data.items() if key not in ONLY_OVER_THE_API}


def on_one(shape: type[Input], given: dict[str, Any]) -> dict[str, Any]:
    """Return an input that names a taskserv, as a path of the API does. Raises ValidationError."""
    named = completed(TaskservNamed, {key: value for key, value in given.items() if key == "taskserv_id"})
    return named | completed(shape, {key: value for key, value in given.items() if key != "taskserv_id"})


class TaskservNamed(Input):
    """The taskserv that an operation is about."""

    taskserv_id = StrictString()


class TaskservRemoval(Input):
    """What a removal may say besides."""

    purge = StrictBoolean(default=False)


def creation(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of an installation.

    Raises ValidationError, UnknownTaskserv, UnknownVersion, BadConfig: a workflow is refused before it makes servers.
    Entries of a workspace's own catalog are checked where the workspace is known.
    """
    values = completed(TaskservCreate, {"workspace": "-", **given})
    if values["name"] in load_catalog() or not settings.TASKSERV_WORKSPACE_ROOTS:
        checked(definition_named(values["name"]), values["config"])
    return values


def configuration(given: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of a change. Raises ValidationError."""
    return on_one(TaskservConfigure, given)


def upgrade(given: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of an upgrade. Raises ValidationError."""
    return on_one(TaskservUpgrade, given)


def verification(given: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of a verification. Raises ValidationError."""
    return on_one(TaskservVerify, given)


def deletion(given: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of a removal. Raises ValidationError."""
    return on_one(TaskservRemoval, given)
