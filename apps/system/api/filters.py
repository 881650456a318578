"""Filters that every list has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import FilterSet

from apps.system.api.fields import TIME
from apps.system.choices import not_one_of


class UTCDateTimeField(IsoDateTimeField):
    """A time in UTC; one that has no place in UTC's calendar is refused."""

    default_error_messages = {"invalid": TIME}

    def to_python(self, value: Any) -> datetime | None:
        """Return the time. Raises ValidationError."""
        moment = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class UTCDateTimeFilter(django_filters.IsoDateTimeFilter):
    """Compare with a time."""

    field_class = UTCDateTimeField


class ChoiceFilter(django_filters.ChoiceFilter):
    """Pick by one of a few values; a refusal names them."""

    def __init__(self, *, choices: Sequence[tuple[str, Any]], **options: Any) -> None:
        message = not_one_of("%(value)s", (value for value, _ in choices))
        super().__init__(choices=choices, error_messages={"invalid_choice": message}, **options)


class RelatedNameFilter(django_filters.CharFilter):
    """Pick by the unique name of a related row, which is looked up first: the list then needs no join to filter by."""

    def filter(self, qs: QuerySet, value: Any) -> QuerySet:
        """Pick; no row has the key 0."""
        if not value:
            return qs
        relation, _, attribute = self.field_name.partition("__")
        related = qs.model._meta.get_field(relation).related_model
        keys = related._default_manager.filter(**{attribute: value}).order_by().values_list("pk", flat=True)
        return qs.filter(**{relation: next(iter(keys[:1]), 0)})


class CaseInsensitiveFilter(django_filters.CharFilter):
    """Pick by a text of any case, by an index of the text in lower case."""

    def filter(self, qs: QuerySet, value: Any) -> QuerySet:
        """Pick."""
        return qs.alias(lower_case=Lower(self.field_name)).filter(lower_case=value.lower()) if value else qs


class ListFilters(FilterSet):
    """The filters of every list, by time of creation; times are ISO 8601, and one without an offset is UTC."""

    created_after = UTCDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = UTCDateTimeFilter(field_name="created_at", lookup_expr="lt")
