#!/usr/bin/python3
"""./dev bench NAME: measures, prints a table, and keeps the record in build/bench/NAME.json.

--check measures again and prints each change against docs/performance/NAME.json: it fails only on a wrong answer or on a key that the
kept record has and the fresh one lacks, because speed depends on the machine. --keep puts the fresh record in the kept one's place.
"""

import argparse
import json
import os
import pathlib
import signal
import sys

from benches import dataplane, machine, peers, record, scaling, sockets, swap, table
from benches.running import Failure

ROOT = machine.ROOT
BENCHES = {"table": table, "sockets": sockets, "swap": swap, "dataplane": dataplane, "peers": peers, "scaling": scaling}


def options_of(words):
    names = "\n".join(f"  {name:9} {module.__doc__.splitlines()[0]}" for name, module in BENCHES.items())
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, epilog="benchmarks:\n" + names,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=list(BENCHES), metavar="NAME", help="which; see below")
    parser.add_argument("--check", action="store_true", help="compare with the kept record")
    parser.add_argument("--keep", action="store_true", help="put the fresh record into docs/performance/")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that everything runs, measures little")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path(os.environ.get("POSTERN_BIN", ROOT / "build" / "bench" / "bin")),
                        help="folder of the programs")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench", help="folder of the records")
    options = parser.parse_args(words)
    if options.quick and (options.keep or options.check):
        parser.error("--quick measures too little to be kept or compared")
    if options.name is None:
        parser.print_help()
        parser.exit(2)
    return options


def check(fresh, kept_path):
    """Prints the changes; true if no key is missing."""
    try:
        kept = json.loads(kept_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        print(f"no kept record {kept_path} to compare with; ./dev bench {fresh['benchmark']} --keep makes it")
        return True
    lines, missing = record.compare(kept, fresh)
    print(f"\nagainst {kept_path.name} of {kept.get('when', '?')}, commit {kept['commit']['id'][:12]}:")
    print("\n".join(lines))
    for key in missing:
        print(f"missing: {key}")
    return not missing


def main(words):
    options = options_of(words)
    # Servers and load are ended by the way out of their `with`, also when we are told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kept_path = ROOT / "docs" / "performance" / f"{options.name}.json"
    fresh = record.Record(options.name, options.quick, machine.describe(), machine.commit())
    try:
        BENCHES[options.name].run(fresh, options.bin, options.quick)
    except Failure as failure:
        print(f"./dev bench {options.name}: {failure}", file=sys.stderr)
        return 3
    content = fresh.content
    for fault in record.check_form(content):
        print(f"record: {fault}", file=sys.stderr)
        return 3
    path = options.out / f"{options.name}.json"
    record.write(content, path)
    print(f"\n{options.name} ({content['size']}): {content['machine']['cpu']}, {content['machine']['cores']} cores, "
          f"Linux {content['machine']['kernel']}, commit {content['commit']['id'][:12]}"
          f"{'' if content['commit']['clean'] else ' with changes'}\n")
    print(record.table(content))
    if hasattr(BENCHES[options.name], "summary"):
        print("\n" + BENCHES[options.name].summary(content))
    for words_of_fault in content["wrong"]:
        print(f"WRONG: {words_of_fault}")
    print(f"\nrecord: {path}")
    if hasattr(BENCHES[options.name], "plot"):
        BENCHES[options.name].plot(content, path.with_suffix(".svg"))
        print(f"plot: {path.with_suffix('.svg')}")
    complete = check(content, kept_path) if options.check else True
    if options.keep:
        if content["wrong"] or not content["commit"]["clean"]:
            print("not kept: " + ("wrong answers" if content["wrong"] else "the tree has changes that are in no commit"), file=sys.stderr)
            return 1
        record.write(content, kept_path)
        if hasattr(BENCHES[options.name], "plot"):
            BENCHES[options.name].plot(content, kept_path.with_suffix(".svg"))
        print(f"kept: {kept_path}")
    return 1 if content["wrong"] or not complete else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
