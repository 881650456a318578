"""Who may go on following an event stream."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from apps.accounts.models import TokenFamily, User
from apps.accounts.services import issue
from apps.operations.api.streams import session_allows, token_allows


def session_of(person):
    session = SessionStore()
    session["_auth_user_id"], session["_auth_user_backend"] = str(person.pk), settings.AUTHENTICATION_BACKENDS[1]
    session["_auth_user_hash"] = person.get_session_auth_hash()
    session.create()
    return session


def test_a_stream_may_not_go_on_for_who_has_lost_the_right(db):
    person = User.objects.create_user("bob", is_staff=True)
    person.groups.add(Group.objects.get(name="viewer"))
    family = TokenFamily.objects.create(user=person, expires_at="2999-01-01T00:00:00Z")
    request = HttpRequest()
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {issue(person, family.pk, family.current).token}"
    session = session_of(person).session_key
    assert token_allows(request) and session_allows(session)
    person.groups.clear()
    assert not token_allows(request) and not session_allows(session)
    person.groups.add(Group.objects.get(name="viewer"))
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert not token_allows(request) and not session_allows(session)
