"""Accounts: making, changing and checking them."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.operations.services import submit
from apps.providers.errors import AccountExists, BadCredentials, BadEndpoint
from apps.providers.models import Account
from apps.providers.services.offers import offered
from apps.system.services import refused_as
from apps.system.vault import seal
from apps.workspaces.models import Workspace

CHECK = "account.check"
METADATA = ("metadata", "metadata.google.internal", "instance-data")


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


def check_endpoint(provider: str, endpoint: str) -> None:
    """Refuse an address that credentials must not be sent to. Raises BadEndpoint.

    It is https, or this machine itself; never a link-local address, at which clouds tell their own machines secrets.
    """
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").lower()
    is_here = host == "localhost" or (is_address(host) and ip_address(host).is_loopback)
    if not endpoint or (parts.scheme in ("http", "https", "tcp") and is_here):
        return
    if provider == "local" and parts.scheme == "unix":
        return
    is_link_local = is_address(host) and (ip_address(host).is_link_local or ip_address(host).is_unspecified)
    if provider == "local" or parts.scheme != "https" or not host or is_link_local or host in METADATA:
        raise BadEndpoint(field="endpoint")


def is_address(host: str) -> bool:
    """Tell whether a host is given by its address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def check_credentials(provider: str, credentials: Mapping[str, str]) -> None:
    """Refuse credentials that the provider cannot use, by their names. Raises BadCredentials."""
    wanted = offered[provider].credentials
    if not wanted and credentials:
        raise BadCredentials(provider=provider, needed="none", field="credentials")
    if wanted and not any(set(names) <= credentials.keys() for names in wanted):
        raise BadCredentials(provider=provider, needed=needed(provider), field="credentials")


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
