"""D12: page and size without limits: page 0 looks like an answer, a huge size reads everything."""
USERS = list(range(1, 101))


def list_users(page: int = 1, size: int = 10):
    offset = (page - 1) * size
    return USERS[offset:offset + size]


for arguments in ({}, {"page": 2}, {"page": 0}, {"page": 0, "size": 3}, {"size": 1000000}):
    rows = list_users(**arguments)
    print(arguments, "->", len(rows), "rows", rows[:3])
