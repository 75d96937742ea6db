"""Schedules in the admin, in a project as `startproject` makes it."""

import re

import pytest

from tests.docs.reader import Reader

DATABASES = (
    'from django_tpq.embedded import embedded\nDATABASES = {"default": embedded(BASE_DIR / ".postgres")}\n'
)
TASKS = """
from datetime import timedelta
from django_tpq.futures import Cron, Every
from django_tpq.futures.decorators import task

@task
def greet(name):
    return name

@task(schedule=Cron("30 2 * * *", tz="Europe/Berlin"))
def nightly():
    pass
"""
LOGIN = r"""
import html, re
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django_tpq.futures.models import Schedule

settings.ALLOWED_HOSTS.append("testserver")
client = Client()
client.force_login(User.objects.get_or_create(username="ada", is_staff=True, is_superuser=True)[0])
PLACE = "/admin/tpq_futures/schedule/"
FORM = {
    "name": "each minute", "task": "myapp.tasks.greet", "args": '["ada"]', "kwargs": "", "enabled": "on", "cron": "",
    "timezone": "UTC", "every": "00:01:00", "jitter": "0", "misfire": "latest", "grace": "60", "overlap": "skip",
}

def errors(answer):
    page = html.unescape(answer.content.decode())
    return re.findall(r'<ul class="errorlist.*?<li>(.*?)</li>', page, re.DOTALL)
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("admin") / "project")
    settings = reader.path / "project/settings.py"
    text = settings.read_text().replace(
        "INSTALLED_APPS = [", "INSTALLED_APPS = ['django_tpq.main', 'django_tpq.futures', 'myapp',"
    )
    settings.write_text(re.sub(r"^DATABASES = \{.*?^\}\n", DATABASES, text, flags=re.MULTILINE | re.DOTALL))
    (reader.path / "myapp/tasks.py").write_text(TASKS)
    reader.run("manage.py", "migrate")
    reader.run("manage.py", "executor", "--once")
    return reader


@pytest.fixture
def call(reader):
    """Do something in the admin; what it printed."""
    return lambda text: reader.call(LOGIN + text)


def test_people_add_a_schedule_and_it_is_followed(reader, call):
    added = """
answer = client.post(PLACE + "add/", {**FORM, "name": "added"})
print(answer.status_code, Schedule.objects.get(name="added").source)
page = client.get(PLACE).content.decode()
print("added" in page, "every 0:01:00" in page, "30 2 * * * (Europe/Berlin)" in page)
"""
    assert call(added) == "302 people\nTrue True True\n"
    reader.run("manage.py", "executor", "--once")
    assert call('print(Schedule.objects.get(name="added").next_at is not None)') == "True\n"


def test_what_can_not_be_followed_is_refused_with_its_reason(call):
    told = call("""
for wrong in ({"args": "[1, 2]"}, {"cron": "61 * * * *", "every": ""}, {"every": ""}, {"task": "gone.task"}):
    print(*errors(client.post(PLACE + "add/", {**FORM, **wrong})))
print(Schedule.objects.filter(name="each minute").exists())
""").splitlines()
    assert "too many positional arguments" in told[0]
    assert "is no cron expression: Bad minute" in told[1]
    assert "Give a cron expression, or every so often" in told[2]
    assert told[3].strip() == "Select a valid choice. gone.task is not one of the available choices."
    assert told[4] == "False"


def test_the_page_offers_the_tasks_that_there_are(call):
    shown = """
page = client.get(PLACE + "add/").content.decode()
print('<option value="myapp.tasks.greet">' in page, '<option value="myapp.tasks.nightly">' in page)
"""
    assert call(shown) == "True True\n"


def test_the_page_of_a_schedule_whose_task_is_gone_names_it(call):
    shown = """
gone = Schedule.objects.create(name="gone", task="myapp.tasks.gone", cron="0 9 * * *")
place = f"{PLACE}{gone.pk}/change/"
print('<option value="myapp.tasks.gone" selected>' in client.get(place).content.decode())
print('value="myapp.tasks.gone"' in client.get(PLACE + "add/").content.decode())
print(*errors(client.post(place, {**FORM, "task": "myapp.tasks.gone"})))
gone.delete()
print(client.get(place).status_code)
"""
    assert call(shown).splitlines() == [
        "True",
        "False",
        "There is no task 'myapp.tasks.gone': its name is module.function, if it was given no other.",
        "302",
    ]


def test_of_a_schedule_in_code_people_say_only_whether_it_is_enabled(call):
    changed = """
nightly = Schedule.objects.get(source="code")
place = f"{PLACE}{nightly.pk}/change/"
page = client.get(place).content.decode()
print('name="enabled"' in page, 'name="cron"' in page)
print(client.post(place, {"cron": "0 0 * * *"}).status_code)
print(*Schedule.objects.filter(source="code").values_list("cron", "enabled"))
for action in ("enable", "disable", "enable"):
    client.post(PLACE, {"action": action, "_selected_action": [nightly.pk]})
    print(Schedule.objects.get(source="code").enabled)
"""
    assert call(changed).splitlines() == [
        "True False",
        "302",
        "('30 2 * * *', False)",
        "True",
        "False",
        "True",
    ]
