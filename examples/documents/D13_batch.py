"""D13: a commit for each row, or one for all; nothing tells that the first one is slow."""
import pathlib
import sqlite3
import tempfile
import time

USERS = [(f"user {i}",) for i in range(500)]


def one_by_one(db):
    for user in USERS:
        db.execute("insert into users values (?)", user)
        db.commit()
    return len(USERS)


def batch(db):
    db.executemany("insert into users values (?)", USERS)
    db.commit()
    return 1


with tempfile.TemporaryDirectory() as folder:
    database = sqlite3.connect(pathlib.Path(folder) / "users.db")
    database.execute("create table users (name text)")
    took = []
    for insert in (one_by_one, batch):
        start = time.monotonic()
        print(insert.__name__, len(USERS), "rows,", insert(database), "commits")
        took.append(time.monotonic() - start)
    print("the loop takes more than 3 times as long:", took[0] > 3 * took[1])
    database.close()
