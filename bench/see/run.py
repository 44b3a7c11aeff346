"""./dev bench see [CASE...]: what looking into a program and testing it costs, and how fast it is.

Called by ./dev, which has built the library and says where in BIDE_BUILD. Each case is a file
case_NAME.py of this folder: NAME, UNIT, BAR, and measure(programs), which builds what it needs and
gives its value. Prints a table and writes build/bench/see.json. Exit status: 1 when a bar is missed
or bide's program could not be built, else 0.
"""
import importlib
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import (LOAD_CORE, Builder, chosen_cases, close_report, options_of,  # noqa: E402
                    out_folder, print_table)


class Case:
    """A module of this folder."""

    def __init__(self, path):
        self.module = importlib.import_module(path.stem)
        self.name = self.module.NAME

    def row(self, programs):
        value = self.module.measure(programs)
        bar = self.module.BAR
        return {"case": self.name, "system": "bide",
                "value": None if value is None else round(value, 4), "unit": self.module.UNIT,
                "against": None, "ratio": None, "bar": bar and str(bar),
                "holds": None if value is None or not bar else bar.holds(value)}


def main():
    options = options_of("see", __doc__, "no difference: each case is measured once")
    cases = chosen_cases([Case(path) for path in sorted(HERE.glob("case_*.py"))], options.case)
    out = out_folder("see")
    out.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, {LOAD_CORE})  # the runner keeps off the measured core
    programs = Builder(HERE, out)
    rows = [case.row(programs) for case in cases]
    for line in programs.left_out:
        print(f"left out: {line}")
    print_table(rows)
    return close_report("see", rows, 1, 0) or programs.incomplete


if __name__ == "__main__":
    sys.exit(main())
