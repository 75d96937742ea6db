"""People who look at the admin, and what they do there."""

import html

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

CALLS = "admin:tpq_futures_callqueue_changelist"


def user_with(*codenames):
    """A client of somebody of the staff who has these permissions."""
    user = User.objects.create_user(f"u{User.objects.count()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def page(client, name=CALLS, *arguments, **query):
    """A page's text, without the markup's escapes."""
    answer = client.get(reverse(name, args=arguments), query)
    assert answer.status_code == 200, (answer.status_code, answer.headers.get("Location"))
    return html.unescape(answer.content.decode())


def act(client, action, *ids, name=CALLS, **more):
    """Choose an action for rows; the answer, after its redirect."""
    given = {"action": action, "index": "0", "_selected_action": [str(number) for number in ids], **more}
    return client.post(reverse(name), given, follow=True)


def told(answer):
    """The messages of a page."""
    return [str(message) for message in answer.context["messages"]]
