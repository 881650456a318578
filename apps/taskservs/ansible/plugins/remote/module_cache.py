"""Part of the program of each of Ansible's modules on a server: keeps the archive of a module there, compiled.

Byte code of another version of Python is ignored there, in favor of the source beside it.
"""


def _cached_archive(digest: str, sent: str = "") -> str:
    """Return an archive in base64: the one that is kept, or the one that was sent, which is compiled and kept."""
    import base64
    import os
    import sys
    from pathlib import Path

    path = Path("/run/provisioning-modules", digest)
    if not sent:
        try:
            return base64.b64encode(path.read_bytes()).decode()
        except OSError:
            sys.stderr.write("provisioning: this module is not kept here")
            sys.exit(253)

    import io
    import zipfile
    from importlib import _bootstrap_external as loaders

    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(sent))) as given, zipfile.ZipFile(output, "w") as kept:
        for entry in given.infolist():
            source = given.read(entry)
            kept.writestr(entry, source, zipfile.ZIP_DEFLATED)
            if entry.filename.endswith(".py"):
                code = compile(source, entry.filename, "exec", dont_inherit=True)
                byte_code = loaders._code_to_hash_pyc(code, bytes(8), False)  # type: ignore[attr-defined]
                compiled = zipfile.ZipInfo(entry.filename + "c", entry.date_time)
                kept.writestr(compiled, byte_code, zipfile.ZIP_DEFLATED)
    own = path.with_name(f"{digest}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        own.write_bytes(output.getvalue())
        own.replace(path)
    except OSError:
        pass
    return base64.b64encode(output.getvalue()).decode()
