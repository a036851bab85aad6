"""The service does what its description says, whatever is sent to it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from shared.http.limits import Limits
from tests.http.stand import LOCAL, Log, Service, bearer

SERVICE = Service(LOCAL, Limits(burst=10**9))
SERVICE.log = Log([2, 0, 5, 1])
schema = schemathesis.openapi.from_asgi("/openapi.json", SERVICE.app).exclude(path_regex="/(bug|outage|slow)")


@pytest.mark.filterwarnings("ignore::pytest.PytestWarning")
@schema.parametrize()
@settings(max_examples=15, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_the_service_keeps_to_its_description(case: Case):
    # A cursor is opaque: no pattern says which ones were given out.
    unsayable = [positive_data_acceptance] if case.operation.path.endswith("/things") else []
    case.call_and_validate(headers=bearer("ops staff"), excluded_checks=unsayable)
