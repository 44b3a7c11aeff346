"""D11: len(rows) of a page, or a count that ignores filter and scope; unpaged reads everything."""
import sqlite3

db = sqlite3.connect(":memory:")
db.execute("create table sys_users (id integer primary key, name text, dept integer)")
db.executemany("insert into sys_users (name, dept) values (?, ?)",
               [(f"user{i + 1:04}", i % 40 + 1) for i in range(1200)])


def get_user_list_services(data_scope_sql, like, page, size):
    sql = f"select * from sys_users where name like '{like}' and {data_scope_sql}"
    if size:
        sql += f" limit {size} offset {(page - 1) * size}"
    rows = db.execute(sql).fetchall()
    counted = db.execute("select count(*) from sys_users").fetchone()[0]
    return rows, len(rows), counted


for scope, like, page, size in (("1 = 1", "%", 2, 10), ("dept = 2", "%", 1, 10),
                                ("id = 3", "%", 1, 10), ("1 = 1", "%", 0, 10),
                                ("1 = 1", "%", 1, 0)):
    rows, length, counted = get_user_list_services(scope, like, page, size)
    print(f"{scope:8} page {page} of {size:2}: {len(rows):4} rows, "
          f"total {length} by len(rows), {counted} by count")
