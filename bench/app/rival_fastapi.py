"""The index page of apps/frodo as it is written with FastAPI, SQLAlchemy's async ORM on aiosqlite
and Jinja2: rival_fastapi.py DATABASE SYSTEM, run as ../asgi.py says.

DATABASE is frodo's own file: it has the same posts. SYSTEM `fastapi` reads the rows for each
request; `fastapi_cached` keeps what the template gets in the process, for a minute, as frodo does.
Only what an anonymous visitor sees is here.
"""
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import declarative_base, joinedload, relationship, selectinload, sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from asgi import serve  # noqa: E402

POSTS_PER_PAGE, AROUND, KEPT_S = 20, 2, 60
EPOCH = datetime(1970, 1, 1)

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    username = Column(String, nullable=False)


class Tag(Base):
    __tablename__ = "post_tags"
    id = Column(Integer, primary_key=True)
    post_id = Column(ForeignKey("posts.id"), nullable=False)
    name = Column(String, nullable=False)


class Post(Base):
    __tablename__ = "posts"
    id = Column(Integer, primary_key=True)
    author_id = Column(ForeignKey("users.id"), nullable=False)
    slug = Column(String, nullable=False)
    title = Column(String, nullable=False)
    excerpt = Column(String, nullable=False)
    status = Column(String, nullable=False)
    published_at = Column(BigInteger)  # microseconds
    author = relationship(User)
    tags = relationship(Tag, order_by=Tag.name)


# The pool that SQLAlchemy 2 has by default; that of 1.4 opens a connection for each session.
engine = create_async_engine(f"sqlite+aiosqlite:///{sys.argv[1]}", poolclass=AsyncAdaptedQueuePool)
session_of = sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
templates = Jinja2Templates(directory=str(HERE / "templates"))
templates.env.auto_reload = False
templates.env.trim_blocks = templates.env.lstrip_blocks = True
app = FastAPI()
kept = {}  # page -> until when, in monotonic seconds, and the context


async def database():
    async with session_of() as session:
        yield session


def pager_of(page, total):
    pages = -(-total // POSTS_PER_PAGE)
    if pages <= 1 or page > pages:
        return []
    links = [{"label": "‹ Newer", "href": f"/?page={page - 1}"}] if page > 1 else []
    shown = {1, pages, *range(max(1, page - AROUND), min(pages, page + AROUND) + 1)}
    last = 0
    for number in sorted(shown):
        if number > last + 1:
            links.append({"label": "…"})
        here = number == page
        links.append({"label": number, "href": None if here else f"/?page={number}",
                      "current": here})
        last = number
    if page < pages:
        links.append({"label": "Older ›", "href": f"/?page={page + 1}"})
    return links


def item_of(post):
    published = EPOCH + timedelta(microseconds=post.published_at)
    return {"slug": post.slug, "title": post.title, "excerpt": post.excerpt,
            "author": post.author.username, "published_at": f"{published.isoformat()}Z",
            "day": published.date().isoformat(), "tags": [tag.name for tag in post.tags]}


async def load_index(session, page):
    """What the template gets: the posts of the page, how many there are, the tags."""
    published = Post.status == "published"
    total = await session.scalar(select(func.count()).select_from(Post).where(published))
    posts = await session.scalars(
        select(Post).where(published).options(joinedload(Post.author), selectinload(Post.tags))
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(POSTS_PER_PAGE).offset((page - 1) * POSTS_PER_PAGE))
    items = [item_of(post) for post in posts]
    if not items and page > 1:
        raise HTTPException(404, "There are no such posts")
    tags = await session.execute(
        select(Tag.name, func.count()).join(Post, Post.id == Tag.post_id).where(published)
        .group_by(Tag.name).order_by(func.count().desc(), Tag.name))
    return {"posts": items, "tags": tags.all(), "pager": pager_of(page, total)}


async def show_index(request: Request, page: int = Query(1, ge=1, le=1000000),
                     session: AsyncSession = Depends(database)):
    context = await load_index(session, page)
    return templates.TemplateResponse("index.html", {"request": request, **context})


async def show_kept_index(request: Request, page: int = Query(1, ge=1, le=1000000)):
    until_s, context = kept.get(page, (0, None))
    if until_s < time.monotonic():
        async with session_of() as session:
            context = await load_index(session, page)
        kept[page] = time.monotonic() + KEPT_S, context
    return templates.TemplateResponse("index.html", {"request": request, **context})


if __name__ == "__main__":
    show = show_kept_index if sys.argv[2] == "fastapi_cached" else show_index
    app.get("/", response_class=HTMLResponse)(show)
    serve(app)
