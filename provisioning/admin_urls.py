"""All pages of the admin site, and their URLs; imported by the first request for one."""

from django.contrib import admin

admin.autodiscover()

urlpatterns = admin.site.get_urls()
