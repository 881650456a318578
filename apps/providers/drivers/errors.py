"""Error mapping of all clouds: an error code or HTTP status becomes an error of the drivers' contract.

A cloud's own `errors` names what its codes mean and reads them out of its answers. Nothing else of an answer gets into
an error or a log, and message texts are never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import ListChanged, OutcomeUnknown, ProviderError, TransientProviderError

MAX_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class ErrorMapping:
    """What an error code or status means: the error to raise, its public code and its sentence.

    `after` is the pause in seconds where the answer names none.
    """

    error: type[ProviderError | TransientProviderError | OutcomeUnknown]
    code: str
    sentence: str
    after: float | None = None

    def make(self, cloud_code: str, after: float | None, facts: Mapping[str, Any]) -> StepError:
        """Return the error; a code of the cloud's own, unlike `HTTP_<status>`, is named in its sentence."""
        sentence = self.sentence if cloud_code.startswith("HTTP_") else f"{self.sentence[:-1]} ({cloud_code})."
        if issubclass(self.error, ProviderError):
            return self.error(self.code, sentence, **facts)
        return self.error(self.code, sentence, after=after or self.after, **facts)


class CommonMappings:
    """The mappings that read alike for every cloud but for its name."""

    def __init__(self, cloud: str) -> None:
        self.forbidden = ErrorMapping(
            ProviderError, "PROVIDER_FORBIDDEN", f"{cloud} does not allow this account to do that."
        )
        self.capacity = ErrorMapping(
            ProviderError, "PROVIDER_CAPACITY", f"{cloud} has no room for this in the zone; try another zone or plan."
        )
        self.gone = ErrorMapping(ProviderError, "PROVIDER_NOT_FOUND", f"The machine no longer exists at {cloud}.")
        self.invalid = ErrorMapping(
            ProviderError, "PROVIDER_INVALID", f"{cloud} does not accept the request as it stands."
        )
        self.busy = ErrorMapping(
            TransientProviderError, "PROVIDER_BUSY", f"Something else is still happening to this at {cloud}."
        )
        self.rate_limited = ErrorMapping(
            TransientProviderError, "PROVIDER_RATE_LIMITED", f"{cloud} asks for fewer requests."
        )


@dataclass(frozen=True, kw_only=True)
class ErrorMapper:
    """The error mapping of one cloud: by patterns of its codes first, then by HTTP status.

    A 404 without a code is in no `by_status`: it may come from a proxy, and does not prove that a machine is gone.
    """

    cloud: str
    by_code: Iterable[tuple[str, ErrorMapping]] = ()
    by_status: Mapping[int, ErrorMapping] = field(default_factory=dict)

    def find(self, code: str, status: int) -> ErrorMapping | None:
        """Return the mapping for an answer, if there is one."""
        found = (mapping for pattern, mapping in self.by_code if re.fullmatch(pattern, code))
        return next(found, None) or self.by_status.get(status)

    def unreachable(self, **facts: Any) -> TransientProviderError:
        """Return the error for a connection that was not made, so that nothing was sent."""
        return TransientProviderError("PROVIDER_UNREACHABLE", f"{self.cloud} cannot be reached.", **facts)

    def unanswered(self, *, creating: bool, **facts: Any) -> TransientProviderError | OutcomeUnknown:
        """Return the error for a request that was sent and whose answer did not come, or not as a whole."""
        if creating:
            return self.lost(creating=True, **facts)
        return TransientProviderError("PROVIDER_UNREACHABLE", f"{self.cloud} did not answer in time.", **facts)

    def lost(
        self, *, creating: bool, after: float | None = None, **facts: Any
    ) -> TransientProviderError | OutcomeUnknown:
        """Return the error for an unusable answer: a creation may have happened, anything else can be repeated."""
        if creating:
            sentence = f"{self.cloud} was asked for a machine and its answer was lost."
            return OutcomeUnknown("PROVIDER_ANSWER_LOST", sentence, after=after, **facts)
        sentence = f"{self.cloud} did not give a usable answer."
        return TransientProviderError("PROVIDER_UNAVAILABLE", sentence, after=after, **facts)

    def incomplete(self, what: str, **facts: Any) -> TransientProviderError:
        """Return the error for a list that does not add up, so that nothing may be concluded from it."""
        sentence = f"{self.cloud} did not give a complete list."
        return TransientProviderError("PROVIDER_UNAVAILABLE", sentence, list=what, **facts)

    def changed(self, what: str, seen: Iterable[Mapping[str, Any]]) -> ListChanged:
        """Return the error for a list that changed while it was read, with what it showed."""
        sentence = f"{self.cloud}'s list changed while it was read."
        return ListChanged("PROVIDER_UNAVAILABLE", sentence, seen=list(seen), list=what)


def limited_pause(seconds: float) -> float:
    """Keep a pause that a cloud asks for within 1 to 60 seconds."""
    return min(max(seconds, 1.0), MAX_PAUSE_SECONDS)


def retry_after_seconds(header: str) -> float | None:
    """Read a Retry-After header: 1 to 60 seconds, None when it is absent or something else."""
    return limited_pause(float(header)) if re.fullmatch(r"[0-9]{1,9}", header) else None


def cloud_code_of(error: StepError) -> str:
    """Return the cloud's own code of an error, empty when it had none."""
    return str(error.data.get("cloud_code") or "")
