"""Forms that call services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.db.models import Model

from apps.system.admin.refusals import refusal_text
from apps.system.choices import not_one_of
from apps.system.errors import DomainError


class NamesChoices(forms.BaseForm):
    """A form whose refusal of a choice names those that there are."""

    def full_clean(self) -> None:
        """Check the fields."""
        super().full_clean()
        for name, errors in self.errors.as_data().items() if self.is_bound else ():
            for error in errors:
                if error.code in ("invalid_choice", "invalid_pk_value"):
                    given = (error.params or {}).get("value", "That")
                    error.message, error.params = not_one_of(given, labels(self.fields[name])), None


def labels(field: Any) -> Iterator[Any]:
    """Yield what a field of choices calls them, those of groups too."""
    for value, label in field.choices:
        if value in ("", None):
            continue
        yield from (name for _, name in label) if isinstance(label, list | tuple) else (label,)


class ServiceForm(NamesChoices, forms.ModelForm):
    """A form that calls a service once its fields are right; what the service refuses is shown at the field."""

    def act(self) -> Model:
        """Call the service with `cleaned_data` and return the row. May raise DomainError."""
        raise NotImplementedError

    def full_clean(self) -> None:
        """Check the fields, then call the service."""
        super().full_clean()
        if not self.is_bound or self.errors:
            return
        try:
            self.instance = self.act()
        except DomainError as refusal:
            field = next(iter(refusal.details or {}), None)
            self.add_error(self.field_of_refusal(field), refusal_text(refusal))

    def field_of_refusal(self, name: str | None) -> str | None:
        """Return the field at which a refusal of an input is shown, None for above the form."""
        return name if name in self.fields else None
