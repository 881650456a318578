"""Making the image that machines are made from, without any image registry: Debian's packages, then an import."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from apps.providers.drivers.base import ProviderError
from apps.providers.drivers.local.driver import IMAGE_LABEL, STOP_SIGNAL, TITLE_LABEL, VERSION_LABEL
from apps.providers.drivers.local.engine import Engine
from apps.providers.drivers.local.machines import labels_of

SUITE, TITLE, REPOSITORY = "bookworm", "Debian 12", "localhost/provisioning/debian-12"
FILES = Path(__file__).parent / "image"
VERSION = "3"  # since 2, systemd runs in it; since 3, packages install faster
BUILD_SECONDS, CLEANUP_SECONDS = 1800, 30
PACKAGES = (
    *("systemd-sysv", "dbus", "openssh-server", "cloud-init", "python3", "python3-apt"),
    *("ca-certificates", "iproute2", "procps", "curl"),
)
UNWANTED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
# As in Docker's images of Debian: no translated descriptions of packages, and no file synchronized while one is
# unpacked, for a container that the host loses is made anew.
APT_OPTIONS, DPKG_OPTIONS = ('Acquire::Languages "none"',), ("force-unsafe-io",)
ENTRYPOINT = ["/sbin/init"]
# A container has no network to wait for, no console, and no user data but what `machine-user-data` hands over. SSH is
# served without PAM, so that there are no sessions to keep.
MASKED = (
    *("systemd-networkd-wait-online.service", "console-getty.service", "getty.target", "systemd-logind.service"),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"),
    *(
        "cloud-init-local.service",
        "cloud-init.service",
        "cloud-config.service",
        "cloud-final.service",
        "cloud-init-hotplugd.socket",
    ),
)
DISABLED = ("apt-daily.timer", "apt-daily-upgrade.timer")  # they would hold apt's lock soon after each first boot
NO_BUILDER = "mmdebstrap is not installed; it makes the image from Debian's packages: apt install mmdebstrap."


def build(
    *, endpoint: str = "", mirror: str = "", rebuild: bool = False, tell: Callable[[str], None] = lambda line: None
) -> str:
    """Make the image `LOCAL_IMAGE` and import it into the engine; returns what was done, as a sentence.

    With an image of that name and of this version there, nothing is done unless `rebuild`. `mirror` is a URL of
    Debian's archive, by default the machine's own or the public one. `tell` is called with a line for each step.
    Takes a minute or two. Raises ProviderError and TransientProviderError.
    """
    name, engine = settings.LOCAL_IMAGE, Engine(endpoint)
    try:
        found = engine.ask("images", filters={"label": f"{IMAGE_LABEL}={name}"})
        if any(labels_of(image).get(VERSION_LABEL) == VERSION for image in found) and not rebuild:
            return f"The image {name} is there already; --rebuild makes it anew."
        with tempfile.TemporaryDirectory() as folder:
            tell(f"1/2 collecting {TITLE} from its packages …")
            archive = bootstrapped(Path(folder) / "image.tar", mirror)
            tell(f"2/2 importing {archive.stat().st_size // 2**20} MiB into the container engine …")
            imported(engine, archive, name)
    finally:
        engine.close()
    return f"The image {name} ({TITLE}) is there."


def bootstrapped(archive: Path, mirror: str) -> Path:
    """Collect Debian's packages and our files in an archive. Raises Refused."""
    if shutil.which("mmdebstrap") is None:
        raise ProviderError("IMAGE_NOT_BUILT", NO_BUILDER)
    command = bootstrap(archive, mirror)
    try:
        run_interruptible(command)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        text = "mmdebstrap has failed; what it printed says why. A mirror can be named with --mirror."
        raise ProviderError("IMAGE_NOT_BUILT", text) from error
    return archive


def run_interruptible(command: list[str]) -> None:
    """Run a program that prints its own progress; at Ctrl-C it gets the time to remove what it has unpacked.

    Raises CalledProcessError, TimeoutExpired.
    """
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, umask=0o022) as process:  # noqa: S603 - no shell
        try:
            code = process.wait(BUILD_SECONDS)
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(CLEANUP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        raise subprocess.CalledProcessError(code, command)


def bootstrap(archive: Path, mirror: str) -> list[str]:
    """Return the command that makes the archive; host keys are left out, for each machine makes its own."""
    hooks = [
        'rm -f "$1"/etc/ssh/ssh_host_*',
        ': >"$1/etc/machine-id"',  # systemd makes one at each machine's first boot
        f'install -m 755 "{FILES}/machine-init" "{FILES}/machine-user-data" "$1/usr/local/sbin/"',
        f'install -m 644 "{FILES}/machine-init.service" "{FILES}/machine-user-data.service" "$1/etc/systemd/system/"',
        f'install -D -m 644 "{FILES}/container.conf" "$1/etc/systemd/system/service.d/container.conf"',
        f'install -m 644 "{FILES}/sshd.conf" "$1/etc/ssh/sshd_config.d/machine.conf"',
        f'install -m 644 "{FILES}/cloud.cfg" "$1/etc/cloud/cloud.cfg.d/99_machine.cfg"',
        'systemctl --root="$1" enable machine-init.service machine-user-data.service',
        f'systemctl --root="$1" disable {" ".join(DISABLED)}',
        f'systemctl --root="$1" mask {" ".join(MASKED)}',
    ]
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *(f"--aptopt={option}" for option in APT_OPTIONS),
        *(f"--dpkgopt={option}" for option in (*DPKG_OPTIONS, *(f"path-exclude={pattern}" for pattern in UNWANTED))),
        *(f"--customize-hook={hook}" for hook in hooks),
        SUITE,
        str(archive),
        *([mirror] if mirror else []),
    ]


def imported(engine: Engine, archive: Path, name: str) -> None:
    """Give the archive to the engine under its label and name."""
    changes = [
        f"ENTRYPOINT {json.dumps(ENTRYPOINT)}",
        f"LABEL {IMAGE_LABEL}={json.dumps(name)}",
        f"LABEL {TITLE_LABEL}={json.dumps(TITLE)}",
        f"LABEL {VERSION_LABEL}={VERSION}",
    ]
    if engine.is_podman:  # Docker refuses it here, and gets it with each container
        changes.append(f"STOPSIGNAL {STOP_SIGNAL}")
    engine.ask("import_image_from_file", str(archive), repository=REPOSITORY, tag="latest", changes=changes)
