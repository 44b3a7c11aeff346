"""Rounds in which systems run beside each other, the ratios of what they give, with intervals, and
the rows of the report. Called by the run.py of suites whose cases have bars on such ratios.
"""
import random
import statistics
import time

from common import rounded

OTHER_ROUNDS = 3  # of the systems that no bar names
RESAMPLES = 2000
WIDE = 0.1  # an interval that is a greater part of its ratio decides nothing


def run_rounds(cases, there, measure, quick, rounds, limit_s):
    """Runs the systems of each case one after the other, every second round in reverse order; those
    that no bar names take part in the first rounds, and not in quick ones. `there(case, number)`
    says who can run in a round. Gives the number of rounds: fewer than planned where the machine is
    too slow for them."""
    began_s = time.monotonic()
    for number in range(rounds):
        used_s = time.monotonic() - began_s
        if number and used_s + used_s / number > limit_s:
            print(f"the machine is slow: {number} rounds in place of {rounds}")
            return number
        for case in cases:
            named = ("bide", *(bar.against for bar in case.bars))
            systems = [system for system in there(case, number)
                       if system in named or (not quick and number < OTHER_ROUNDS)]
            for system in systems if number % 2 == 0 else reversed(systems):
                measure(case, system)
    return rounds


def resampled(ours, theirs):
    """95 % of what the ratio of medians, or the median, is over resamples of the pairs."""
    chance = random.Random(len(ours))
    count = min(len(ours), len(theirs)) if theirs else len(ours)
    results = []
    for _ in range(RESAMPLES):
        picked = [chance.randrange(count) for _ in range(count)]
        result = statistics.median(ours[i] for i in picked)
        if theirs:
            result /= statistics.median(theirs[i] for i in picked)
        results.append(result)
    results.sort()
    return results[RESAMPLES // 40], results[-1 - RESAMPLES // 40]


def compare(row, values, name, against):
    """Adds the ratio to another system, from the rounds that both were in."""
    ours, theirs = values.get((name, row["system"])), values.get((name, against))
    if not ours or not theirs or not min(theirs):
        return
    count = min(len(ours), len(theirs))
    ours, theirs = ours[:count], theirs[:count]
    row.update({"against": against, "pairs": count,
                "ratio": rounded(statistics.median(ours) / statistics.median(theirs)),
                "interval": [rounded(end) for end in resampled(ours, theirs)]})


def judge(row, bar, values, name):
    """A bar holds if the better end of the interval reaches it."""
    interval = row["interval"]
    if not bar.against:
        interval = row["interval"] = [
            rounded(end) for end in resampled(values[(name, "bide")], None)]
    row["bar"] = str(bar)
    better = max if bar.sign == ">=" else min
    row["holds"] = None if interval is None else bar.holds(better(interval))


def rows_of(case, number, unit, values):
    """The rows of one number of a case, whose own number is `case.number`. bide has one for each
    bar that asks for this number; for each of the others' systems, where none does."""
    rows = []
    name, own = case.name + number, number == case.number
    title = case.name if own else name if number else f"{name}_rate"
    asked = [bar for bar in case.bars if (bar.number or case.number) == number]
    bars = asked or [bar for bar in case.bars if not bar.number]
    for system in case.systems:
        if (name, system) not in values:
            continue
        value = statistics.median(values[(name, system)])
        for bar in bars if system == "bide" else (None,):
            row = {"case": title, "system": system, "value": round(value, 4), "unit": unit,
                   "against": None, "ratio": None, "interval": None}
            compare(row, values, name, bar.against if bar else "bide")
            if bar in asked:
                judge(row, bar, values, name)
            rows.append(row)
    return rows


def all_rows(cases, units, values):
    """`units` says those of the numbers that are shown beside a case's own."""
    return [row for case in cases for number in (case.number, *case.also)
            for row in rows_of(case, number, case.unit if number == case.number else units[number],
                               values)]


def note_limits(cases, values):
    """Says where a server was not what limited the load."""
    for case in cases:
        for system in case.systems:
            busy = values.get((f"{case.name}_server_busy", system))
            if busy and statistics.median(busy) < 0.9:
                load = statistics.median(values[(f"{case.name}_load_busy", system)])
                print(f"{case.name}, {system}: the server used {statistics.median(busy):.0%} of "
                      f"its core, the load {load:.0%}: compare the CPU per request too")


def note_wide_intervals(rows):
    """A wide interval reaches a bar by being wide."""
    for row in rows:
        low, high = row["interval"] or (0, 0)
        if row.get("bar") and high - low > WIDE * row[row["against"] and "ratio" or "value"]:
            print(f"{row['case']}: the interval is too wide to say much")
