"""What a service that does not start, or has ended since, has said itself, as its server's journal has it."""

from __future__ import annotations

import re
from pathlib import Path

from apps.taskservs.ansible import ssh
from apps.taskservs.ansible.playbook import Target

ASK_SECONDS = 3.0
COLORS, CONTROL_CHARACTERS = re.compile(r"\x1b\[[0-9;]*m"), re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
# $1 is the service as a task names it, $2 since how many seconds, $3 `ended` where one that runs has nothing to say.
# Lines of systemd about the unit are not its own. Of a service that is started again and again, those of each time are
# there, and it counts as ended.
SCRIPT = """\
unit=$(systemctl show --property=Id --value -- "$1") && [ -n "$unit" ] || exit 1
state=$(systemctl show --property=ActiveState,NRestarts --value -- "$unit" | sort | tr '\\n' ' ')
[ "$3" = ended ] && [ "$state" = "0 active " ] && exit 1
journalctl --sync
journalctl --quiet --no-pager --output=cat --lines=40 --since="-$2s" "_SYSTEMD_UNIT=$unit" | grep -vF "$unit: " |
    cut -c 1-2000
"""


def own_lines(folder: Path, target: Target, service: str, *, since_seconds: int, only_ended: bool) -> str:
    """Return the last lines that a service has written within so many seconds; empty when there are none to be had.

    With `only_ended`, nothing of a service that has run on since it was started.
    """
    wanted = "ended" if only_ended else "any"
    result = ssh.run_script(folder, target, SCRIPT, service, str(since_seconds), wanted, seconds=ASK_SECONDS)
    return CONTROL_CHARACTERS.sub(" ", COLORS.sub("", result.output)) if result.code == 0 else ""
