"""D5: a repository whose update sets any attribute, and whose delete says nothing."""


class User:
    def __init__(self, user_id, name, email):
        self.id, self.name, self.email = user_id, name, email


class Session:
    """What is needed of one: rows by id, and columns that are written at a commit."""
    rows, written, commits = {}, {}, 0

    def commit(self):
        Session.commits += 1
        self.written = {key: (row.name, row.email) for key, row in self.rows.items()}


class UserRepository:
    def __init__(self, session):
        self.session = session

    def find_by_id(self, user_id):
        return self.session.rows.get(user_id)

    def create(self, **kwargs):
        user = User(len(self.session.rows) + 1, **kwargs)
        self.session.rows[user.id] = user
        self.session.commit()
        return user

    def update(self, user_id, **kwargs):
        user = self.find_by_id(user_id)
        for key, value in kwargs.items():
            setattr(user, key, value)
        self.session.commit()

    def delete(self, user_id):
        self.session.rows.pop(user_id, None)
        self.session.commit()


session = Session()
users = UserRepository(session)
ann = users.create(name="Ann", email="ann@a.example")
users.update(ann.id, emial="ann@b.example")
print("after an update of a misspelt column:", session.written[ann.id])
users.delete(ann.id)
users.delete(ann.id)
print("deleted twice, nobody was told; commits:", session.commits)
try:
    users.update(ann.id, email="x")
except AttributeError as error:
    print("AttributeError:", error)
