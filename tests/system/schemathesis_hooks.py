"""What Schemathesis must know about valid requests and the schema cannot say."""

import re

import schemathesis

# What exists: the schema says how a name may look, not which names there are. The test makes them.
NAMES = {"workspace": "production", "provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1", "account": "default"}
NAMES |= {"image": "01000000-0000-4000-8000-000020070100", "expires_at": "2999-01-01T00:00:00Z"}
NAMES |= {"starts_at": "2998-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z"}
WORKFLOW = {"workflow_type": "cluster_create", "parameters": {"cluster_name": "schema", "node_count": 1}}
NAMES |= WORKFLOW | {"cron": "30 2 * * *", "time_zone": "Europe/Helsinki", "config": {}, "servers": ["web-01"]}
BODIES = {
    "/v1/taskservs/create": {"name": "containerd", "servers": ["web-01"]},
    "/v1/taskservs/{id}/configure": {"config": {}},
    "/v1/workflows/submit": WORKFLOW,
    "/v1/workflows": WORKFLOW,
    "/v1/schedules": WORKFLOW,
    "/v1/workflows/definitions": {"text": "title: Nothing\nsteps:\n  - {name: a, wait: {for: 0}}\n"},
}
SAME_AS_PATH = ("server_id", "taskserv_id")
# What the schema excludes by `not`, which the coverage phase does not read.
NO_HOSTNAME = re.compile(r"(all|ungrouped|(ip6-)?(localhost|loopback).*|.*\.localhost|(.*\.)?(\d+|0x[0-9a-f]*))$", re.I)


@schemathesis.hook
def map_case(context, case):
    """Name what exists in valid requests; invalid ones stay as they are.

    `after` and `digest` are left out: their only valid values are those that an earlier answer gave.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    if case.query:
        case.query.pop("after", None)
        case.query.update({name: value for name, value in NAMES.items() if name in case.query})
    if case.path_parameters and case.path.startswith("/v1/providers/"):
        case.path_parameters["name"] = NAMES["provider"]
    if isinstance(case.body, dict):
        case.body.update({name: value for name, value in NAMES.items() if name in case.body})
        case.body.update(BODIES.get(case.path, {}))
        case.body.pop("digest", None)
        case.body.update({name: case.path_parameters["id"] for name in SAME_AS_PATH if name in case.body})
        hostname = case.body.get("hostname")
        if isinstance(hostname, str) and NO_HOSTNAME.match(hostname):
            case.body["hostname"] = "web-02"
    return case
