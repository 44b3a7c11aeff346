-- migrate:up
create table departments (
    id integer primary key,
    name text not null unique,
    parent_id integer references departments (id)
);
create table roles (
    id integer primary key,
    name text not null unique,
    scope text not null check (scope in ('everyone', 'department', 'own'))
);
create table role_permissions (
    id integer primary key,
    role_id integer not null references roles (id) on delete cascade,
    permission text not null,
    unique (role_id, permission)
);
create table users (
    id integer primary key,
    email text not null unique,
    username text not null unique,
    password text not null,
    status text not null default 'active' check (status in ('active', 'disabled')),
    about text not null default '',
    role_id integer not null references roles (id),
    department_id integer references departments (id),
    token_epoch integer not null default 0,
    created_at integer not null
);
create index users_by_role on users (role_id);
create index users_by_department on users (department_id);
create table sessions (
    id text primary key,
    user_id integer not null references users (id) on delete cascade,
    token_epoch integer not null,
    created_at integer not null,
    expires_at integer not null
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_end on sessions (expires_at);
-- The library's: codes by mail, refresh tokens, failed logins (code.h, refresh.h, login_guard.h).
create table bide_codes (
    id text primary key,
    digest text not null,
    attempts_left integer not null,
    issued_at_us integer not null,
    expires_at_us integer not null
);
create index bide_codes_by_end on bide_codes (expires_at_us);
create table bide_refresh_tokens (
    id text primary key,
    digest text not null,
    subject text not null,
    issued_at_us integer not null,
    expires_at_us integer not null,
    ends_at_us integer not null
);
create index bide_refresh_tokens_by_subject on bide_refresh_tokens (subject);
create index bide_refresh_tokens_by_end on bide_refresh_tokens (expires_at_us);
create table bide_login_failures (
    id text primary key,
    failed_at text not null,
    locked_until_us integer not null,
    stale_at_us integer not null
);
create index bide_login_failures_by_end on bide_login_failures (stale_at_us);
insert into departments (id, name) values (1, 'The Shire');
insert into roles (id, name, scope) values (1, 'admin', 'everyone'), (2, 'editor', 'department'), (3, 'member', 'own');
insert into role_permissions (role_id, permission) values
    (1, 'users:read'), (1, 'users:write'), (1, 'roles:write'), (1, 'posts:write'), (1, 'posts:publish'), (1, 'comments:moderate'),
    (2, 'users:read'), (2, 'posts:write'), (2, 'posts:publish'), (2, 'comments:moderate'),
    (3, 'posts:write');

-- migrate:down
drop table bide_login_failures;
drop table bide_refresh_tokens;
drop table bide_codes;
drop table sessions;
drop table users;
drop table role_permissions;
drop table roles;
drop table departments;
