"""A2: the first row by e-mail: the old code passes, the new one does not, and none is used up."""
import sqlite3
from datetime import datetime, timedelta

db = sqlite3.connect(":memory:")
db.execute("create table email_codes (email text, code text, expires_time text)")


def send_code(email, code, minutes):
    expires = (datetime.now() + timedelta(minutes=minutes)).isoformat()
    db.execute("insert into email_codes values (?, ?, ?)", (email, code, expires))


def check_email_code(email, code):
    row = db.execute("select code, expires_time from email_codes where email = ?",
                     (email,)).fetchone()
    if not row or row[0] != code:
        return False
    return datetime.now().isoformat() < row[1]


send_code("ann@shire.example", "111111", 5)
send_code("ann@shire.example", "222222", 5)
send_code("bob@shire.example", "333333", -1)
for address, sent, what in (("ann", "111111", "the old one"), ("ann", "222222", "the right one"),
                            ("ann", "111111", "used again"), ("bob", "333333", "expired")):
    print(address, sent, what + ":", check_email_code(address + "@shire.example", sent))
