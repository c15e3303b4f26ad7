"""schemathesis against the OpenAPI document: what it promises is what is answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode, checks

from logship.collector import CollectorOptions, CollectorServer
from logship.collector.openapi import document
from tests.collector.conftest import APPLICATION_ID
from tests.rigs.machine import scaled

PROMISES = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
OPERATION_S = 40.0  # of a soak run: batches of batches take long to make up, and exports grow with what was posted
DOCUMENT = document(CollectorOptions(store="", port=0, application_ids=(APPLICATION_ID,)))
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store: Path = tmp_path_factory.mktemp("contract") / "events.db"
    with CollectorServer(store=str(store), application_ids=(APPLICATION_ID,)) as server:
        yield server.url


def test_the_document_that_is_served_is_the_one_that_is_tested(url: str) -> None:
    assert requests.get(url + "/openapi.json", timeout=10).json() == DOCUMENT


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_breaks_the_contract(url: str, path: str, method: str, mode: GenerationMode) -> None:
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    if mode is GenerationMode.NEGATIVE and not operation.body and not list(operation.iter_parameters()):
        return  # nothing about it can be wrong

    @settings(max_examples=scaled(12, 100), suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps_its_promises(case: Any) -> None:
        headers = {"X-Moesif-Application-Id": APPLICATION_ID}
        case.call_and_validate(base_url=url, headers=headers, checks=PROMISES, timeout=30)

    until_s = time.monotonic() + OPERATION_S
    keeps_its_promises()
    for number in range(scaled(0, 9)):  # 1,000 in all
        if time.monotonic() < until_s:
            seed(number)(keeps_its_promises)()  # others than the round before
