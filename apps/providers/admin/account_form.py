"""The form of an account: a write-only field for each credential of its provider."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.providers import registry, services
from apps.providers.models import CloudAccount
from apps.system.admin import ServiceForm
from apps.system.admin.facts import in_words

ABOUT = ["provider", "name", "workspace", "endpoint", "enabled", "privileged"]
LIMITS = ["time_limit", "max_servers", "max_monthly_price", "max_creating"]
# Credentials that are no secrets: nobody can type a list of regions unseen. They are stored like the others.
SEEN_WHILE_TYPED = {"username", "access_key_id", "regions"}
ENCRYPTED = "Stored encrypted, never shown again."


class WriteOnlyInput(forms.TextInput):
    """A text that is taken and never shown, not even when the form comes back with errors."""

    def format_value(self, value: Any) -> None:
        """Show nothing."""


class AccountForm(ServiceForm):
    """An account; the provider is chosen once, the credentials are kept when none are given."""

    provider = forms.ChoiceField(
        choices=lambda: sorted((name, offer.title) for name, offer in registry.drivers().items()),
        widget=forms.Select({"class": "c-input", "data-provider": "chosen"}),
    )
    endpoint = forms.CharField(
        max_length=255,
        required=False,
        widget=forms.TextInput({"class": "c-input"}),
        help_text="Where the provider's API is reached, if not at its public address.",
    )

    class Meta:
        model = CloudAccount
        fields = [*ABOUT, *LIMITS]
        labels = {
            "time_limit": "Time limit in seconds",
            "max_servers": "Maximum number of servers",
            "max_monthly_price": "Maximum cost per month",
            "max_creating": "Maximum creations at once",
        }
        help_texts = {
            "workspace": "Only this workspace may use it; left empty, all may.",
            "enabled": "Off: no new servers with it; those it has stay and can be deleted.",
            "privileged": "Local machines only: containers with all privileges, which may mount, load kernel modules "
            "and change this host's own settings. Give it to machines that you trust like the host.",
            "time_limit": "How long creating or deleting a server may take; empty: 900.",
            "max_servers": "Empty: any number.",
            "max_monthly_price": "Of all its servers together, in the currency of its prices.",
            "max_creating": "Further creations wait, and say so.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.fields["provider"].disabled = True

    def clean(self) -> dict[str, Any]:
        """Tell at each credential's field what is wrong with it; none at all keeps the stored ones."""
        facts = super().clean() or self.cleaned_data
        provider = facts.get("provider")
        given = self.credentials() if provider else {}
        if provider and (given or not self.instance.pk):
            for name, fault in services.credential_faults(provider, set(given)).items():
                self.add_error(field_name(provider, name), fault)
        return facts

    def credentials(self) -> dict[str, str]:
        """Return the credentials that were given for the account's provider; those of others are left out."""
        provider = self.cleaned_data["provider"]
        given = {name: self.cleaned_data.get(field_name(provider, name)) for name in credential_names(provider)}
        return {name: value for name, value in given.items() if value}

    def field_of_refusal(self, name: str | None) -> str | None:
        """Show what is refused of all credentials at the first of them."""
        names = credential_names(self.cleaned_data["provider"])
        if name == "credentials" and names:
            return field_name(self.cleaned_data["provider"], names[0])
        return super().field_of_refusal(name)

    def act(self) -> CloudAccount:
        """Create or change the account."""
        facts = {name: self.cleaned_data[name] for name in (*ABOUT, *LIMITS)}
        facts["credentials"] = self.credentials()
        if self.instance.pk is None:
            return services.create_account(**facts)
        del facts["provider"]
        return services.change_account(account=self.instance, **facts)


def form_with_credentials(provider: str | None) -> type[AccountForm]:
    """Return the form with the credential fields of a provider, or of all."""
    fields = {
        field_name(each, name): credential_field(each, name, kept=provider is not None)
        for each in ([provider] if provider else sorted(registry.drivers()))
        for name in credential_names(each)
    }
    return type("AccountForm", (AccountForm,), fields)


def credential_fieldsets(provider: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the groups of credential fields; the console's script shows the group of the provider that is chosen."""
    drivers = registry.drivers()
    return [
        (f"Credentials of {drivers[each].title}", {"fields": [field_name(each, name) for name in names]})
        for each in ([provider] if provider else sorted(drivers))
        if (names := credential_names(each))
    ]


def credential_field(provider: str, name: str, *, kept: bool) -> forms.CharField:
    """Return the field of one credential."""
    attributes = {
        "class": "c-input",
        "autocomplete": "new-password",
        "spellcheck": "false",
        "data-of-provider": provider,
    }
    seen = name in SEEN_WHILE_TYPED
    widget = WriteOnlyInput(attributes) if seen else forms.PasswordInput(attributes, render_value=False)
    help_text = ""
    if name == credential_names(provider)[0]:
        kept_text = " Leave all empty to keep the present ones." if kept else ""
        help_text = f"{needed(provider)}. {ENCRYPTED}{kept_text}"
    return forms.CharField(label=in_words(name), required=False, widget=widget, help_text=help_text)


def needed(provider: str) -> str:
    """Say which credentials a provider takes, such as `Access key ID, secret access key and regions`."""
    ways = [
        f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]
        for names in map(list, registry.drivers()[provider].credentials)
    ]
    return in_words(", or ".join(ways))


def credential_names(provider: str) -> list[str]:
    """Return the names of all credentials that a provider knows, in the driver's order."""
    return list(dict.fromkeys(name for names in registry.drivers()[provider].credentials for name in names))


def field_name(provider: str, name: str) -> str:
    """Return the name of a credential's field in the form."""
    return f"credential_{provider}_{name}"
