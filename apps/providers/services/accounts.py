"""Accounts: making, changing and checking them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.operations.services import submit
from apps.providers import registry
from apps.providers.errors import AccountExists, BadCredentials, CredentialsNeeded
from apps.providers.models import CloudAccount
from apps.providers.services.endpoints import check_endpoint
from apps.system.database import integrity_error_as
from apps.system.encryption import seal
from apps.workspaces.models import Workspace

CHECK = "account.check"

ONE_OF_A_NAME = ("one_account_of_a_name", "one_shared_account_of_a_name")


@transaction.atomic
def register_account(
    *, provider: str, name: str, endpoint: str, credentials: Mapping[str, str], workspace: Workspace | None = None
) -> CloudAccount:
    """Create the account, or give the one of that name a new endpoint and credentials."""
    account, _ = CloudAccount.objects.update_or_create(
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
) -> CloudAccount:
    """Create an account; limits are those of `Account`. Raises BadEndpoint, BadCredentials, AccountExists."""
    check_endpoint(provider, endpoint)
    check_credentials(provider, credentials)
    with integrity_error_as(AccountExists(provider=provider, name=name), *ONE_OF_A_NAME):
        return CloudAccount.objects.create(
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
    account: CloudAccount,
    name: str,
    endpoint: str,
    workspace: Workspace | None,
    enabled: bool,
    credentials: Mapping[str, str] | None = None,
    **limits: Any,
) -> CloudAccount:
    """Change an account, which keeps its credentials unless new ones are given; a new endpoint needs them anew.

    Raises BadEndpoint, CredentialsNeeded, BadCredentials, AccountExists.
    """
    check_endpoint(account.provider, endpoint)
    stored = CloudAccount.objects.select_for_update().get(pk=account.pk)
    if endpoint != stored.endpoint and not credentials and registry.drivers()[account.provider].credentials:
        raise CredentialsNeeded(field="credentials")
    facts = {"name": name, "endpoint": endpoint, "workspace": workspace, "enabled": enabled, **limits}
    if credentials:
        check_credentials(account.provider, credentials)
        facts["sealed_credentials"] = seal(dict(credentials))
    with integrity_error_as(AccountExists(provider=account.provider, name=name), *ONE_OF_A_NAME):
        CloudAccount.objects.filter(pk=account.pk).update(**facts)
    account.refresh_from_db()
    return account


def check_credentials(provider: str, credentials: Mapping[str, str]) -> None:
    """Refuse credentials that the provider cannot use, by their names. Raises BadCredentials."""
    accepted = registry.drivers()[provider].credentials
    if any(set(names) == credentials.keys() for names in accepted) or not (accepted or credentials):
        return
    raise BadCredentials(
        provider=provider, needed=needed(provider), fault=fault_of(accepted, set(credentials)), field="credentials"
    )


def fault_of(accepted: tuple[tuple[str, ...], ...], given: set[str]) -> str:
    """Say what is missing from the nearest complete set, or how many are of no use; repeat no name that was given.

    A name that is not known may be a secret that was put in the wrong place.
    """
    missing = [name for name in nearest(accepted, given) if name not in given]
    if missing:
        return f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing."
    return "Take out what is not among them."


def nearest(accepted: tuple[tuple[str, ...], ...], given: set[str]) -> tuple[str, ...]:
    """Return the complete set of credentials that has most of those given."""
    return max(accepted, key=lambda names: (len(given & set(names)), -len(names)), default=())


def credential_faults(provider: str, given: set[str]) -> dict[str, str]:
    """Return what is wrong with credentials, by name: those that are missing, else those that are too many."""
    info = registry.drivers()[provider]
    complete = nearest(info.credentials, given)
    takes = f"{info.title} takes {needed(provider).replace('_', ' ')}."
    missing = {name: f"This is needed: {takes}" for name in complete if name not in given}
    if given or len(info.credentials) < 2:
        return missing or dict.fromkeys(sorted(given - set(complete)), f"Leave this empty: {takes}")
    return dict.fromkeys(missing, takes)


def needed(provider: str) -> str:
    """Name what credentials a provider needs, for people."""
    return ", or ".join(" and ".join(names) for names in registry.drivers()[provider].credentials) or "none"


@transaction.atomic
def check_account(*, account: CloudAccount, actor: User | None = None) -> Operation:
    """Queue the question whether an account works. Raises TargetBusy."""
    return submit(
        kind=CHECK,
        workspace=account.workspace,
        actor=actor,
        target=f"account:{account.pk}",
        params={"account": account.pk},
    )


def apply_check_outcome(operation: Operation, outcome: Outcome) -> None:
    """Keep on the account why it does not work, or that it does; a cancelled question says nothing."""
    if outcome in (Outcome.COMPLETED, Outcome.FAILED):
        CloudAccount.objects.filter(pk=operation.params["account"]).update(
            problem=operation.error or "", checked_at=timezone.now()
        )


def note_contact(account: CloudAccount, *, problem: str) -> None:
    """Keep why an account does not work, or that it does; one that was changed since it was asked is left alone."""
    asked = {"pk": account.pk, "endpoint": account.endpoint, "sealed_credentials": account.sealed_credentials}
    CloudAccount.objects.filter(**asked).update(problem=problem, checked_at=timezone.now())
