-- migrate:up transaction:false
pragma foreign_keys = off;
create table posts (id integer primary key, author text not null, title text not null, slug text);
vacuum;

-- migrate:down
drop table posts;
