"""`make mutants`: a random sample of mutants, each met by the tests that execute its line.

Nothing of it needs Kafka or ClickHouse. Those that change no answer, for a reason that stands in
`tests.mutation.equivalent`, are not drawn. What no test saw is listed in out/mutants.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

from tests.mutation.equivalent import why_equivalent
from tests.mutation.executed import FILES_VARIABLE, OUT_VARIABLE, ExecutedLines
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.planting import (
    ROOT,
    Outcome,
    Task,
    import_what_is_heavy,
    run_all,
    run_tests,
)

AGGREGATOR: Final = "services/aggregator"
#: What decides, whole wings of it, and what ties them together. Not the pipes to the decoders.
WINGS: Final = ("arrays", "core", "storage")
MODULES: Final = (
    *(f"{AGGREGATOR}/{name}.py" for name in ("meter", "flush", "recovery", "handover")),
    *(f"{AGGREGATOR}/{name}.py" for name in ("agent", "watchdog")),
    *(f"{AGGREGATOR}/kafka/{name}.py" for name in ("transport", "raw_fetch", "log_offsets")),
    *(f"{AGGREGATOR}/decoding/{name}.py" for name in ("canonical", "columns", "gateways")),
    *(f"{AGGREGATOR}/decoding/{name}.py" for name in ("labels", "phrases", "record_batch")),
    *(f"{AGGREGATOR}/decoding/{name}.py" for name in ("forms", "known_forms", "label_texts")),
    *(f"{AGGREGATOR}/decoding/{name}.py" for name in ("amounts", "canonical_times")),
    f"{AGGREGATOR}/decoding/record_starts.py",
)
TESTS: Final = (
    "tests/unit/services/aggregator",
    "tests/property/test_ids_seen.py",
    "tests/property/test_exactly_once.py",
    "tests/property/test_forms_equal_decoder.py",
)
#: Property tests run so many examples here; `make test` runs more.
EXAMPLES: Final = "100"
#: Tests of one mutant, by the time they take without it.
TESTS_SECONDS_MAX: Final = 20.0
#: A mutant that makes its tests take so long is caught: they would never end.
MUTANT_SECONDS_MAX: Final = 180.0
CAUGHT_MIN: Final = 0.95
#: What pytest says of a module of tests that cannot be imported. (All could, without a mutant.)
NOT_IMPORTED: Final = "ERROR collecting"
#: What it says of a test that is not there: its name has a value in it that the mutant changes.
NOT_FOUND: Final = "ERROR: not found"


@dataclass(slots=True)
class Finding:
    """What became of a mutant."""

    mutant: Mutant
    caught: bool
    tests: int
    how: str


def main() -> int:
    """Run, print and write; 1 if fewer than 95 % are caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=400, help="how many; 0 for all")
    parser.add_argument("--seed", type=int, help="the same seed draws the same sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--module", action="append", help="only this file; may be given again")
    parser.add_argument("--out", type=Path, default=ROOT / "out/mutants.json")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else Random().randrange(2**31)
    options.out.parent.mkdir(exist_ok=True)
    files = options.module or modules()
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in files}
    every = [mutant for file in files for mutant in mutants_of(file, texts[file])]
    drawn = [mutant for mutant in every if why_equivalent(mutant, texts[mutant.file]) is None]
    total, equivalent = len(every), len(every) - len(drawn)
    if options.sample and options.sample < len(drawn):
        drawn = Random(seed).sample(drawn, options.sample)
    print(
        f"{total} mutants of {len(files)} modules, {equivalent} change no answer,"
        f" {len(drawn)} of the others drawn with seed {seed}",
        flush=True,
    )
    import_what_is_heavy()
    os.environ["WATTOKEN_PROPERTY_EXAMPLES"] = EXAMPLES
    executed = executed_lines(files, options.out.with_name("mutants-map.json"))
    findings = run(drawn, texts, executed, options.jobs)
    return report(findings, seed, total, equivalent, options.out)


def modules() -> list[str]:
    """Every module that mutants are made of."""
    of_wings = (path for wing in WINGS for path in sorted((ROOT / AGGREGATOR / wing).glob("*.py")))
    return [
        *MODULES,
        *(str(path.relative_to(ROOT)) for path in of_wings if path.name != "__init__.py"),
    ]


def executed_lines(files: list[str], out: Path) -> ExecutedLines:
    """Run every test once on the code as it is, and learn what it executes."""
    began = time.monotonic()
    os.environ |= {FILES_VARIABLE: os.pathsep.join(files), OUT_VARIABLE: str(out)}
    outcome = run_tests({}, ["-p", "tests.mutation.executed", *TESTS], seconds_max=3000)
    if not outcome.passed:
        sys.exit(f"the tests fail without a mutant:\n{outcome.output[-4000:]}")
    print(f"every test passes without one, {time.monotonic() - began:.0f} s", flush=True)
    return ExecutedLines.read(out)


def run(
    drawn: list[Mutant], texts: dict[str, str], executed: ExecutedLines, jobs: int
) -> list[Finding]:
    """Run the tests of each mutant, so many at a time."""
    findings: list[Finding] = []
    tasks: dict[Mutant, Task] = {}
    for mutant in drawn:
        last = mutant.line + mutant.old.count("\n")
        tests = executed.tests_of(mutant.file, mutant.line, last, TESTS_SECONDS_MAX)
        if tests:
            planted = {mutant.file: mutant.planted_in(texts[mutant.file])}
            tasks[mutant] = Task(planted, tests, MUTANT_SECONDS_MAX)
        else:
            findings.append(Finding(mutant, False, 0, "no test executes it"))
    renamed: dict[Mutant, Task] = {}
    for mutant, outcome in run_all(tasks, jobs):
        if not outcome.ran and NOT_FOUND in outcome.output:
            renamed[mutant] = with_every_value(tasks[mutant])
            continue
        findings.append(finding(mutant, len(tasks[mutant].tests), outcome))
        tell(findings, len(drawn))
    for mutant, outcome in run_all(renamed, jobs):
        findings.append(finding(mutant, len(renamed[mutant].tests), outcome))
        tell(findings, len(drawn))
    return findings


def with_every_value(task: Task) -> Task:
    """The same tests, whichever values their names have: those of the mutant, not of the code."""
    return replace(task, tests=list(dict.fromkeys(name.partition("[")[0] for name in task.tests)))


def finding(mutant: Mutant, tests: int, outcome: Outcome) -> Finding:
    """Judge a mutant. Tests that could not be run at all would prove nothing.

    But where a module cannot even be imported with it, every test that needs the module sees it.
    """
    if not outcome.ran and NOT_IMPORTED not in outcome.output:
        sys.exit(f"{mutant.name}: the tests could not be run\n{outcome.output[-4000:]}")
    how = "not seen" if outcome.passed else "no end" if outcome.code is None else "a test failed"
    return Finding(mutant, not outcome.passed, tests, how)


def tell(findings: list[Finding], total: int) -> None:
    """Print a survivor, and now and then how far it is."""
    last = findings[-1]
    if not last.caught:
        print(f"  not seen by {last.tests} tests: {last.mutant.name}", flush=True)
    if len(findings) % 20 == 0 or len(findings) == total:
        caught = sum(found.caught for found in findings)
        print(f"{len(findings)} of {total}: {caught} caught", flush=True)


def report(findings: list[Finding], seed: int, total: int, equivalent: int, out: Path) -> int:
    """Print the result and write it."""
    caught = sum(found.caught for found in findings)
    survivors = sorted(found.mutant.name for found in findings if not found.caught)
    by_file = Counter(found.mutant.file for found in findings)
    lost = Counter(found.mutant.file for found in findings if not found.caught)
    result = {
        "seed": seed,
        "mutants": total,
        "equivalent": equivalent,
        "sample": len(findings),
        "caught": caught,
        # Of those. On a busy machine a look at them is worth it.
        "never_ended": sum(found.how == "no end" for found in findings),
        "caught_ratio": round(caught / max(len(findings), 1), 4),
        "by_module": {
            file: [by_file[file] - lost[file], by_file[file]] for file in sorted(by_file)
        },
        "survivors": survivors,
    }
    out.write_text(json.dumps(result, indent=2) + "\n")
    for file in sorted(by_file):
        print(f"{by_file[file] - lost[file]:5} of {by_file[file]:4}  {file}")
    print(f"{caught} of {len(findings)} caught ({result['caught_ratio']:.1%}), seed {seed}: {out}")
    return 0 if caught >= CAUGHT_MIN * len(findings) else 1


if __name__ == "__main__":
    sys.exit(main())
