"""E6: a metaclass that collects properties, and a serializer that awaits one after the other."""
import asyncio
import inspect


class PropertyHolder(type):
    def __new__(mcs, name, bases, body):
        cls = super().__new__(mcs, name, bases, body)
        cls.property_fields = [key for key, value in body.items()
                               if isinstance(value, property) and not key.startswith("_")]
        return cls


class Post(metaclass=PropertyHolder):
    waiting = 0

    def __init__(self, post_id):
        self.id = post_id

    async def slow(self, value):
        Post.waiting += 1
        await asyncio.sleep(0.01)
        return value

    url = property(lambda self: f"/post/{self.id}/")
    author = property(lambda self: self.slow(f"author {self.id}"))
    comments = property(lambda self: self.slow(self.id * 3))
    likes = property(lambda self: self.slow(self.id * 10))
    _cache_key = property(lambda self: self.slow("secret"))


async def serialize(post):
    out = {"id": post.id}
    for name in post.property_fields:
        value = getattr(post, name)
        out[name] = await value if inspect.isawaitable(value) else value
    return out


async def main():
    print("collected:", *Post.property_fields)
    print([await serialize(Post(number)) for number in (1, 2, 3)])
    print("waits, one after the other:", Post.waiting)


asyncio.run(main())
