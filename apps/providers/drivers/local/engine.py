"""Finding the container engine and asking it: Podman or Docker, both through Docker's API.

Whatever the engine or the way to it does wrong comes out as one of the driver contract's errors; its words stay here.
"""

from __future__ import annotations

import io
import os
import re
import socket
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.operations.errors import StepError
from apps.providers.drivers.base import ProviderError, TransientProviderError
from apps.providers.drivers.errors import CommonMappings, ErrorMapper, ErrorMapping

if TYPE_CHECKING:
    from docker import APIClient

CALL_SECONDS, FACTS_SECONDS, LONGEST_FILE = 30, 60.0, 10_000
LISTS, LIST_TRIES = {"containers", "images"}, 5  # Podman answers 500 when something vanishes while it lists
ENDPOINT = re.compile(r"unix:///[\w./@+-]+|(tcp|http)://(127(\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}", re.ASCII)
SOCKETS = (
    "{runtime}/podman/podman.sock",
    "/run/podman/podman.sock",
    "{runtime}/docker.sock",
    "/run/docker.sock",
    "{home}/.docker/run/docker.sock",
    "{home}/.docker/desktop/docker.sock",
)
NOT_FOUND = (
    "No container engine answers on this machine. Install Podman and start its API (apt install podman; systemctl "
    "enable --now podman.socket), or install Docker, or name its socket in DOCKER_HOST."
)
NOT_SENT = (ConnectionRefusedError, FileNotFoundError, PermissionError)


class Engine:
    """The engine at `endpoint`, or else the first that answers where engines usually listen; found at the first call.

    Raises Refused (ENGINE_NOT_FOUND) when none answers, PROVIDER_INVALID for an endpoint beyond this machine.
    """

    def __init__(self, endpoint: str = ""):
        if endpoint and not ENDPOINT.fullmatch(endpoint):
            text = "The account's endpoint is not an engine's on this machine, like unix:///run/podman/podman.sock."
            raise ProviderError("PROVIDER_INVALID", text)
        self.endpoint = endpoint

    @cached_property
    def api(self) -> APIClient:
        """The client of the engine; its address is `endpoint` from then on."""
        if self.endpoint:
            with translated():
                return opened(self.endpoint)
        for address in usual_addresses():
            try:
                with translated():
                    found = opened(address)
            except StepError:
                continue
            self.endpoint = address
            return found
        raise ProviderError("ENGINE_NOT_FOUND", NOT_FOUND)

    def ask(self, call: str, *given: Any, creating: bool = False, **named: Any) -> Any:
        """Make one call of Docker's API, by its name in the SDK; `creating` marks one not to be repeated blindly."""
        method: Callable[..., Any] = getattr(self.api, call)
        with translated(creating=creating):
            return listed(method, *given, **named) if call in LISTS else method(*given, **named)

    def read_file(self, ref: str, path: str) -> str:
        """Read a small text file of a container. Raises Refused, PROVIDER_NOT_FOUND, when it is not there."""
        with translated():
            chunks, _ = self.api.get_archive(ref, path)
            return first_file(b"".join(chunks))

    def write_files(self, ref: str, folder: str, files: Mapping[str, str]) -> None:
        """Write small text files, which only root may read, into a folder of a container, running or not."""
        self.ask("put_archive", ref, folder, archive_of(files))

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the engine says of itself and of its machine, or has said in this process within a minute.

        Podman asks the machine's package manager for its answer, which takes a quarter of a second.
        """
        address = self.api and self.endpoint
        told_at, facts = known_facts.get(address, (-FACTS_SECONDS, None))
        if time.monotonic() - told_at >= FACTS_SECONDS:
            told_at, facts = time.monotonic(), self.ask("info")
        if not isinstance(facts, dict) or not isinstance(facts.get("NCPU"), int):
            raise ERRORS.lost(creating=False)
        known_facts[address] = told_at, facts
        return facts

    @property
    def is_rootless(self) -> bool:
        """Tell whether it runs without root's rights, so that containers have no address the host can reach.

        Docker says so among its security options, Podman 4.3 in a field of its own.
        """
        options = self.facts.get("SecurityOptions") or ()
        return self.facts.get("Rootless") is True or any("rootless" in option for option in options)

    @property
    def limits_resources(self) -> bool:
        """Tell whether memory and processors of a container can be limited."""
        return bool(self.facts.get("MemoryLimit")) and not (self.is_rootless and self.facts.get("CgroupVersion") == "1")

    @property
    def restart_policy(self) -> str:
        """The policy that brings machines back when the host starts: Podman's `podman-restart` knows `always` only."""
        return "always" if self.is_podman else "unless-stopped"

    @property
    def is_podman(self) -> bool:
        """Tell Podman from Docker."""
        return "BuildahVersion" in self.facts

    def for_systemd(self) -> dict[str, Any]:
        """Return what a container's host configuration needs for systemd as its first process; Podman adds it itself.

        Docker gives a container neither a writable /run nor its control group.
        """
        if self.is_podman:
            return {}
        mode = "ro" if self.facts.get("CgroupVersion", "1") == "1" else "rw"
        mounts = {"tmpfs": {"/run": "", "/run/lock": ""}, "binds": [f"/sys/fs/cgroup:/sys/fs/cgroup:{mode}"]}
        return mounts | ({"cgroupns": "host"} if mode == "rw" else {})

    def close(self) -> None:
        """Give back the connections."""
        if "api" in self.__dict__:
            self.api.close()


def archive_of(files: Mapping[str, str]) -> bytes:
    """Return an archive of files, by path, that belong to root and that nobody else may read."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text.encode()), 0o600
            archive.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()


def first_file(data: bytes) -> str:
    """Return the text of an archive's first file, cut; empty when it is no file. Raises ValueError for no archive."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.next()
            file = archive.extractfile(member) if member is not None and member.isfile() else None
            return file.read(LONGEST_FILE).decode(errors="replace").strip() if file is not None else ""
    except tarfile.TarError as error:
        raise ValueError("the engine's answer is no archive") from error


def listed(method: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Ask for a list, again when the engine fails to make it."""
    from docker.errors import APIError

    for _ in range(LIST_TRIES - 1):
        try:
            return method(*given, **named)
        except APIError as error:
            if not error.is_server_error():
                raise
    return method(*given, **named)


# Which version of the API each engine speaks: Podman takes longer to tell it than for most else that it is asked.
versions: dict[str, str] = {}
known_facts: dict[str, tuple[float, Mapping[str, Any]]] = {}  # what each engine said of itself, and when


def opened(address: str) -> APIClient:
    """Connect to an engine that answers; it is asked for the version, which both sides then speak, once a process."""
    from docker import APIClient  # a fifth of a second, which a web server need not spend at its start

    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knock:  # the SDK leaves a socket behind where nobody listens
            knock.settimeout(CALL_SECONDS)
            knock.connect(address.removeprefix("unix://"))
    known = versions.pop(address, "")
    base_url = address.replace("http://", "tcp://")
    with ExitStack() as on_failure:
        api = APIClient(base_url=base_url, version=known or "auto", timeout=CALL_SECONDS)
        on_failure.callback(api.close)
        if known:
            api.ping()  # when this fails, the version is asked for again
        on_failure.pop_all()
    versions[address] = api.api_version
    return api


def usual_addresses() -> Iterator[str]:
    """Yield where an engine may listen: DOCKER_HOST alone where it is set, else the usual sockets that are there."""
    if host := os.environ.get("DOCKER_HOST"):
        yield host
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    for pattern in SOCKETS:
        path = Path(pattern.format(runtime=runtime, home=Path.home()))
        if path.is_socket():
            yield f"unix://{path}"


COMMON = CommonMappings("The container engine")
AUTH = ErrorMapping(ProviderError, "PROVIDER_AUTH", "The container engine does not let this service in.")
ERRORS = ErrorMapper(
    cloud="The container engine",
    by_status={
        **dict.fromkeys(range(300, 500), COMMON.invalid),
        401: AUTH,
        403: AUTH,
        404: ErrorMapping(ProviderError, "PROVIDER_NOT_FOUND", "There is no such container any more."),
        409: ErrorMapping(
            TransientProviderError, "PROVIDER_BUSY", "Something else is still happening to this container."
        ),
        429: COMMON.rate_limited,
    },
)


@contextmanager
def translated(*, creating: bool = False) -> Iterator[None]:
    """Turn what the SDK raises into the driver contract's errors."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import ConnectTimeout, RequestException

    try:
        yield
    except (RequestException, DockerException, OSError, ValueError) as error:  # ValueError: an answer that is no JSON
        behind = list(causes(error))
        answered = next((one for one in behind if isinstance(one, APIError) and one.response is not None), None)
        if answered is not None:
            raise refusal(answered.response.status_code, creating=creating) from None
        was_sent = not any(isinstance(one, (*NOT_SENT, ConnectTimeout)) for one in behind)
        facts: dict[str, Any] = {"cause": type(error).__name__}
        if creating and was_sent:
            raise ERRORS.lost(creating=True, **facts) from None
        raise ERRORS.unreachable(**facts) from None


def refusal(status: int, *, creating: bool) -> StepError:
    """Return the error for an answer that is no success; of the engine's text nothing is kept."""
    mapping = ERRORS.find("", status)
    facts: dict[str, Any] = {"status": status}
    if mapping is None:
        return ERRORS.lost(creating=creating, **facts)
    return mapping.make(f"HTTP_{status}", None, facts)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what lies behind it: requests and urllib3 keep the cause among the arguments."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
