-- migrate:up
create table users (
    id integer primary key,
    email text not null unique,
    age integer,
    joined_at integer not null
);
create trigger users_stay before delete on users begin
    select raise(abort, 'users stay; all of them');
end;

-- migrate:down
drop table users;
