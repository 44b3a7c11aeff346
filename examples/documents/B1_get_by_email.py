"""B1: one() where none was promised: an unknown address is a 500."""
import sqlite3

db = sqlite3.connect(":memory:")
db.executescript("create table users (email text); insert into users values ('ann@a.example')")


class NoResultFound(Exception):
    pass


def one(cursor):
    rows = cursor.fetchall()
    if len(rows) != 1:
        raise NoResultFound(f"{len(rows)} rows were found when exactly one was required")
    return rows[0]


def get_by_email(email) -> "tuple | None":
    return one(db.execute("select email from users where email = ?", (email,)))


def route(email):
    try:
        user = get_by_email(email)
        return (404, "no such user") if user is None else (200, user[0])
    except NoResultFound as error:
        return 500, str(error)


for address in ("ann@a.example", "sam@a.example"):
    print(address, *route(address))
