"""clang-tidy over the project's sources, several of one folder at a time.

What a source includes takes most of the time that it is looked at for, so sources of one folder with the same flags are looked at as one
translation unit. Those that say different things by one name are kept apart as far as it can be seen in their text. A unit in which anything
is found is looked at again without the sources that are named, and each of those alone: a finding counts only if a source has it by itself.
"""

import collections
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess

CHECKER = "/usr/bin/clang-tidy-16"
OURS = r"(dataplane|smtp|control|board|perf|tests)"
MOST_IN_UNIT = 12
# `file:line:column: error: …` of a source, not of a header.
NAMED = re.compile(r"^(\S+\.cc):\d+:\d+: (?:error|warning): ", re.MULTILINE)
FINDING = re.compile(r": (?:error|warning): ")
# Names that a line at the left edge makes: a type or an alias; a function or a constant.
MADE = re.compile(r"(?:class|struct|union|enum(?: class)?|using) +(\w+)(?: |;)|(?!using|template)\w[^(={;]*\b(\w+)(?:\(|\{| =|;)")
MACRO = re.compile(r"#define +(\w+)")


class Source:
    """One of a build's compile commands."""

    def __init__(self, entry):
        self.path = pathlib.Path(entry["file"])
        words = [word for word in shlex.split(entry["command"]) if not word.endswith("ccache")]
        words = words[:words.index("-o")]
        self.folder = entry["directory"]
        self.flags = shlex.join(words)
        # Sources of one kind may be one translation unit.
        self.kind = (self.path.parent, self.folder, self.flags)

    def names(self):
        """What only this source means by it: its macros, and what its unnamed namespaces make at the left edge."""
        found = set()
        unnamed = False
        for line in self.path.read_text().splitlines():
            if line == "namespace {":
                unnamed = True
            elif line == "}  // namespace":
                unnamed = False
            made = (MADE.match(line) if unnamed else None) or MACRO.match(line)
            if made:
                found.update(name for name in made.groups() if name)
        return found


def sources_of(build, wanted):
    """The sources of a build of which `wanted` says yes, in groups of one kind."""
    kinds = collections.OrderedDict()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = Source(entry)
        if wanted(source.path):
            kinds.setdefault(source.kind, []).append(source)
    return list(kinds.values())


def units_of(sources):
    """Sources of one kind, in lists of at most MOST_IN_UNIT whose names differ."""
    units = []
    for source in sources:
        names = source.names()
        for unit, taken in units:
            if len(unit) < MOST_IN_UNIT and not names & taken:
                unit.append(source)
                taken |= names
                break
        else:
            units.append(([source], names))
    return [unit for unit, _ in units]


class Checker:
    """Runs clang-tidy; thread-safe."""

    def __init__(self, folder):
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)

    def findings(self, number, unit):
        """What clang-tidy says of sources together: text, empty if it finds nothing."""
        home = self._folder / str(number)
        home.mkdir(exist_ok=True)
        if len(unit) == 1:
            path = unit[0].path
        else:
            path = home / "unit.cc"
            path.write_text("".join(f'#include "{source.path}"  // NOLINT(bugprone-suspicious-include)\n' for source in unit))
        commands = [{"directory": unit[0].folder, "file": str(path), "command": f"{unit[0].flags} -o {home}/unit.o -c {shlex.quote(str(path))}"}]
        (home / "compile_commands.json").write_text(json.dumps(commands))
        done = subprocess.run([CHECKER, "-p", home, "--quiet", f"--header-filter=.*/{OURS}/.*\\.(h|cc)$", path], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode == 0 and not FINDING.search(done.stdout):
            return ""
        # Never empty: a checker that was killed has found nothing to be clean.
        return f"{done.stdout or done.stderr}{CHECKER} ended with status {done.returncode}: {path}\n"

    def check(self, number, unit):
        """What is found in sources, each by itself."""
        said = self.findings(number, unit)
        if not said or len(unit) == 1:
            return said
        named = {pathlib.Path(name) for name in NAMED.findall(said)}
        apart = [source for source in unit if source.path in named] or unit
        rest = [source for source in unit if source not in apart]
        return (self.check(number, rest) if rest else "") + "".join(self.check(number, [source]) for source in apart)


def tidy(build, wanted, at_once, progress):
    """What clang-tidy finds in the sources of a configured build of which `wanted` says yes, as text."""
    units = [unit for sources in sources_of(build, wanted) for unit in units_of(sources)]
    if not units:
        return f"{build}: error: no sources to look at\n"
    checker = Checker(build / "units")
    found = []
    done = 0
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for unit, said in zip(units, pool.map(checker.check, range(len(units)), units)):
            done += len(unit)
            progress(f"[{done}/{sum(map(len, units))}] {unit[0].path.parent.relative_to(build.parent.parent)}: {len(unit)} sources{': findings' if said else ''}")
            if said:
                found.append(said)
    return "".join(found)
