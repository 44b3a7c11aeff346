"""E5: an async property, and what a serializer that does not await it makes of it."""
import asyncio

CONTENTS = {1: "# Hello", 2: ""}


def render(markdown):
    """Stands for a Markdown library."""
    return f"<h1>{markdown[2:]}</h1>" if markdown.startswith("# ") else f"<p>{markdown}</p>"


class Post:
    def __init__(self, post_id):
        self.id = post_id

    @property
    async def content(self):
        await asyncio.sleep(0.01)
        return CONTENTS[self.id]

    @property
    async def html_content(self):
        content = await self.content
        return render(content) if content else ""


async def main():
    print(repr(await Post(1).html_content))
    print(repr(await Post(2).html_content))
    forgotten = Post(2).html_content
    print(type(forgotten).__name__, bool(forgotten))
    forgotten.close()


asyncio.run(main())
