"""A small Django site: its admin, with templates, sessions, messages and CSRF protection. The page of the comparison is the admin's
login. No database is asked for it, so none is made.

Each answer says in a header how much CPU time its thread spent in Django, so that what a server adds to that can be told apart."""

import time

import django
from django.conf import settings
from django.urls import path

settings.configure(
    SECRET_KEY="for measurements only",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    STATIC_URL="/static/",
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib import admin  # noqa: E402  needs the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402

urlpatterns = [path("admin/", admin.site.urls)]
page = get_wsgi_application()


def application(environ, start_response):
    start = time.thread_time_ns()
    told = []
    answer = page(environ, lambda *status_and_headers: told.append(status_and_headers))
    # The page is rendered already; what is left of it is to be counted as well.
    body = list(answer)
    answer.close()
    status, headers, *rest = told[-1]
    took = time.thread_time_ns() - start
    start_response(status, [*headers, ("X-Application-CPU", str(took))], *rest)
    return body
