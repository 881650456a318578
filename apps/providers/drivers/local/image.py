"""Making the image that machines are made from, without any image registry: Debian's packages, then an import."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from django.conf import settings

from apps.providers.drivers.base import Refused
from apps.providers.drivers.local.driver import IMAGE_LABEL, TITLE_LABEL
from apps.providers.drivers.local.engine import Engine

SUITE, TITLE, REPOSITORY = "bookworm", "Debian 12", "localhost/provisioning/debian-12"
FILES = Path(__file__).parent / "image"
BUILD_SECONDS = 1800
PACKAGES = ("tini", "openssh-server", "cloud-init", "python3", "python3-apt", "ca-certificates", "iproute2", "procps")
UNWANTED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
ENTRYPOINT = ["/usr/bin/tini", "--", "/usr/local/sbin/machine-init"]
NO_BUILDER = "mmdebstrap is not installed; it makes the image from Debian's packages: apt install mmdebstrap."


def build(*, endpoint: str = "", mirror: str = "", rebuild: bool = False) -> str:
    """Make the image `LOCAL_IMAGE` and import it into the engine; returns what was done, as a sentence.

    With an image of that name there, nothing is done unless `rebuild`. `mirror` is a URL of Debian's archive, by
    default the machine's own or the public one. Takes a minute or two. Raises Refused and Transient.
    """
    name, engine = settings.LOCAL_IMAGE, Engine(endpoint)
    try:
        found = engine.ask("images", filters={"label": f"{IMAGE_LABEL}={name}"})
        if found and not rebuild:
            return f"The image {name} is there already; --rebuild makes it anew."
        with tempfile.TemporaryDirectory() as folder:
            archive = bootstrapped(Path(folder) / "image.tar", mirror)
            imported(engine, archive, name)
    finally:
        engine.close()
    return f"The image {name} ({TITLE}) is there."


def bootstrapped(archive: Path, mirror: str) -> Path:
    """Collect Debian's packages and our files in an archive. Raises Refused."""
    if shutil.which("mmdebstrap") is None:
        raise Refused("IMAGE_NOT_BUILT", NO_BUILDER)
    command = bootstrap(archive, mirror)
    try:
        subprocess.run(command, check=True, timeout=BUILD_SECONDS, stdin=subprocess.DEVNULL)  # noqa: S603 - no shell
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        text = "mmdebstrap has failed; what it printed says why. A mirror can be named with --mirror."
        raise Refused("IMAGE_NOT_BUILT", text) from error
    return archive


def bootstrap(archive: Path, mirror: str) -> list[str]:
    """Return the command that makes the archive; host keys are left out, for each machine makes its own."""
    hooks = [
        'rm -f "$1"/etc/ssh/ssh_host_*',
        f'install -m 755 "{FILES}/machine-init" "$1/usr/local/sbin/machine-init"',
        f'install -m 644 "{FILES}/sshd.conf" "$1/etc/ssh/sshd_config.d/machine.conf"',
        f'install -m 644 "{FILES}/cloud.cfg" "$1/etc/cloud/cloud.cfg.d/99_machine.cfg"',
    ]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in UNWANTED),
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
        "STOPSIGNAL SIGTERM",
    ]
    engine.ask("import_image_from_file", str(archive), repository=REPOSITORY, tag="latest", changes=changes)
