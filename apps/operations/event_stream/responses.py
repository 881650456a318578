"""The responses that are streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from apps.operations.event_stream.feed import feed_of
from apps.operations.event_stream.followers import Follower, OperationFollower, SharedFollower
from apps.operations.event_stream.messages import MEDIA_TYPE
from apps.operations.event_stream.queries import Filters
from apps.operations.event_stream.slots import slots
from apps.system.web.responses import EventLoopResponse, Exchange


class EventStream(EventLoopResponse):
    """A stream of server-sent events that ends when the client leaves, or may not read any more.

    Raises TooManyStreams when the user has too many already.
    """

    def __init__(self, follower: type[Follower], user: Any, is_allowed: Callable[[], bool], *arguments: Any):
        self.release = slots.take(user.pk, self)
        super().__init__(content_type=MEDIA_TYPE, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self.follower, self.arguments = follower, (is_allowed, *arguments)

    async def write_to(self, exchange: Exchange) -> None:
        """Follow. Raises ClientGone."""
        try:
            await self.follower(feed_of(exchange.loop), exchange, *self.arguments).run()
        finally:
            self.release()


def wants_stream(request: Any) -> bool:
    """Tell whether the client asks for a stream."""
    return MEDIA_TYPE in request.headers.get("Accept", "")


def follow_operation(user: Any, operation: UUID, after: int, is_allowed: Callable[[], bool]) -> EventStream:
    """Answer an operation's log after the line `after`, live until nothing is left to do. Raises TooManyStreams."""
    return EventStream(OperationFollower, user, is_allowed, operation, after)


def follow_all(user: Any, filters: Filters, after: int | None, is_allowed: Callable[[], bool]) -> EventStream:
    """Answer states and lines of all operations that pass the filters, live; after the line with the id `after`.

    Raises TooManyStreams.
    """
    return EventStream(SharedFollower, user, is_allowed, filters, after)
