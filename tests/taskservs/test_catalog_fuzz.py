"""Configuration files made of every kind of allowed value, judged by the service's own check on a real machine."""

import base64
import io
import tarfile

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import HealthCheck, given, settings

from apps.taskservs.catalog_loader import ROOT, load_catalog
from tests.taskservs.test_options import configs, rendered

pytestmark = pytest.mark.slow
BUDGET = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SERVER = "runuser -u postgres -- /usr/lib/postgresql/15/bin/postgres"
POSTGRES = f"{SERVER} -D /var/lib/postgresql/15/main -C port -c config_file=$f"
MEMBERS = {
    "taskserv_members": [
        {"hostname": "web-01", "address": "10.0.0.1", "role": "primary", "index": 0},
        {"hostname": "web-02", "address": "10.0.0.2", "role": "replica", "index": 1},
    ]
}
# Taskserv, template, the check of one file `$f` by the service itself.
JUDGES = [
    ("nginx", "nginx.conf.j2", "nginx -t -q -c $f"),
    ("haproxy", "haproxy.cfg.j2", "haproxy -c -f $f"),
    ("prometheus", "prometheus.yml.j2", "promtool check config $f"),
    ("memcached", "memcached.conf.j2", "! grep -vE '^(#.*|-[a-zA-Z]( [^ ]+)?|logfile [^ ]+)$' $f"),
    ("unattended_upgrades", "unattended-upgrades.j2", "apt-config -c $f dump >/dev/null"),
    ("chrony", "chrony.conf.j2", "chronyd -p -f $f >/dev/null"),
    ("postgres", "provisioning.conf.j2", POSTGRES),
    ("mariadb", "60-provisioning.cnf.j2", "mariadbd --defaults-file=$f --user=mysql --help --verbose >/dev/null"),
    ("keepalived", "keepalived.conf.j2", "sed -i '/^global_defs/a dynamic_interfaces' $f && keepalived -t -f $f"),
    ("containerd", "config.toml.j2", "containerd --config $f config dump >/dev/null"),
]

# The packages of all roles at once, and no service is started: other tests install them by their roles.
INSTALL = """
set -e
trap 'rm /usr/sbin/policy-rc.d' EXIT
echo 'exit 101' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -qq -o Acquire::http::Proxy="$proxy" -o Dpkg::Options::=--force-unsafe-io "$@"; }
apt update
apt install --no-install-recommends $packages </dev/null
"""


def packages(name):
    """Return the packages that a role installs, in its default version."""
    tasks = yaml.safe_load((ROOT / name / "tasks" / "install.yml").read_text())
    given = [task["vars"] for task in tasks if "install_packages_names" in task.get("vars", {})]
    [wanted] = [each["install_packages_names"] for each in given]
    version = {"version": load_catalog()[name].default_version}
    [template] = [template for judged, template, _ in JUDGES if judged == name]
    known = rendered(name, version, template, **MEMBERS)[1]
    return [Templar(DataLoader(), known).template(trust_as_template(each)) for each in wanted]


def drawn(name, template):
    """Return what the template makes of configurations that Hypothesis draws, each text once."""
    texts, installed = set(), {"version": load_catalog()[name].default_version}

    @BUDGET
    @given(configs(name))
    def draw(config):
        texts.add(rendered(name, config | installed, template, **MEMBERS)[0])

    draw()
    return sorted(texts)


def packed(texts):
    """Return texts as an archive of numbered files, in base64."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for number, text in enumerate(texts):
            member = tarfile.TarInfo(f"{number}.conf")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return base64.b64encode(buffer.getvalue()).decode()


def test_it_makes_no_file_that_the_service_refuses(roles, real_servers):
    [server] = real_servers("web-01")
    wanted = [package for name, _, _ in JUDGES for package in packages(name)]
    given = f"proxy={roles.package_proxy} packages='{' '.join(wanted)}'"
    roles.ssh.run(server, f"{given}\n{INSTALL}", seconds=600)
    roles.ssh.run(server, ": > /etc/resolv.conf")  # HAProxy asks for names, each for seconds where nobody answers
    for name, template, check in JUDGES:
        texts = drawn(name, template)
        assert len(texts) > 10, name
        folder = f"/tmp/fuzz-{name}"
        roles.ssh.run(server, f"mkdir -p {folder} && echo {packed(texts)} | base64 -d | tar -xz -C {folder}")
        script = f"for f in {folder}/*.conf; do ({check}) >/tmp/output 2>&1 || (echo $f; cat /tmp/output); done"
        output = roles.ssh.run(server, script, seconds=120)
        first = output.splitlines()[0] if output else ""
        assert output == "", (
            f"{name}: {output[:500]}\n{texts[int(first.split('/')[-1].split('.')[0])] if first else ''}"
        )
