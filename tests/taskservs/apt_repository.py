"""A small signed package repository behind a password: `with apt_repository(folder, versions) as place`."""

import base64
import email.utils
import functools
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.taskservs import apt_proxy

PROGRAMS = ("dpkg-deb", "gpg")
NAME = "greeter"
# A machine with this file refuses each version of the package.
REFUSAL = "/etc/greeter-refuses"


USER, PASSWORD = "reader", "p@ss:w0rd-of-the-repository"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Protected(SimpleHTTPRequestHandler):
    """Serves files to who has the password, but for the first requests of the key, and says nothing."""

    refusals = apt_proxy.TRIES  # so that the proxy gives up once

    def do_GET(self):
        if self.headers["Authorization"] != AUTHORIZATION:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="packages"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.endswith("key.asc") and Protected.refusals:
            Protected.refusals -= 1
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *arguments):
        """Say nothing."""


@contextmanager
def apt_repository(folder, versions):
    """Serve packages of these versions, and the key that signs them as `key.asc`; gives `port/path`.

    The path is one of its own each time: a proxy may keep what it has fetched. Skips where the machine lacks what makes
    packages.
    """
    for program in PROGRAMS:
        if not any(os.access(f"{place}/{program}", os.X_OK) for place in os.environ["PATH"].split(":")):
            pytest.skip(f"{program} is not installed")
    public = folder / "public" / secrets.token_hex(8)
    public.mkdir(parents=True)
    (public / "Packages").write_text("\n".join(build(folder, public, version) for version in versions))
    sign(folder, public)
    server = ThreadingHTTPServer(("0.0.0.0", 0), functools.partial(Protected, directory=public.parent))  # noqa: S104
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{server.server_port}/{public.name}"
    finally:
        server.shutdown()
        server.server_close()


def build(folder, public, version):
    """Build the package of one version, a program that prints it; gives its entry in the index."""
    tree = folder / version
    (tree / "DEBIAN").mkdir(parents=True)
    facts = {"Package": NAME, "Version": version, "Architecture": "all", "Maintainer": "Tests <tests@example.org>"}
    facts["Description"] = "Greets."
    (tree / "DEBIAN" / "control").write_text(fields(facts))
    write_program(tree / "DEBIAN" / "preinst", f"test ! -e {REFUSAL}")
    (tree / "usr" / "bin").mkdir(parents=True)
    write_program(tree / "usr" / "bin" / NAME, f"echo {version}")
    package = public / f"{NAME}_{version}_all.deb"
    run("dpkg-deb", "--root-owner-group", "--build", tree, package)
    size, sum = described(package)
    return fields({**facts, "Filename": package.name, "Size": size, "SHA256": sum})


def fields(facts):
    """Return facts in Debian's form."""
    return "".join(f"{key}: {value}\n" for key, value in facts.items())


def described(path):
    """Return a file's size and checksum."""
    return path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()


def write_program(path, line):
    """Write a shell script of one line."""
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def sign(folder, public):
    """Write the repository's signed index, and the public key."""
    now = email.utils.formatdate(usegmt=True)
    home = tempfile.mkdtemp()  # the path of its agent's socket may have 107 characters
    gpg = functools.partial(run, "gpg", "--homedir", home, "--batch", "--passphrase", "")
    try:
        gpg("--quick-generate-key", "tests@example.org", "ed25519", "sign", "never")
        size, sum = described(public / "Packages")
        (folder / "Release").write_text(f"Suite: ./\nDate: {now}\nSHA256:\n {sum} {size} Packages\n")
        gpg("--clearsign", "--output", public / "InRelease", folder / "Release")
        (public / "key.asc").write_text(gpg("--armor", "--export"))
    finally:
        run("gpgconf", "--homedir", home, "--kill", "all")
        shutil.rmtree(home, ignore_errors=True)


def run(*command, **more):
    """Run a program; gives what it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout
