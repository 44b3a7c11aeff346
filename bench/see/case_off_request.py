"""The case `off_cost_request`: the share of a plaintext request that is for looking."""
from common import Bar
from counting import difference, requests

NAME = "off_cost_request"
UNIT = "%"
BAR = Bar("", "<=", 4)


def measure(programs):
    """None where the programs could not be built."""
    pair = requests(programs)
    return 100 * difference(pair) / pair[1] if pair else None
