"""The case `off_cost_wake`: instructions for looking, of an await that waits, and its wake."""
from counting import difference, operations

NAME = "off_cost_wake"
UNIT = "instructions"
BAR = None


def measure(programs):
    """None where the programs could not be built."""
    return difference(operations(programs, "wake"))
