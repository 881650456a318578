"""The fields of the form that creates servers, and the lists that they choose from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django import forms
from rest_framework.exceptions import ValidationError as ShapeError

from apps.operations import registry
from apps.providers.admin.prices import money, parts_of
from apps.providers.models import CloudAccount
from apps.providers.registry import title_of
from apps.servers.services.create import CREATE
from apps.system.admin.forms import NamesChoices
from apps.system.errors import DomainError
from apps.workspaces.models import Workspace
from apps.workspaces.services import workspace_named

MAX_AT_ONCE = 50
RANGE = re.compile(r"\[(\d{1,4})-(\d{1,4})\]")
INPUT = {"class": "c-input"}


class CreateForm(NamesChoices, forms.Form):
    """What servers to make; plans, zones and images are those of the provider's account in the workspace."""

    workspace = forms.ChoiceField(widget=forms.Select(INPUT))
    provider = forms.ChoiceField(widget=forms.Select(INPUT))
    zone = forms.ChoiceField(widget=forms.Select(INPUT))
    image = forms.ChoiceField(required=False, widget=forms.Select(INPUT))
    plan = forms.ChoiceField(widget=forms.Select(INPUT))
    hostname = forms.CharField(
        label="Hostname",
        max_length=253,
        help_text="Several at once with a range: web-[01-06] makes web-01 to web-06.",
        widget=forms.TextInput(INPUT | {"autocomplete": "off", "spellcheck": "false", "placeholder": "web-01"}),
    )
    tags = forms.CharField(
        required=False,
        help_text="Separated by commas or blanks.",
        widget=forms.TextInput(INPUT | {"autocomplete": "off", "placeholder": "web, production"}),
    )
    expires_at = forms.DateTimeField(
        required=False,
        label="Expires at (UTC)",
        help_text="When it is deleted by itself; leave it empty for never.",
        widget=forms.DateTimeInput(INPUT | {"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    protected = forms.BooleanField(required=False, label="Protect it from deletion")

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        workspaces = list(Workspace.objects.order_by("-active", "name").values_list("name", flat=True))
        given = self.data if self.is_bound else self.initial
        place = given.get("workspace") or next(iter(workspaces), "")
        provider = given.get("provider", "")
        offer = offer_of(place, provider)
        self.offer = offer
        self.set_choices("workspace", [(name, name) for name in workspaces], place)
        self.set_choices("provider", [(each["name"], each["title"]) for each in offer["providers"]], offer["provider"])
        zones = [(zone["name"], zone["text"]) for zone in offer["zones"]]
        self.set_choices("zone", zones, given.get("zone"))
        chosen = given.get("zone") or next((zone for zone, _ in zones), "")
        plans = [
            (plan["name"], f"{plan['text']}, {plan['prices'].get(chosen, 'price unknown')}") for plan in offer["plans"]
        ]
        self.set_choices("plan", plans, given.get("plan"))
        self.set_choices(
            "image", [("", "The account's default"), *[(i["name"], i["text"]) for i in offer["images"]]], ""
        )

    def set_choices(self, name: str, choices: list[tuple[str, str]], initial: Any) -> None:
        """Fill a list, and choose from it where nothing is chosen yet."""
        field: Any = self.fields[name]
        field.choices = choices
        if not self.is_bound and initial:
            self.initial[name] = initial

    def clean_hostname(self) -> str:
        """Hold ranges to sense and number. Raises ValidationError."""
        pattern = self.cleaned_data["hostname"].strip()
        if len(RANGE.findall(pattern)) > 1:
            raise forms.ValidationError("Give one range only, such as web-[01-06].")
        if not 1 <= len(names_of(pattern)) <= MAX_AT_ONCE:
            raise forms.ValidationError(f"Give a range of 1 to {MAX_AT_ONCE} names that counts upwards.")
        return pattern

    def clean(self) -> dict[str, Any]:
        """Check each order as the API does, before any is sent. Raises nothing: errors are shown at the fields."""
        values = super().clean() or {}
        if not self.errors:
            for _, order in self.orders():
                self.check_shape(order)
                if set(self.errors) - {"hostname"}:  # the other fields are the same for all names
                    break
        return values

    def check_shape(self, order: dict[str, Any]) -> None:
        """Let the kind of operation check the values; only what is wrong with a hostname is said of one."""
        kind = registry.kind_named(CREATE)
        shape = {name: value for name, value in order.items() if name != "workspace"}
        if isinstance(shape.get("expires_at"), datetime):
            shape["expires_at"] = shape["expires_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            if kind.validate_input:
                kind.validate_input(shape)
        except ShapeError as error:
            details: Any = error.detail
            for field, problems in details.items():
                texts = problems.values() if isinstance(problems, dict) else problems
                flat = [str(text) for each in texts for text in (each if isinstance(each, list) else [each])]
                flat = list(dict.fromkeys(flat))
                about = f"{order['hostname']}: " if field == "hostname" else ""
                self.add_error(field if field in self.fields else None, f"{about}{' '.join(flat)}")

    def orders(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each name with the arguments of the service that makes it."""
        values = self.cleaned_data
        tags = [tag for tag in re.split(r"[,\s]+", values.get("tags", "")) if tag]
        shared: dict[str, Any] = {
            name: values[name] for name in ("workspace", "provider", "plan", "zone") if name in values
        }
        options = {name: values[name] for name in ("image", "expires_at", "protected") if values.get(name)}
        for hostname in names_of(values.get("hostname", "")):
            yield hostname, {**shared, **options, "hostname": hostname, "tags": list(dict.fromkeys(tags))}


def names_of(pattern: str) -> list[str]:
    """Return the names that a pattern stands for: `web-[01-03]` is web-01, web-02 and web-03."""
    found = RANGE.search(pattern)
    if found is None:
        return [pattern]
    first, last = int(found[1]), int(found[2])
    width = len(found[1])
    return [f"{pattern[: found.start()]}{n:0{width}d}{pattern[found.end() :]}" for n in range(first, last + 1)]


def offer_of(workspace: str, provider: str) -> dict[str, Any]:
    """Return the providers that a workspace may use, and what one of them offers; the first one without a name."""
    empty: dict[str, Any] = {"providers": [], "provider": "", "zones": [], "plans": [], "images": [], "problem": ""}
    try:
        place = workspace_named(workspace)
    except DomainError:
        return empty
    accounts: dict[str, CloudAccount] = {}
    for account in CloudAccount.objects.usable_in(place):
        accounts.setdefault(account.provider, account)
    if not accounts:
        return empty | {"problem": "No provider can be used in this workspace; an administrator adds an account."}
    name = provider if provider in accounts else preferred(accounts)
    account = accounts[name]
    rows: dict[str, Any] = {"zones": account.zones, "plans": account.plans, "images": account.images}
    found = {sort: list(each.filter(retired_at=None)) for sort, each in rows.items()}
    return {
        "providers": [{"name": each, "title": title_of(each)} for each in sorted(accounts)],
        "provider": name,
        "zones": [
            {"name": zone.name, "text": f"{zone.name}, {zone.title}" if zone.title else zone.name}
            for zone in found["zones"]
        ],
        "plans": [
            {
                "name": plan.name,
                "text": f"{plan.name}: {parts_of(plan)}",
                "prices": {zone: f"{money(price)} a month" for zone, price in plan.prices.items()},
            }
            for plan in found["plans"]
        ],
        "images": [{"name": image.name, "text": str(image)} for image in found["images"]],
        "problem": account.problem or ("" if account.refreshed_at else "Its plans have not been read yet."),
    }


def preferred(accounts: dict[str, CloudAccount]) -> str:
    """Return the provider that is chosen first: one that works."""
    working = [name for name, account in sorted(accounts.items()) if account.refreshed_at and not account.problem]
    return (working or sorted(accounts))[0]
