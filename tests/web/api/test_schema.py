"""The document is true: whatever it allows or forbids, the interface answers as it says, and never with a fault of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from monitor.web.api import routers
from monitor.web.machines import router as machines
from tests.conftest import opened
from tests.web.api.conftest import Api, api_over
from tests.web.api.world import Story, fill

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]
BASE = "http://127.0.0.1:8000"


def document() -> dict[str, Any]:
    """What `/openapi.json` says, without a store."""
    app = FastAPI(title="parcelwatch", version="1")
    for router in (*routers, machines):
        app.include_router(router)
    return app.openapi()


SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = [each.ok() for each in SCHEMA.get_all_operations()]
LABELS = [operation.label for operation in OPERATIONS]


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Story]]:
    """A store with something of everything in it, shared by all calls."""
    folder = tmp_path_factory.mktemp("schema")
    (folder / "store.db").write_bytes(sqlite_template.read_bytes())
    with opened(f"sqlite:///{folder / 'store.db'}", folder) as store:
        story = fill(store)
        yield api_over(store, folder), story


def known(story: Story) -> dict[str, list[Any]]:
    """Path parameters that lead somewhere."""
    return {
        "number": list(story.tickets),
        "carrier": ["zhongtong", "中通"],
        "waybill_no": ["Z0", "Z1"],
        "id": [1, 2, 3],
    }


def ask(api: Api, story: Story, operation: Any, n: int) -> None:
    """Ask `n` times, with what the document allows and with what it forbids."""
    SCHEMA.app = operation.app = api.app
    real = known(story)

    @settings(
        max_examples=n,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE and case.path_parameters and data.draw(st.integers(0, 3)):
            case.path_parameters = {
                name: data.draw(st.sampled_from(real[name])) for name in case.path_parameters
            }
        case.call_and_validate(base_url=BASE, checks=CHECKS)

    one()


@pytest.mark.parametrize("operation", OPERATIONS, ids=LABELS)
def test_whatever_is_asked_the_answer_is_a_documented_one(filled: tuple[Api, Story], operation: Any) -> None:
    ask(*filled, operation, 25)


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=LABELS)
def test_the_same_asked_many_times(filled: tuple[Api, Story], operation: Any) -> None:
    ask(*filled, operation, 400)


def test_the_site_serves_this_very_document(filled: tuple[Api, Story]) -> None:
    api, _ = filled
    served = api("GET", "/openapi.json").json()
    assert served["openapi"].startswith("3.1")
    assert served["paths"] == document()["paths"], "no page of the console is in it"
    assert served["components"] == document()["components"]


def test_every_model_has_a_name_of_its_own() -> None:
    names = set(document()["components"]["schemas"])
    assert [name for name in names if not name.isalpha()] == []


def test_every_operation_documents_its_problems() -> None:
    for path, methods in document()["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in methods.items():
            told = set(operation["responses"])
            assert {"400", "413", "422", "500", "503"} <= told, (method, path)
            assert "{" not in path or "404" in told, (method, path)
            assert method == "get" or "415" in told, (method, path)
            assert operation["summary"]
            for status, answer in operation["responses"].items():
                kinds = set(answer["content"])
                assert kinds == {"application/problem+json" if status >= "400" else "application/json"}
