"""What every whole-process test can ask for: the size it is to run in, the programs, and a line in the summary.

    full      True when the test is to run in the full size that its requirement names (`--full`, `./dev test --all`)
    binaries  folder of the programs under test (environment POSTERN_BIN, else the first build found)
    build     "asan", "tsan" or "bench": how they were built (environment POSTERN_BUILD)
    facts     facts("1,000 swaps, 31,000 RCPT/s") puts a line of what was measured under the test's name in the summary

    port_network  nothing, and once more with a network port of Postern's own (lib/port_network.py): the same test over both transports

Markers: `release` runs against the release build (where speed or memory is judged), `threads` against the ThreadSanitizer build;
without either, the AddressSanitizer build. `packets`: over a port of Postern's own in the small size, too; other tests that ask for
`port_network` are so in the full size alone.
"""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
for folder in (ROOT / "tests" / "lib", ROOT / "perf"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

FACTS = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="every test in the full size that its requirement names (hours)")


def pytest_configure(config):
    config.addinivalue_line("markers", "release: judged on the release build (speed, memory)")
    config.addinivalue_line("markers", "threads: runs against the ThreadSanitizer build")
    config.addinivalue_line("markers", "packets: over a port of Postern's own in the small size, too")
    config.stash[FACTS] = []
    # One folder of programs for every helper: tests/lib reads the same variable.
    if "POSTERN_BIN" not in os.environ:
        for preset in ("asan", "bench", "release", "tsan"):
            folder = ROOT / "build" / preset / "bin"
            if folder.is_dir():
                os.environ["POSTERN_BIN"] = str(folder)
                break


def pytest_generate_tests(metafunc):
    if "port_network" in metafunc.fixturenames:
        both = metafunc.config.getoption("--full") or metafunc.definition.get_closest_marker("packets")
        metafunc.parametrize("port_network", ["sockets", "dpdk"] if both else ["sockets"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def port_network(request):
    if request.param == "sockets":
        yield None
        return
    from lib.namespace import possible  # noqa: PLC0415: tests/lib is known by now
    from lib.port_network import PortNetwork  # noqa: PLC0415

    if possible():
        pytest.skip(possible())
    with PortNetwork.of("net_af_packet") as network:
        yield network


@pytest.fixture(scope="session")
def full(request):
    return request.config.getoption("--full")


@pytest.fixture(scope="session")
def binaries():
    """The folder of the programs under test."""
    if "POSTERN_BIN" not in os.environ:
        pytest.fail("no build found: build first (./dev test), or set POSTERN_BIN to a folder of programs")
    return pathlib.Path(os.environ["POSTERN_BIN"]).resolve()


@pytest.fixture(scope="session")
def build(binaries):
    return os.environ.get("POSTERN_BUILD") or binaries.parent.name


@pytest.fixture
def facts(request):
    """Keeps words on what this test measured for the summary, and in the JUnit report."""

    def add(words):
        request.config.stash[FACTS].append((request.node.nodeid, words))
        request.node.user_properties.append(("facts", words))

    return add


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """A failure shows what the programs that run meanwhile logged last."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    from lib.postern import Program  # noqa: PLC0415: tests/lib is known by now

    for program in Program.launched:
        if program.running or report.when == "setup":
            report.sections.append((f"last of {program.log_file}", program.log_text()[-4000:]))


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[FACTS]:
        terminalreporter.section(f"measured ({'full' if config.getoption('--full') else 'small'} size)")
        for name, words in config.stash[FACTS]:
            terminalreporter.write_line(f"{name}: {words}")
