"""Browsers for the admin site, and one row of every kind."""

from datetime import timedelta

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import NewUser, seed_users
from apps.operations.models import Event, Operation
from apps.servers.models import Server


def browser(person):
    client = Client()
    client.force_login(person)
    return client


def seeded(name, role):
    seed_users(users=[NewUser(name, role, "correct-horse-battery-staple")])
    return User.objects.get(username=name)


def staff(name, *codenames):
    person = User.objects.create_user(name, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return person


def page(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def listing(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def act(client, rows, action, **more):
    """Take an action of a list and return the page that follows, messages included."""
    data = {"action": action, "index": 0, "_selected_action": [row.pk for row in rows], **more}
    return client.post(listing(type(rows[0])), data, follow=True)


def shown_messages(response):
    return [str(message) for message in response.context["messages"]]


def a_server(account, workspace, hostname="web-01", **facts):
    known = {"provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1", "status": "running", "emulated": True}
    return Server.objects.create(workspace=workspace, account=account, hostname=hostname, **(known | facts))


def an_operation(workspace, **facts):
    """A waiting operation with a log; `status` of an ended one ends it."""
    ended = facts.get("status") in ("completed", "failed", "cancelled")
    known = {"kind": "server.create", "due_at": None if ended else timezone.now() + timedelta(hours=1)}
    operation = Operation.objects.create(workspace=workspace, **(known | facts))
    Event.objects.create(operation=operation, seq=1, message="Started.", data={"ref": "machine-7"})
    return operation
