"""Every value that an option's schema lets in: the files made of it keep their syntax, its paths stay inside."""

import json
import posixpath
import re
import tomllib
from functools import cache

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.system.json_schema import faults_in
from apps.taskservs.catalog_loader import ROOT, load_catalog
from apps.taskservs.config_validation import checked, faults_of
from apps.taskservs.errors import BadConfig
from apps.taskservs.models import Taskserv
from tests.refusals import refused

EXAMPLES = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FACTS = {"processor_vcpus": 2}
OPTIONS = [(name, key) for name, each in load_catalog().items() for key in each.options]


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def values(schema):
    """Return a strategy of what a schema lets in."""
    made = {
        "boolean": lambda: st.booleans(),
        "integer": lambda: st.integers(schema["minimum"], schema["maximum"]),
        "string": lambda: texts(schema),
        "array": lambda: st.lists(values(schema["items"]), min_size=schema["minItems"], max_size=schema["maxItems"]),
        "object": lambda: objects(schema),
    }
    return made[schema["type"]]().filter(lambda value: not list(faults_in(schema, value)))


def objects(schema):
    """Return a strategy of objects: of the schema's properties, or of any names that it lets in."""
    if "properties" in schema:
        made = {name: values(each) for name, each in schema["properties"].items()}
        needed = {name: made.pop(name) for name in schema["required"]}
        return st.fixed_dictionaries(needed, optional=made)
    keys, items = texts(schema["propertyNames"]), texts(schema["additionalProperties"])
    return st.dictionaries(keys, items, max_size=schema["maxProperties"])


def texts(schema):
    """Return a strategy of texts: odd ones of the pattern, and those that are likely to be sent."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    likely = ["127.0.0.1", "-::1", "*", "10.1.2.3/16", "docker.io", "localhost:5000", "https://mirror.example/v2"]
    odd = st.from_regex(schema["pattern"].replace("$", r"\Z"))
    return (odd | st.sampled_from(likely)).filter(lambda text: not list(faults_in(schema, text)))


def configs(name):
    """Return a strategy of a taskserv's configurations, each option with a default among them or left out."""
    definition = load_catalog()[name]
    properties = definition.config_schema["properties"]
    made = {key: values({"type": "string"} | each) for key, each in properties.items()}
    return st.fixed_dictionaries({}, optional=made).filter(lambda config: not list(faults_of(definition, config)))


def rendered(name, config, template, **more):
    """Return a template as Ansible renders it, and the role's variables that the options set."""
    definition = load_catalog()[name]
    version, options = checked(definition, config)
    given = {f"{name}_{key}": value for key, value in {**definition.complete(options), "version": version}.items()}
    known = defaults_of(name) | given | {"inventory_hostname": "web-01", "ansible_facts": FACTS} | more
    text = trust_as_template((ROOT / name / "templates" / template).read_text())
    return str(Templar(DataLoader(), known).template(text)), known


@cache
def defaults_of(name):
    """Return a role's defaults, which may be templates of each other."""
    return DataLoader().load_from_file(str(ROOT / name / "defaults" / "main.yml"), trusted_as_template=True)


# ── syntax ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def directives(text):
    """Return an nginx file as `[words, …]` and nested blocks."""
    pattern = r'#[^\n]*|"[^"]*"|[{};]|[^\s{};"]+'
    words, stack = [], [[]]
    for token in (each for each in re.findall(pattern, text) if not each.startswith("#")):
        if token == ";":
            stack[-1].append(words)
            words = []
        elif token == "{":
            stack[-1].append(words)
            stack.append([])
            words = []
        elif token == "}":
            assert not words
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            words.append(token)
    assert len(stack) == 1 and not words
    return stack[0]


def outline(parsed):
    """Return a file's directives without their arguments."""
    return [outline(each) if each and isinstance(each[0], list) else each[0] for each in parsed]


@EXAMPLES
@given(configs("nginx"))
def test_it_keeps_nginx_s_syntax(config):
    for template in ("default.conf.j2", "nginx.conf.j2"):
        text, known = rendered("nginx", config, template)
        plain, _ = rendered("nginx", {}, template)
        assert outline(directives(text)) == outline(directives(plain))
        if template == "default.conf.j2":
            server = directives(text)[1]
            assert server[0] == ["listen", str(known["nginx_http_port"]), "default_server"]
            assert server[3] == ["root", known["nginx_root"]]
        else:
            assert ["client_max_body_size", known["nginx_client_max_body_size"]] in directives(text)[-1]


@EXAMPLES
@given(configs("redis"))
def test_it_keeps_redis_s_syntax(config):
    text, known = rendered("redis", config, "redis.conf.j2")
    optional = ("maxmemory", "requirepass", "masterauth")
    lines = [line.split(" ") for line in text.splitlines() if line and not line.startswith("#")]
    plain = [
        line.split(" ")[0]
        for line in rendered("redis", {}, "redis.conf.j2")[0].splitlines()
        if line[:1] not in ("#", "")
    ]
    assert [words[0] for words in lines if words[0] not in optional] == plain
    written = {words[0]: words[1:] for words in lines}
    assert written["bind"] == known["redis_bind"]
    assert written["port"] == [str(known["redis_port"])]
    assert written.get("maxmemory", ["0"]) == [known["redis_maxmemory"]]
    assert written.get("requirepass", [""]) == [known["redis_password"]]
    assert '"' not in text and "'" not in text


@EXAMPLES
@given(configs("containerd"))
def test_it_keeps_containerd_s_syntax(config):
    text, known = rendered("containerd", config, "config.toml.j2")
    cri = tomllib.loads(text)["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == known["containerd_sandbox_image"]
    assert list(cri) == ["sandbox_image", "cni", "containerd", "registry"]
    for registry, mirror in known["containerd_registry_mirrors"].items():
        text, _ = rendered("containerd", config, "hosts.toml.j2", item=registry)
        assert tomllib.loads(text)["host"] == {mirror: {"capabilities": ["pull", "resolve"]}}
        assert posixpath.normpath(f"/certs.d/{registry}/hosts.toml") == f"/certs.d/{registry}/hosts.toml"
        assert len(registry) < 255 and "/" not in registry


@EXAMPLES
@given(configs("docker"))
def test_it_keeps_docker_s_syntax(config):
    text, known = rendered("docker", config, "daemon.json.j2")
    written = json.loads(text)
    assert list(written) == ["data-root", "live-restore", "log-driver", "log-opts"]
    assert written["data-root"] == known["docker_data_root"]
    assert written["log-opts"] == {
        "max-size": known["docker_log_max_size"],
        "max-file": str(known["docker_log_max_file"]),
    }


@EXAMPLES
@given(configs("kubernetes"))
def test_it_gives_kubeadm_nothing_that_looks_like_an_option(config):
    _, known = rendered("kubernetes", config, "sysctl.conf.j2")
    for key in ("pod_subnet", "service_subnet", "dns_domain", "control_plane_endpoint", "version"):
        assert not known[f"kubernetes_{key}"].startswith("-")


TEMPLATES = sorted((path.parts[-3], path.name) for path in ROOT.glob("*/templates/*.j2"))
GIVEN_BY_A_TASK = {"hosts.toml.j2", "join.yaml.j2"}  # these are of one item, or of what another server says


@pytest.mark.parametrize(("name", "template"), [each for each in TEMPLATES if each[1] not in GIVEN_BY_A_TASK])
@settings(EXAMPLES, max_examples=10)
@given(data=st.data())
def test_it_renders_every_template_with_whatever_is_allowed(name, template, data):
    text, _ = rendered(name, data.draw(configs(name)), template)
    assert text.endswith("\n") and "{{" not in text and "{%" not in text


# ── paths ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
PATHS = [
    ("nginx", "root", "/var/www"),
    ("docker", "data_root", "/var/lib/docker"),
    ("registry", "storage", "/var/lib/docker-registry"),
]
FOREIGN = [
    *("/", "/etc", "/root", "/a/../../etc", "/var/www/../../etc", "/var/lib/docker/../../etc", "/var/www/./x", "/var"),
    *("/var/www/..", "/var/www//etc", "/var/wwwx/a", "/var/www/x/", "//var/www/x", "var/www/x", "/var/www/.ssh", ""),
    *("/var/www/x\n/etc", "/var/www/x;", "/var/www/x y", "/var/www/$x", "/var/www/{{ x }}", "/srv", "/srv/../etc"),
    *("/var/www/-x", "/etc/ssl/private", "/var/lib/postgresql", "/var/lib/dockerx", "/VAR/www/x", "/var/www/\u00e9"),
]


def takes(name, key, value):
    try:
        checked(load_catalog()[name], {key: value})
    except BadConfig:
        return False
    return True


def test_it_knows_every_option_that_names_a_path():
    """An option whose default is a path of the machine, not one of a URL, is kept below a directory."""
    named = [(n, key) for n, key in OPTIONS if str(load_catalog()[n].options[key].get("default")).startswith("/")]
    named.remove(("haproxy", "check_path"))
    assert sorted(named) == sorted((name, key) for name, key, _ in PATHS)
    assert all("below" in load_catalog()[name].options[key] for name, key in named)


@pytest.mark.parametrize(("name", "key", "own"), PATHS)
def test_it_keeps_a_taskserv_in_its_own_directory(name, key, own, settings):
    for allowed in ([], ["/srv", "/data.d"]):
        settings.TASKSERV_DIRECTORIES = allowed
        assert [path for path in FOREIGN if takes(name, key, path)] == []
        assert takes(name, key, load_catalog()[name].options[key]["default"]) and takes(name, key, f"{own}/a/b-1.c")
        assert [takes(name, key, path) for path in ("/srv/a", "/data.d/a", "/dataxd/a")] == [bool(allowed)] * 2 + [
            False
        ]


@pytest.mark.parametrize(("name", "key", "own"), PATHS)
@EXAMPLES
@given(data=st.data())
def test_it_lets_no_path_out(name, key, own, data):
    path = data.draw(values(load_catalog()[name].config_schema["properties"][key]))
    assert posixpath.normpath(path) == path and (path + "/").startswith(own + "/")


@pytest.mark.parametrize("value", ["/a/../../etc", "/srv/site"])
def test_it_does_not_work_on_a_path_that_was_stored_before(value, install, machine, web_01, api, root, run_worker):
    id = install("nginx")
    Taskserv.objects.filter(pk=id).update(config={"root": value})
    operation = api(root).delete(f"/v1/taskservs/{id}").json()
    run_worker()
    shown = api(root).get(f"/v1/operations/{operation['id']}").json()
    assert shown["status"] == "failed" and "TASKSERV_DIRECTORIES" in shown["error"], shown
    assert Taskserv.objects.get(pk=id).status == "running"


def test_it_refuses_it_over_http(ask, web_01):
    refused(ask("nginx", config={"root": "/a/../../etc"}), 400, "VALIDATION_ERROR", field="config.root")
    refused(ask("nginx", config={"http_port": 22}), 400, "VALIDATION_ERROR", field="config.http_port")
    refused(ask("redis", config={"bind": ["cafe"]}), 400, "VALIDATION_ERROR", field="config.bind")
    refused(ask("kubernetes", config={"pod_subnet": "999.1.1.1/8"}), 400, "VALIDATION_ERROR", field="config.pod_subnet")
