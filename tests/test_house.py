"""The house: what is installed, whose name is whose, and what must never be committed."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OURS = ("domain", "carriers", "rules", "notifiers", "monitor")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CORE = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
EXTRAS = [
    Requirement(line) for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra
]
CONSOLE = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["console"]]
LAB = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["lab"]]
BUILD = [Requirement(line) for line in PROJECT["build-system"]["requires"]]
LOCK = (ROOT / "requirements.txt").read_text("utf-8")

COMPANIONS = {"yarl", "h11", "markupsafe", "pydantic", "starlette", "numpy"}
"""Not declared, because they are part of the interface of one that is: aiohttp speaks in yarl's URLs, FastAPI in
Starlette's requests and Pydantic's models, uvicorn in h11's states, Jinja in MarkupSafe's texts, pandas in numpy's arrays."""

IGNORED = {"__pycache__", "build", "dist", "node_modules"}
HOUSE = {".ci", ".pre-commit-config.yaml", ".editorconfig", ".gitattributes", ".gitignore"}


def files() -> Iterator[Path]:
    """Every file of the project, with or without git: all but caches, environments and databases."""
    yield from _within(ROOT)


def _within(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name not in HOUSE
        if hidden or path.name in IGNORED or path.name.endswith(".egg-info") or ".db" in path.suffixes:
            continue
        if path.is_dir():
            yield from _within(path)
        else:
            yield path


# --- what is installed -------------------------------------------------------------------------------


def closure(wanted: list[Requirement]) -> set[str]:
    """The distributions that installing `wanted` brings, by what is installed here."""
    found: set[str] = set()
    todo = [(each, extra) for each in wanted for extra in ["", *each.extras]]
    while todo:
        each, extra = todo.pop()
        if each.marker is not None and not each.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(each.name)
        needs = [Requirement(line) for line in importlib.metadata.requires(name) or ()]
        for inner in ["", *each.extras]:
            if f"{name}[{inner}]" not in found:
                found.add(f"{name}[{inner}]")
                todo += [(need, inner) for need in needs]
    return {name.partition("[")[0] for name in found}


def test_the_core_stays_small() -> None:
    core = closure(CORE)
    assert {"sqlalchemy", "httpcore", "mako", "yarl"} <= core, "what others bring counts too"
    assert len(core) <= 30, sorted(core)


def test_nothing_is_imported_that_is_not_declared() -> None:
    """Something else may bring it today, and not tomorrow. The console's and the lab's packages are
    in their own folders alone: the daemon runs without them."""
    owners = importlib.metadata.packages_distributions()
    core, console, lab, all_ = (
        {canonicalize_name(each.name) for each in part}
        for part in (CORE, CORE + CONSOLE, CORE + LAB, CORE + EXTRAS)
    )

    def allowed_in(path: Path) -> set[str]:
        parts = path.relative_to(ROOT).parts
        if parts[0] not in OURS:
            return all_
        if parts[1] == "lab":
            return lab
        return console if parts[:2] in (("monitor", "web"), ("monitor", "demo")) else core

    undeclared = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files()
        if path.suffix == ".py"
        for name in _imports(path)
        if name not in sys.stdlib_module_names | COMPANIONS
        if not (ROOT / name).is_dir() and not (path.parent / name).is_dir()
        if not {canonicalize_name(owner) for owner in owners.get(name, [])} & allowed_in(path)
    ]
    allowed = [
        each for each in undeclared if each.endswith(": psycopg")
    ]  # the extra [postgres], by its own driver
    assert undeclared == allowed


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


# --- the lock ------------------------------------------------------------------------------------------


def locked() -> dict[str, Requirement]:
    """What the lock says, by canonical name."""
    lines = [
        line for line in LOCK.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")
    ]
    pinned = [Requirement(line.partition(" --hash=")[0]) for line in lines]
    return {canonicalize_name(each.name): each for each in pinned}


def test_every_line_of_the_lock_is_one_version_with_its_hashes() -> None:
    lines = [
        line for line in LOCK.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")
    ]
    exactly = re.compile(r"[a-z0-9-]+==[^\s;]+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [line[:60] for line in lines if not exactly.fullmatch(line)] == []
    assert len(lines) > 30
    assert "://" not in LOCK


def test_the_lock_fits_the_project() -> None:
    pins = locked()
    for each in CORE + EXTRAS + BUILD:
        if each.name == "parcelwatch":
            continue
        pin = pins.get(canonicalize_name(each.name))
        assert pin is not None, f"{each.name} is not in the lock: make lock"
        assert next(iter(pin.specifier)).version in each.specifier, f"{pin} is not {each}: make lock"


# --- whose name is whose ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_each_of_our_names_has_one_owner_and_one_home(name: str) -> None:
    """Public packages of these names exist, and would overwrite or shadow ours in silence."""
    assert set(importlib.metadata.packages_distributions().get(name, [])) <= {"parcelwatch"}
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).parent == ROOT / name
    homes = {
        (Path(entry or ".") / name).resolve()
        for entry in sys.path
        if (Path(entry or ".") / name).is_dir() or (Path(entry or ".") / f"{name}.py").exists()
    }
    assert homes == {ROOT / name}


@pytest.mark.parametrize("folder", ["config", "systemd", "docs"])
def test_what_people_edit_holds_no_python(folder: str) -> None:
    assert any((ROOT / folder).iterdir())
    assert [
        path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".pyc", ".pyi", ".pth"}
    ] == []


def test_the_wheel_holds_our_packages_and_the_configuration_inside_monitor(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    assert {name.partition("/")[0] for name in names} == {
        *OURS,
        f"parcelwatch-{PROJECT['project']['version']}.dist-info",
    }
    assert any(name.startswith("monitor/_config/") and name.endswith(".toml") for name in names)
    assert "monitor/__main__.py" in names
    data = {path.relative_to(ROOT).as_posix() for path in files() if path.relative_to(ROOT).parts[0] in OURS}
    assert data <= set(names), "templates, static files and migrations travel along"


# --- what must never be committed -----------------------------------------------------------------------

REGISTRIES = "|".join(
    re.escape(first + second)
    for first, second in [
        ("py", "pi.org"), ("python", "hosted"), ("npm", "js.org"), ("npm", "js.com"), ("deb.", "debian.org"),
        ("crates", ".io"), ("proxy.go", "lang.org"),
    ]
)  # fmt: skip
MACHINES = (
    r"(?<![\w.-])/(?:"
    + "wo"
    + r"rk/(?:main|shared|steering|venv)|fa"
    + r"rm/in/|ro"
    + r"ot/|ho"
    + r"me/\w+/)"
)
UNWANTED = re.compile(f"{REGISTRIES}|{MACHINES}")


def test_no_file_names_a_registry_or_a_machines_path() -> None:
    told = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        for match in [UNWANTED.search(path.read_bytes().decode("utf-8", "ignore"))]
        if match
    ]
    assert told == []


def test_the_search_for_unwanted_words_finds_them() -> None:
    for text in ("https://py" + "pi.org/simple", "x /wo" + "rk/main/domain", "cd /ro" + "ot/x"):
        assert UNWANTED.search(text), text
    assert not UNWANTED.search("docs/work" + "/main and roots/")


def test_text_files_end_their_lines_as_unix_does() -> None:
    """Samples and tables keep the bytes they came with."""
    text = {".py", ".toml", ".md", ".txt", ".service", ".html", ".css", ".js", ".ini", ".yaml", ""}
    told = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix in text and "samples" not in path.parts and b"\r\n" in path.read_bytes()
    ]
    assert told == []


# --- the commands ------------------------------------------------------------------------------------------


def test_make_lists_every_command_people_and_ci_use() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commands = {line.split()[0] for line in listed.splitlines() if line.strip()}
    assert {
        "setup",
        "demo",
        "run",
        "test",
        "lint",
        "types",
        "contracts",
        "cover",
        "bench",
        "lock",
        "clean",
    } <= commands
    ci = re.findall(r"^step make (\S+)$", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    assert ci == ["setup", "lint", "types", "contracts", "test"]
    assert set(ci) <= commands


def test_an_older_python_is_refused_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")  # what `sys.exit(sys.version_info < (3, 11))` says on it
    old.chmod(0o755)
    command = ["make", "setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert tried.returncode == 2
    assert "需要 Python 3.11" in tried.stderr
    assert not (tmp_path / "venv").exists()
