"""Write `.env` for docker compose: `.env.example` with every secret filled in, mode 0600.

    python docker/make_env.py

Needs nothing but Python. An `.env` that is there already is kept.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAKERS = {
    "POSTGRES_PASSWORD": lambda: secrets.token_urlsafe(24),
    "AIRFLOW_FERNET_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "AIRFLOW_SECRET_KEY": lambda: secrets.token_urlsafe(32),
    "AIRFLOW_JWT_SECRET": lambda: secrets.token_urlsafe(48),
    "AIRFLOW_ADMIN_PASSWORD": lambda: secrets.token_urlsafe(15),
}
"""How each required secret is made; all are safe inside a URL."""


def filled(example: str) -> str:
    """The text of `.env`: each `NAME=` of a secret gets a value of its own."""
    lines = []
    for line in example.splitlines():
        name = line.removesuffix("=")
        lines.append(f"{name}={MAKERS[name]()}" if name in MAKERS else line)
    return "\n".join(lines) + "\n"


def main(root: Path = ROOT) -> int:
    """Write it.

    Returns:
        The exit code: 1 if there is one already.
    """
    path = root / ".env"
    text = filled((root / ".env.example").read_text())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{path}: is there already and is kept; remove it to make a new one\n")
        return 1
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    sys.stdout.write(f"{path}: written; the password of the user admin is in it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
