"""Secrets of taskservs: kept apart from the configuration, generated where none is given, sealed, shown on request."""

from __future__ import annotations

import logging
import secrets
import string
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.system.encryption import SealBroken, seal, unseal
from apps.taskservs.catalog_definition import Definition
from apps.taskservs.catalog_loader import load_catalog, secret_options
from apps.taskservs.models import CredentialAccess, Taskserv
from apps.taskservs.services.lookup import taskserv_for
from apps.workspaces.models import Workspace

ALPHABET = string.ascii_letters + string.digits  # no character that any configuration file's syntax knows
logger = logging.getLogger(__name__)


def secret_keys(taskserv: Taskserv) -> frozenset[str]:
    """Return the options of a taskserv that are secret, by its entry or by one that this has replaced since."""
    known = secret_options(taskserv.name, taskserv.workspace.path)
    with suppress(SealBroken):
        return known | opened(taskserv).keys()
    return known


def shown_config(taskserv: Taskserv) -> dict[str, Any]:
    """Return the options that were given, secret ones left out."""
    return split(secret_keys(taskserv), taskserv.config)[0]


def split(hidden: Collection[str], config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a configuration without its secrets, and the secrets."""
    return (
        {key: value for key, value in config.items() if key not in hidden},
        {key: value for key, value in config.items() if key in hidden},
    )


def completed(definition: Definition, given: dict[str, Any]) -> dict[str, Any]:
    """Return secrets with those generated that the catalog lets us generate and that are not given."""
    made = {
        key: "".join(secrets.choice(ALPHABET) for _ in range(length))
        for key, length in definition.generated.items()
        if key not in given
    }
    return {**given, **made}


def sealed(values: dict[str, Any]) -> str:
    """Return secrets sealed; nothing for none."""
    return seal(values) if values else ""


def opened(taskserv: Taskserv) -> dict[str, Any]:
    """Return a taskserv's secrets. Raises SealBroken."""
    return unseal(taskserv.sealed_secrets, what=f"taskserv {taskserv.id}") if taskserv.sealed_secrets else {}


def secrets_of_operation(operation: Operation) -> Iterator[Any]:
    """Yield the secrets of the taskservs that an operation is about."""
    params = operation.params
    ids = {params.get("taskserv"), *(part.get("taskserv") for part in params.get("plan", ()))}
    for taskserv in Taskserv.objects.select_related("workspace").filter(pk__in=ids - {None, ""}):
        yield from split(secret_keys(taskserv), taskserv.config)[1].values()
        for text in (taskserv.sealed_secrets, taskserv.sealed_previous):
            with suppress(SealBroken):
                yield from unseal(text, what=f"taskserv {taskserv.id}").values() if text else ()


def secrets_of_creation(input: Mapping[str, Any]) -> Iterable[Any]:
    """Return the secrets in the arguments of an installation, in whichever workspace that will be."""
    name = str(input.get("name"))
    own = Workspace.objects.values_list("path", flat=True) if settings.TASKSERV_WORKSPACE_ROOTS else ()
    paths = ["", *own]
    known = any(is_known(name, path) for path in paths)
    return secrets_in(secret_options(name, *paths) if known else None, input)


def secrets_of_configuration(input: Mapping[str, Any]) -> Iterable[Any]:
    """Return the secrets in the arguments of a change."""
    taskserv = Taskserv.objects.select_related("workspace").filter(pk=str(input.get("taskserv_id"))).first()
    is_there = taskserv and is_known(taskserv.name, taskserv.workspace.path)
    return secrets_in(secret_keys(taskserv) if taskserv and is_there else None, input)


def is_known(name: str, workspace_path: str) -> bool:
    """Tell whether a taskserv is in the catalog."""
    return name in load_catalog(workspace_path)


def secrets_in(keys: Collection[str] | None, input: Mapping[str, Any]) -> Iterable[Any]:
    """Return the values of secret options in some arguments; all texts where it is not known which are secret."""
    config = input.get("config")
    if not isinstance(config, Mapping):
        return ()
    if keys is None:
        return [value for value in config.values() if isinstance(value, str)]
    return [value for key, value in config.items() if key in keys]


def opened_by(taskserv: Taskserv) -> QuerySet[CredentialAccess]:
    """Select who looked at a taskserv's credentials, the latest first."""
    return CredentialAccess.objects.filter(taskserv_id=taskserv.id)


@transaction.atomic
def read_credentials(*, taskserv_id: str, actor: User) -> tuple[Taskserv, dict[str, Any]]:
    """Return a taskserv with its secrets, and record who looked. Raises NotFound, SealBroken."""
    taskserv = taskserv_for(actor, taskserv_id)
    values = opened(taskserv)
    CredentialAccess.objects.create(
        taskserv_id=taskserv.id,
        taskserv_name=taskserv.name,
        workspace=taskserv.workspace.name,
        username=actor.get_username(),
    )
    logger.info("%s read the credentials of taskserv %s (%s)", actor.get_username(), taskserv.id, taskserv.name)
    definition = load_catalog(taskserv.workspace.path).get(taskserv.name)
    order = list(definition.options) if definition else []
    return taskserv, dict(sorted(values.items(), key=lambda item: order.index(item[0]) if item[0] in order else 0))
