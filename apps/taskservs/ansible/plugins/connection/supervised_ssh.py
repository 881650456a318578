"""Ansible connection plugin: SSH whose commands run in scopes of a systemd slice, so that they can be ended there.

Where a server has no systemd, the environment variable PROVISIONING_RUN still marks what the run has started. A
command is refused on a server that another run has taken. Runs inside `ansible-playbook`.

Ansible sends each module with all that it imports, to be compiled by each task. The server keeps that here, compiled,
so that a task sends its arguments and no more: 5 KB instead of 170, and half of the processor time there.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shlex
import zipfile
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.connection import ssh

DOCUMENTATION = ssh.DOCUMENTATION
TAKEN_OVER, REASON = 254, "this server was taken over by another run, or the run was stopped"
# $0 is the run, $1 the command. The file is written by the run that takes the server (host_control.py). With cgroups v1
# the kernel does not tell the systemd of a container that a scope is empty, which would be listed for good. A scope's
# description goes to the journal, by default the command with the variables in it.
SCRIPT = f"""\
holder=$(cat /run/provisioning.run 2>/dev/null)
if [ -n "$holder" ] && [ "$holder" != "$0" ]; then
    echo "{REASON}" >&2
    exit {TAKEN_OVER}
fi
[ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] || exec /bin/sh -c "$1"
read -r id </proc/sys/kernel/random/uuid
unit=provisioning-$id.scope
set -- systemd-run --quiet --scope --collect --unit="$unit" --slice=provisioning.slice --description="$unit" \\
    -- /bin/sh -c "$1"
[ -S /run/systemd/cgroups-agent ] || exec "$@"
"$@"
code=$?
while IFS=: read -r _ tree path && [ "$tree" != name=systemd ]; do :; done </proc/1/cgroup
/lib/systemd/systemd-cgroups-agent "${{path%/init.scope}}/provisioning.slice/$unit" >/dev/null 2>&1
exit "$code"
"""
# What Ansible pipes into Python: a program whose last argument is an archive of the module and what it imports.
WRAPPER, ARCHIVE, CALL = b"\n_ANSIBALLZ_WRAPPER = True\n", b"\nzip_data='", b'\nif __name__ == "__main__":\n'
NOT_KEPT, COMPLAINT = 253, "provisioning: this module is not kept here"
# Added to that program. Byte code of another version of Python is ignored there, in favor of the source beside it.
KEEPER = f"""
def _kept_module(digest, sent=""):
    import os
    import sys

    path = "/run/provisioning-modules/" + digest
    if not sent:
        try:
            with open(path) as file:
                return file.read()
        except OSError:
            sys.stderr.write("{COMPLAINT}")
            sys.exit({NOT_KEPT})

    import base64
    import io
    import zipfile
    from importlib import _bootstrap_external

    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(sent))) as given, zipfile.ZipFile(output, "w") as kept:
        for entry in given.infolist():
            source = given.read(entry)
            kept.writestr(entry, source, zipfile.ZIP_DEFLATED)
            if entry.filename.endswith(".py"):
                code = compile(source, entry.filename, "exec", dont_inherit=True)
                byte_code = _bootstrap_external._code_to_hash_pyc(code, bytes(8), False)
                compiled = zipfile.ZipInfo(entry.filename + "c", entry.date_time)
                kept.writestr(compiled, byte_code, zipfile.ZIP_DEFLATED)
    archive = base64.b64encode(output.getvalue()).decode()
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(path + "." + str(os.getpid()), "w") as file:
            file.write(archive)
        os.replace(file.name, path)
    except OSError:
        pass
    return archive
""".encode()


class Connection(ssh.Connection):
    """SSH with each command in a scope of its own."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Any:
        """Run a command on the server, or what is piped into it; a module that is kept there is not sent again."""
        parts = module_parts(cmd, in_data)
        if parts is None:
            return self.supervised(cmd, in_data, sudoable)
        before, archive, after = parts
        digest = digest_of(archive)
        done = self.supervised(cmd, b"%s\nzip_data=_kept_module('%s')%s" % (before, digest, after), sudoable)
        if done[0] == NOT_KEPT and COMPLAINT.encode() in done[2]:
            sent = b"%s\nzip_data=_kept_module('%s', '%s')%s" % (before, digest, archive, after)
            return self.supervised(cmd, sent, sudoable)
        return done

    def supervised(self, cmd: str, in_data: bytes | None, sudoable: bool) -> Any:
        """Run a command in a scope of its own. Raises AnsibleError when another run has taken the server."""
        run = os.environ["PROVISIONING_RUN"]
        words = ["env", f"PROVISIONING_RUN={run}", "/bin/sh", "-c", SCRIPT, run, cmd]
        code, said, complained = super().exec_command(shlex.join(words), in_data=in_data, sudoable=sudoable)
        if code == TAKEN_OVER and complained.strip().endswith(REASON.encode()):
            raise AnsibleError(REASON)
        return code, said, complained


def module_parts(cmd: str, in_data: bytes | None) -> tuple[bytes, bytes, bytes] | None:
    """Return the program that is piped into Python as what is before its archive, the archive, and the rest.

    None for what is no module of Ansible's.
    """
    if not in_data or not cmd.startswith("/bin/sh -c ") or WRAPPER not in in_data[:500]:
        return None
    program, found, rest = in_data.rpartition(ARCHIVE)
    definitions, _, call = program.rpartition(CALL)
    archive, _, after = rest.partition(b"'")
    return (definitions + KEEPER + CALL + call, archive, after) if found and definitions else None


def digest_of(archive: bytes) -> bytes:
    """Return what tells an archive in base64 from those with other files; the files' times do not count."""
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as files:
        facts = [(each.filename, each.CRC, each.file_size) for each in files.infolist()]
    return hashlib.sha256(repr(facts).encode()).hexdigest().encode()
