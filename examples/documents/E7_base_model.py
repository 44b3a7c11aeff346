"""E7: two metaclasses that do not mix, the third one that mixes them, and the url of a class."""

SITE = "https://frodo.example"


class PropertyHolder(type):
    """Collects properties."""


class DeclarativeMeta(type):
    """Makes tables."""
    tables = {}

    def __init__(cls, name, bases, body):
        super().__init__(name, bases, body)
        DeclarativeMeta.tables[name.lower() + "s"] = cls


class Model(metaclass=DeclarativeMeta):
    pass


class Holder(metaclass=PropertyHolder):
    pass


try:
    class Mixed(Model, Holder):
        pass
except TypeError as error:
    print("TypeError:", str(error).split(":")[0])


class ModelMeta(DeclarativeMeta, PropertyHolder):
    pass


class BaseModel(Model, metaclass=ModelMeta):
    def __init__(self, model_id):
        self.id = model_id

    @property
    def url(self):
        return f"/{self.__class__.__name__.lower()}/{self.id}/"

    @property
    def canonical_url(self):
        return SITE + self.url


class Post(BaseModel):
    pass


class Article(BaseModel):       # Tag, before somebody renamed the class
    pass


print(Post(1).url, Post(1).canonical_url)
print("tables:", *sorted(DeclarativeMeta.tables))
