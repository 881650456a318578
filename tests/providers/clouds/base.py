"""What the shared suite needs of a cloud that it may look into and break.

A stage is the cloud as the suite's stagehand knows it: it says what can be ordered there, looks past the driver at what
really exists, and spoils what comes next. See the package's docstring for how to write one.
"""

import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from apps.providers.drivers.base import MachineSpec

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII prov"
USER_DATA = "#cloud-config\npackage_update: false\n"


class Can(StrEnum):
    """What some clouds can and others cannot; a test of one of these runs where it can."""

    REFUSE_CREDENTIALS = "tells wrong credentials from right ones"
    PRICE = "has prices"
    RETRY_AFTER = "says how long to wait after too many requests"
    CUT_LIST = "lists in a way that a part can be told from the whole"
    SHOW_SSH_KEYS = "shows which keys a machine was given"
    SHOW_USER_DATA = "shows which user data a machine was given"
    TWINS = "makes a second machine for a server when it is asked to"
    RESIZE = "lets somebody give a machine another plan"


class Trouble(StrEnum):
    """What a call may be answered instead; the cloud's own words for it, but for the last two."""

    AUTH = "credentials that were good are no longer accepted"
    QUOTA = "the account has reached one of its limits"
    RATE_LIMIT = "too many requests"
    ERROR = "an internal error"
    HTML = "a gateway's page, 502"
    EMPTY = "a gateway's 503 without a body"


@dataclass(frozen=True)
class Call:
    """Which requests are meant, in the words of fault rules: all by default."""

    method: str | None = None
    path: str = ""
    body: str = ""

    @property
    def rule(self):
        return {name: value for name, value in vars(self).items() if value}


class CloudStage(ABC):
    """A cloud, played by something that runs here.

    `image` is one that is not the default; `other_plan` one that a machine can be resized to, where it can be. All of
    this is about machines that this process made: where the cloud is shared with others, `installation` and
    `other_installation` are named so that nobody else has them.
    """

    provider: ClassVar[str]
    plan: ClassVar[str]
    other_plan: ClassVar[str] = ""
    zone: ClassVar[str]
    image: ClassVar[str]
    disk_gib: ClassVar[int]
    can: ClassVar[frozenset] = frozenset(Can)
    troubles: ClassVar[frozenset] = frozenset(Trouble)
    # What the driver asks the cloud for; a driver that knows its plans by heart has no `plans` here.
    reads: ClassVar[tuple] = ("check", "plans", "zones", "images", "list", "find", "get")
    # The request that makes a machine, and those that change one: start, stop, reboot and delete.
    create_call: ClassVar[Call]
    change_calls: ClassVar[dict]
    # A ref of the right shape that no machine has.
    nobody: ClassVar[str]
    installation = "inst-1"
    other_installation = "inst-2"

    # ── being there ───────────────────────────────────────────────────────────────────────────────────────────────────
    @classmethod
    @abstractmethod
    def served(cls, request):
        """Run what plays the cloud, as a context manager around all tests of a session; gives what __init__ takes.

        `request` is pytest's, of the session. Skip with the reason where it cannot run.
        """

    @abstractmethod
    def reset(self):
        """Make the cloud empty and healthy; called before and after each test."""

    @abstractmethod
    def close(self):
        """Give back what __init__ took."""

    # ── reaching it ───────────────────────────────────────────────────────────────────────────────────────────────────
    @abstractmethod
    def connection(self, **changes):
        """Connect with what works: a Connection of `installation`, `changes` replacing its fields."""

    def wrong_credentials(self):
        """The sets of credentials that have the right shape and are wrong, each with the text `wrong-secret` in it."""
        return []

    def nowhere(self):
        """A connection to a port where nobody listens."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return self.connection(endpoint=f"http://127.0.0.1:{free.getsockname()[1]}")

    @abstractmethod
    def impatient(self, monkeypatch, seconds):
        """Shorten the driver's patience with a call that is sent and unanswered."""

    def spec(self, **changes):
        """Order one machine with everything on it."""
        given = {"server_id": "srv-abc123", "hostname": "web-1", "tags": ("web", "blue"), "ssh_keys": (SSH_KEY,)}
        given |= {"plan": self.plan, "zone": self.zone, "disk_gib": self.disk_gib, "user_data": USER_DATA}
        return MachineSpec(**given | {"order": "first"} | changes)

    # ── looking past the driver ───────────────────────────────────────────────────────────────────────────────────────
    @abstractmethod
    def refs(self):
        """Every machine that exists, a terminated one not, whoever made it."""

    @abstractmethod
    def disks(self):
        """Every disk that exists, attached or left behind; nothing where machines have no disks of their own."""

    def leftovers(self):
        """What should not be there once no machine is: disks, and whatever else is made for one machine only."""
        return self.disks()

    @abstractmethod
    def creates(self):
        """How many machines were ever made, those of `make_stranger` not counted."""

    @abstractmethod
    def orders(self):
        """How many requests to make a machine came, spoilt ones too."""

    @abstractmethod
    def tags_of(self, ref):
        """The tags of the order, as a set."""

    @abstractmethod
    def image_of(self, ref):
        """The name of the image that a machine was made from."""

    def ssh_keys_of(self, ref):
        """The public keys that a machine was given, as OpenSSH spells them, with or without the comment."""
        raise NotImplementedError(Can.SHOW_SSH_KEYS)

    def user_data_of(self, ref):
        """The user data that a machine was given."""
        raise NotImplementedError(Can.SHOW_USER_DATA)

    @abstractmethod
    def host_key_of(self, ref):
        """The private SSH host key that a machine was given, None when it was given none."""

    # ── spoiling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    @abstractmethod
    def faults(self):
        """Whatever takes fault rules: a `FaultProxy`, or an emulator that speaks the same language."""

    @abstractmethod
    def answer(self, trouble):
        """How the cloud words AUTH, QUOTA, RATE_LIMIT and ERROR: `status`, and `json` or `text`, for `respond`."""

    def fail(self, trouble, *, call=None, retry_after=None, times=None):
        """Answer the next calls so (None: until healed) and do nothing."""
        if trouble is Trouble.HTML:
            page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
            response = {"status": 502, "text": page, "content_type": "text/html"}
        else:
            response = {"status": 503, "text": ""} if trouble is Trouble.EMPTY else self.answer(trouble)
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        response = {"headers": headers} | response
        self.faults.fault("respond", times=times, **self._rule(call), **response)

    def lose_answer(self, *, call=None, committed=True, times=1):
        """Cut the connection instead of answering the next calls, their work done or not."""
        self.faults.fault("drop_after_commit" if committed else "drop", times=times, **self._rule(call))

    def lose_create_answer(self, *, committed=True, times=1):
        """Cut the connection instead of answering the next order of a machine, which is carried out or not."""
        self.lose_answer(call=self.create_call, committed=committed, times=times)

    def hang(self, seconds, *, call=None, committed=False, times=None):
        """Answer late, by so many seconds before the work or after it."""
        action = "hang_after_commit" if committed else "hang"
        self.faults.fault(action, times=times, seconds=seconds, **self._rule(call))

    def cut_next_list(self):
        """Leave machines out of what is next listed, in the way that a part can be told from the whole."""
        raise NotImplementedError(Can.CUT_LIST)

    def heal(self):
        """Forget what was ordered to be spoilt."""
        self.faults.heal()

    @abstractmethod
    def vanish(self, ref):
        """Take a machine away with its disks behind everybody's back."""

    @abstractmethod
    def stop_outside(self, ref):
        """Stop a machine as somebody else would; it is stopped on return."""

    def resize_outside(self, ref):
        """Give a machine `other_plan` as somebody else would."""
        raise NotImplementedError(Can.RESIZE)

    @abstractmethod
    def make_stranger(self):
        """Make a machine that does not carry our marks; gives its ref."""

    def _rule(self, call):
        return {"method": None, "path": ""} | (call or Call()).rule
