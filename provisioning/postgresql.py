"""How connections to PostgreSQL notice that the server is out of reach: within seconds, before a lease ends."""

from typing import Any

POSTGRESQL_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,  # seconds, as the next three
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
