"""The case `off_cost_await`: instructions for looking, of an await that does not suspend."""
from common import Bar
from counting import difference, operations

NAME = "off_cost_await"
UNIT = "instructions"
BAR = Bar("", "<=", 6)


def measure(programs):
    """None where the programs could not be built."""
    return difference(operations(programs, "await"))
