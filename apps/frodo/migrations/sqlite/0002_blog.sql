-- migrate:up
create table posts (
    id integer primary key,
    author_id integer not null references users (id),
    slug text not null unique,
    title text not null,
    content text not null,
    excerpt text not null,
    status text not null check (status in ('draft', 'published')),
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    published_at integer
);
create index posts_by_author on posts (author_id);
create index posts_by_time on posts (status, published_at, id);
create table post_tags (
    id integer primary key,
    post_id integer not null references posts (id) on delete cascade,
    name text not null,
    unique (post_id, name)
);
create index post_tags_by_name on post_tags (name, post_id);
create table comments (
    id integer primary key,
    post_id integer not null references posts (id) on delete cascade,
    author_id integer not null references users (id),
    content text not null,
    hidden integer not null default 0 check (hidden in (0, 1)),
    created_at integer not null
);
create index comments_by_post on comments (post_id, id);
create index comments_by_author on comments (author_id);
create table reactions (
    id integer primary key,
    post_id integer not null references posts (id) on delete cascade,
    user_id integer not null references users (id) on delete cascade,
    kind text not null check (kind in ('like', 'love', 'laugh', 'wow', 'sad')),
    unique (post_id, user_id, kind)
);
create index reactions_by_user on reactions (user_id);
-- Words of a post, and of Chinese, Japanese and Korean each pair of characters: what a search finds.
create table post_terms (
    id integer primary key,
    post_id integer not null references posts (id) on delete cascade,
    term text not null,
    weight integer not null,
    unique (term, post_id)
);
create index post_terms_by_post on post_terms (post_id);

-- migrate:down
drop table post_terms;
drop table reactions;
drop table comments;
drop table post_tags;
drop table posts;
