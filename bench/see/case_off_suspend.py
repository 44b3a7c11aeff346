"""The case `off_cost_suspend`: instructions for looking, of an await that suspends."""
from counting import difference, operations

NAME = "off_cost_suspend"
UNIT = "instructions"
BAR = None


def measure(programs):
    """None where the programs could not be built."""
    return difference(operations(programs, "suspend"))
