"""Accounts: making, changing and checking them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.operations.services import submit
from apps.providers.errors import AccountExists, BadCredentials
from apps.providers.models import Account
from apps.providers.services.endpoints import check_endpoint
from apps.providers.services.offers import offered
from apps.system.services import refused_as
from apps.system.vault import seal
from apps.workspaces.models import Workspace

CHECK = "account.check"


@transaction.atomic
def register_account(
    *, provider: str, name: str, endpoint: str, credentials: Mapping[str, str], workspace: Workspace | None = None
) -> Account:
    """Create the account, or give the one of that name a new endpoint and credentials."""
    account, _ = Account.objects.update_or_create(
        provider=provider,
        name=name,
        workspace=workspace,
        defaults={"endpoint": endpoint, "sealed_credentials": seal(dict(credentials)), "enabled": True},
    )
    return account


@transaction.atomic
def create_account(
    *,
    provider: str,
    name: str,
    endpoint: str,
    credentials: Mapping[str, str],
    workspace: Workspace | None = None,
    enabled: bool = True,
    **limits: Any,
) -> Account:
    """Create an account; limits are those of `Account`. Raises BadEndpoint, BadCredentials, AccountExists."""
    check_endpoint(provider, endpoint)
    check_credentials(provider, credentials)
    with refused_as(AccountExists(provider=provider, name=name)):
        return Account.objects.create(
            provider=provider,
            name=name,
            endpoint=endpoint,
            sealed_credentials=seal(dict(credentials)),
            workspace=workspace,
            enabled=enabled,
            **limits,
        )


@transaction.atomic
def change_account(
    *,
    account: Account,
    name: str,
    endpoint: str,
    workspace: Workspace | None,
    enabled: bool,
    credentials: Mapping[str, str] | None = None,
    **limits: Any,
) -> Account:
    """Change an account, which keeps its credentials unless new ones are given.

    Raises BadEndpoint, BadCredentials, AccountExists.
    """
    check_endpoint(account.provider, endpoint)
    facts = {"name": name, "endpoint": endpoint, "workspace": workspace, "enabled": enabled, **limits}
    if credentials:
        check_credentials(account.provider, credentials)
        facts["sealed_credentials"] = seal(dict(credentials))
    with refused_as(AccountExists(provider=account.provider, name=name)):
        Account.objects.filter(pk=account.pk).update(**facts)
    account.refresh_from_db()
    return account


def check_credentials(provider: str, credentials: Mapping[str, str]) -> None:
    """Refuse credentials that the provider cannot use, by their names. Raises BadCredentials."""
    wanted = offered[provider].credentials
    if any(set(names) == credentials.keys() for names in wanted) or not (wanted or credentials):
        return
    raise BadCredentials(
        provider=provider, needed=needed(provider), fault=fault_of(wanted, set(credentials)), field="credentials"
    )


def fault_of(wanted: tuple[tuple[str, ...], ...], given: set[str]) -> str:
    """Say what is missing from the nearest complete set, or how many are of no use; repeat no name that was given.

    A name that is not known may be a secret that was put in the wrong place.
    """
    nearest = max(wanted, key=lambda names: (len(given & set(names)), -len(names)), default=())
    missing = [name for name in nearest if name not in given]
    if missing:
        return f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing."
    return "Take out what is not among them."


def needed(provider: str) -> str:
    """Name what credentials a provider needs, for people."""
    return ", or ".join(" and ".join(names) for names in offered[provider].credentials) or "none"


@transaction.atomic
def check_account(*, account: Account, actor: User | None = None) -> Operation:
    """Queue the question whether an account works. Raises TargetBusy."""
    return submit(
        kind=CHECK,
        workspace=account.workspace,
        actor=actor,
        target=f"account:{account.pk}",
        params={"account": account.pk},
    )


def settle_account(operation: Operation) -> None:
    """Keep on the account why it does not work, or that it does; a cancelled question says nothing."""
    if operation.status in (Operation.Status.COMPLETED, Operation.Status.FAILED):
        Account.objects.filter(pk=operation.params["account"]).update(
            problem=operation.error or "", checked_at=timezone.now()
        )
