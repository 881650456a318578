"""What an order may say beyond the documented request: image, user data, expiry and protection."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Any

from django.utils import timezone

from apps.providers.models import CloudAccount
from apps.servers.errors import ExpiryPassed, UnknownImage
from apps.system.encryption import seal

MAX_NAMED = 5


def row_options(
    account: CloudAccount,
    *,
    image: str = "",
    user_data: str = "",
    expires_at: datetime | None = None,
    protected: bool = False,
) -> dict[str, Any]:
    """Return what the options mean for a server's row, user data sealed. Raises UnknownImage, ExpiryPassed."""
    if account.refreshed_at is not None:
        refuse_unknown_image(account, image)
    refuse_past(expires_at)
    sealed = seal(user_data) if user_data else ""
    return {"image": image, "sealed_user_data": sealed, "expires_at": expires_at, "protected": protected}


def refuse_unknown_image(account: CloudAccount, image: str) -> None:
    """Refuse an image that the account does not have. Raises UnknownImage."""
    if image and not account.images.filter(name=image, retired_at=None).exists():
        raise UnknownImage(provider=account.provider, image=image, hint=nearest_image(account, image), field="image")


def refuse_past(expires_at: datetime | None) -> None:
    """Refuse an expiry that has passed: deleting at once is asked for by deleting. Raises ExpiryPassed."""
    if expires_at is not None and expires_at <= timezone.now():
        raise ExpiryPassed(expires_at=expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"), field="expires_at")


def nearest_image(account: CloudAccount, given: str) -> str:
    """Suggest the images that were probably meant, by name or title, or list some."""
    titles = dict(account.images.filter(retired_at=None).values_list("name", "title"))
    words = {word.lower(): name for name, title in titles.items() for word in (title, name) if word}
    close = [words[word] for word in get_close_matches(given.lower(), list(words), n=3, cutoff=0.5)]
    found = list(dict.fromkeys(close or titles))
    shown = [f"{name} ({titles[name]})" if titles[name] not in ("", name) else name for name in found[:MAX_NAMED]]
    if close:
        return f" Did you mean {' or '.join(shown)}?"
    more = " and more" if len(found) > MAX_NAMED else ""
    return f" It has {', '.join(shown)}{more}." if shown else ""
