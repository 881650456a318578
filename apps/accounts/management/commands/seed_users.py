"""Make users be there: the four roles' own, those of a file, or those named."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.accounts import services
from apps.accounts.services import ROLES, NewUser, SeedResult
from apps.system.errors import DomainError

FIELDS = {"username", "role", "password"}


class Command(BaseCommand):
    help = "Create users with their roles; run again, it changes nothing. A generated password is printed once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "names", nargs="*", metavar="NAME:ROLE", help="such as alice:operator; without :ROLE a viewer"
        )
        parser.add_argument("--file", type=Path, help="YAML: a list of {username, role, password (optional)}")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, names: list[str], file: Path | None, dry_run: bool, **options: Any) -> None:
        requested = [*(read(file) if file else ()), *map(named, names)] if file or names else of_the_roles()
        try:
            with transaction.atomic():
                seeded = services.seed_users(users=requested, check_strength=not settings.DEVELOPMENT)
                transaction.set_rollback(dry_run)
        except DomainError as refusal:
            raise CommandError(refusal.text) from refusal
        for user in seeded:
            self.stdout.write(line(user, dry_run))


def line(user: SeedResult, dry_run: bool) -> str:
    """Say what became of a user."""
    password = f"   password: {user.generated}" if user.generated and not dry_run else ""
    return f"{'would be ' if dry_run else ''}{user.outcome:<10} {user.username} ({user.role}){password}"


def named(text: str) -> NewUser:
    """Read `name:role`."""
    username, _, role = text.partition(":")
    return NewUser(username, role or "viewer")


def of_the_roles() -> list[NewUser]:
    """Return one user a role; in development with the passwords that the README prints."""
    return [NewUser(role, role, first_password=f"{role}123" if settings.DEVELOPMENT else None) for role in ROLES]


def read(path: Path) -> list[NewUser]:
    """Read a YAML file of users. Raises CommandError saying what is wrong with it."""
    try:
        rows = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} cannot be read: it is not UTF-8.") from error
    except (yaml.YAMLError, ValueError) as error:  # the latter for dates that no calendar has
        raise CommandError(f"{path} is not YAML: {getattr(error, 'problem_mark', 'see the file')}.") from error
    if not isinstance(rows, list):
        raise CommandError(f"{path} must hold a list of users, each with username and role.")
    return [user_of(row, number) for number, row in enumerate(rows, 1)]


def user_of(row: Any, number: int) -> NewUser:
    """Check one user of a file. Raises CommandError."""
    if not isinstance(row, dict) or not {"username", "role"} <= set(row) <= FIELDS:
        raise CommandError(f"User {number} needs username and role, may have a password, and nothing else.")
    if not all(isinstance(value, str) and value for value in row.values()):
        raise CommandError(f"User {number}: username, role and password must be texts; put numbers into quotes.")
    return NewUser(**row)
