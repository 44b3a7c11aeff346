/*
 * split_test.c: where one statement of SQL ends and the next begins.
 */
#include "db/split.h"

#include <bide/test.h>
#include <stdio.h>
#include <string.h>

/* The statements of a text, each between < and >. */
static const char *split(const char *text)
{
    static char result[2048];
    size_t length = 0;
    struct bide__sql sql = {text, text + strlen(text), 1};
    struct bide__sql_statement one;
    int code;
    result[0] = 0;
    while ((code = bide__sql_next(&sql, &one)) > 0)
        length += (size_t)snprintf(result + length, sizeof result - length, "<%d:%.*s>", one.line,
                                   (int)one.length, one.text);
    if (code < 0)
        snprintf(result + length, sizeof result - length, "!%d:%.*s", one.line, (int)one.length,
                 one.text);
    return result;
}

TEST(statements_end_at_semicolons)
{
    check_str(split(""), "");
    check_str(split(" ;; \n-- only this\n/* and this */;"), "");
    check_str(split("select 1"), "<1:select 1>");
    check_str(split("a;\n\nb ;c"), "<1:a><3:b><3:c>");
    check_str(split("-- first\nselect 1 -- one;\n; -- last"), "<2:select 1>");
    check_str(split("select 1 /* ; /* nested ; */ ; */ + 1; b"),
              "<1:select 1 /* ; /* nested ; */ ; */ + 1><1:b>");
}

TEST(semicolons_in_quotes_end_nothing)
{
    check_str(split("insert into a values ('x;y', 'it''s;');b"),
              "<1:insert into a values ('x;y', 'it''s;')><1:b>");
    check_str(split("select \"a;\"\"b\", `c;d` from t;b"),
              "<1:select \"a;\"\"b\", `c;d` from t><1:b>");
    check_str(split("select E'it\\'s;', e'\\\\';b"), "<1:select E'it\\'s;', e'\\\\'><1:b>");
    check_str(split("select 'a\\';b"), "<1:select 'a\\'><1:b>");
    check_str(split("do $$ begin; end $$;b"), "<1:do $$ begin; end $$><1:b>");
    check_str(split("select $a$ $$ ; $b$ ; $a$;b"), "<1:select $a$ $$ ; $b$ ; $a$><1:b>");
    check_str(split("select $1; select a$b; c"), "<1:select $1><1:select a$b><1:c>");
    check_str(split("select $1$2;b"), "<1:select $1$2><1:b>");
}

TEST(bodies_are_whole)
{
    check_str(
        split("create trigger t after insert on a begin\n update b set c = case when 1 then 2 "
              "end; delete from d;\nend; x"),
        "<1:create trigger t after insert on a begin\n update b set c = case when 1 then 2 "
        "end; delete from d;\nend><3:x>");
    check_str(
        split("CREATE TEMP TRIGGER IF NOT EXISTS t BEFORE DELETE ON a BEGIN SELECT 1; END;x"),
        "<1:CREATE TEMP TRIGGER IF NOT EXISTS t BEFORE DELETE ON a BEGIN SELECT 1; END><1:x>");
    check_str(split("create or replace function f() returns int begin atomic select 1; end;x"),
              "<1:create or replace function f() returns int begin atomic select 1; end><1:x>");
    check_str(split("create table t (\"begin\" int);x"), "<1:create table t (\"begin\" int)><1:x>");
    check_str(split("begin; select case when 1 then 2 end; end"),
              "<1:begin><1:select case when 1 then 2 end><1:end>");
}

TEST(what_is_never_closed_is_named)
{
    check_str(split("a;\nb 'c;\n"), "<1:a>!2:a quote");
    check_str(split("\n/* a"), "!2:a comment");
    check_str(split("do $x$ $$ $y$"), "!1:a dollar quote");
    check_str(split("\ncreate trigger t after insert on a begin select 1;"), "!2:BEGIN");
    check_str(split("select \"a"), "!1:a quote");
}

TEST(the_first_word_is_known)
{
    struct bide__sql_statement one = {"COMMIT work", 11, 1};
    check(bide__sql_begins(&one, "commit"));
    check(!bide__sql_begins(&one, "comm"));
    one.length = 6;
    check(bide__sql_begins(&one, "commit"));
    check(!bide__sql_begins(&one, "commits"));
}
