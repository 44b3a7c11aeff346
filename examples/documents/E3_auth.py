"""E3: a login that makes the user before it looks, and a token whose end is a naive local time."""
import calendar
import datetime
import os
import time

os.environ["TZ"] = "Asia/Shanghai"
time.tzset()
USERS = {"sam": {"password": "rope and mushrooms"}}


class UserAuth:
    def __init__(self, password):
        self.password = password


def authenticate_user(username, password):
    user = UserAuth(**USERS.get(username, {}))  # before it is asked whether there is one
    return user.password == password


def create_access_token(minutes):
    expire = datetime.datetime.now() + datetime.timedelta(minutes=minutes)
    return calendar.timegm(expire.utctimetuple())  # what JWT libraries do with a naive time


def auth(username, password):
    try:
        return "200" if authenticate_user(username, password) else "400 Incorrect User Auth."
    except TypeError as error:
        return f"500 {type(error).__name__}"


print("right: ", auth("sam", "rope and mushrooms"))
print("wrong: ", auth("sam", "one ring"))
print("nobody:", auth("sauron", "one ring"))
print("a token of 15 minutes is good for", round((create_access_token(15) - time.time()) / 60))
