"""Makes the example ready to serve: secret key, database, static files, an administrator.

Everything goes to the folder `var` beside this file; run it as the user the site runs as. The administrator's password is read from
the environment variable EXAMPLE_ADMIN_PASSWORD, so that it does not show in the list of processes. Running it again keeps the
data, brings the database and the static files up to date, and sets the password anew.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VAR = HERE / "var"


def write_secret_key():
    """Writes a new secret key unless there is one; nobody else may read it."""
    try:
        handle = os.open(VAR / "secret-key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(50))


def set_administrator(name, password):
    """Creates the administrator, or gives an existing one this password."""
    from django.contrib.auth import get_user_model

    user, _ = get_user_model().objects.get_or_create(username=name)
    user.is_staff = user.is_superuser = True
    user.set_password(password)
    user.save()


def main():
    parser = argparse.ArgumentParser(description="Makes the example ready to serve.")
    parser.add_argument("--admin", default="admin", help="name of the administrator (default: admin)")
    arguments = parser.parse_args()
    password = os.environ.get("EXAMPLE_ADMIN_PASSWORD")
    if not password:
        sys.exit("prepare.py: set EXAMPLE_ADMIN_PASSWORD to the administrator's password")

    VAR.mkdir(exist_ok=True)
    write_secret_key()
    sys.path.insert(0, str(HERE))
    os.environ["DJANGO_SETTINGS_MODULE"] = "example.settings"

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    set_administrator(arguments.admin, password)


if __name__ == "__main__":
    main()
