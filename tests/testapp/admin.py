"""Queues of one's own in the admin."""

from django.contrib import admin

from django_tpq.futures.admin import CallQueueAdmin
from django_tpq.main.admin import QueueAdmin
from tests.testapp.models import MailQueue, PlainQueue, TenantQueue

admin.site.register(MailQueue, CallQueueAdmin)
admin.site.register([PlainQueue, TenantQueue], QueueAdmin)
