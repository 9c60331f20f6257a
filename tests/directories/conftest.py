import pytest
from samba import DomainController


@pytest.fixture(scope="session")
def domain_controller(tmp_path_factory):
    """One for all tests, which keep to organisational units of their own: making one takes longer than they do."""
    with DomainController(tmp_path_factory.mktemp("samba")) as running:
        yield running
