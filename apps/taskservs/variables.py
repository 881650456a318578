"""The Ansible variables of a role: its configuration, its secrets, and the members of the taskserv."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.servers.models import Server
from apps.taskservs.ansible.requests import RolePlay
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.plays import Play
from apps.taskservs.services import credentials

NO_ROW = "tsk-check"  # the id that a role gets where nothing is recorded, as in check mode


def role_play(play: Play, name: str) -> RolePlay:
    """Return a play as Ansible is asked for it, under a name. Raises SealBroken."""
    part, members = play.part, members_of(play)
    prefix = f"{part.definition.name}_"
    given = {**part.definition.complete(part.config), "version": part.version}
    sources = {"taskserv_package_sources": settings.TASKSERV_PACKAGE_SOURCES}
    has_password = "@" in str(sources)
    return RolePlay(
        taskserv=name,
        role_path=str(part.definition.directory),
        tasks=list(play.stages),
        server_ids=[server.id for server in play.hosts],
        variables={
            **{prefix + key: value for key, value in given.items()},
            "taskserv_name": part.definition.name,
            "taskserv_id": part.taskserv_id or NO_ROW,
            "taskserv_members": list(members.values()),
            "taskserv_purge": play.purge,
            "taskserv_downgrade": play.downgrade,
            **({} if has_password else sources),
        },
        secret_variables={
            **{prefix + key: value for key, value in secrets_of(play).items()},
            **(sources if has_password else {}),
        },
        host_variables={
            server.id: {"taskserv_role": members[server.id]["role"]} for server in play.hosts if server.id in members
        },
        serial=play.serial,
        stop_at_failure=play.serial is not None,
    )


def members_of(play: Play) -> dict[str, dict[str, Any]]:
    """Return the members by server's id, in order: host name, address, role, and a number that stays."""
    servers = {server.id: server for server in [*(play.members or play.part.servers), *play.hosts]}
    rows = Installation.objects.filter(taskserv=play.part.taskserv_id, server__in=servers).order_by("position")
    known = {row.server_id: (row.position, role_in(play, row)) for row in rows}
    numbered = {id: (at, play.part.definition.role_of(at)) for at, id in enumerate(servers)}
    placed = sorted({**numbered, **known}.items(), key=lambda item: item[1][0]) if known else numbered.items()
    return {id: member(servers[id], *place) for id, place in placed}


def role_in(play: Play, row: Installation) -> str:
    """Return the role that a member has in a play."""
    if play.primary is None:
        return row.role
    return play.part.definition.roles[0 if row.server_id == play.primary.id else -1]


def member(server: Server, index: int, role: str) -> dict[str, Any]:
    """Return one member as roles know it."""
    return {"hostname": server.hostname, "address": server.ip_address, "role": role, "index": index}


def secrets_of(play: Play) -> dict[str, Any]:
    """Return a taskserv's secrets; in check mode, where nothing is recorded, some of the right form."""
    row = Taskserv.objects.filter(pk=play.part.taskserv_id).first()
    return credentials.opened(row) if row else credentials.completed(play.part.definition, {})
