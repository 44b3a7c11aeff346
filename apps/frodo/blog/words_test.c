#include "blog/words.h"

#include <bide/test.h>

#include <string.h>

static const char *joined(const word_terms *terms)
{
    static char text[4000];
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < terms->count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s:%d", i ? " " : "",
                                   terms->items[i].text, terms->items[i].weight);
    return text;
}

static const char *wanted(const char *text)
{
    word_terms terms = {.arena = bide_task_arena()};
    word_terms_wanted(&terms, text);
    return joined(&terms);
}

TEST(slugs_keep_the_letters_of_all_languages)
{
    bide_arena *arena = bide_task_arena();
    static const struct {
        const char *title, *slug;
    } cases[] = {
        {"Hello, World!", "hello-world"},
        {"  --Caf\xc3\x89  d\xc3\xa9j\xc3\xa0 vu-- ", "caf\xc3\xa9-d\xc3\xa9j\xc3\xa0-vu"},
        {"你好，世界", "你好-世界"},
        {"用 C 写异步程序", "用-c-写异步程序"},
        {"Go语言入门", "go语言入门"},
        {"안녕하세요 여러분", "안녕하세요-여러분"},
        {"ＡＢＣ１２３", "abc123"},
        {"日本語のテスト。", "日本語のテスト"},
        {"Привет, МИР", "привет-мир"},
        {"don't panic", "dont-panic"},
        {"../../etc/passwd", "etc-passwd"},
        {"<script>alert(1)</script>", "script-alert-1-script"},
        {"'; drop table posts; --", "drop-table-posts"},
        {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "post"},
        {"%%%__\\", "post"},
        {"", "post"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_str(slug_of(arena, cases[i].title), cases[i].slug);
}

TEST(slugs_end_at_a_whole_character)
{
    char title[3001] = "";
    for (size_t i = 0; i < 1000; i++)
        memcpy(title + 3 * i, "好", 3);
    const char *slug = slug_of(bide_task_arena(), title);
    check_int(strlen(slug), SLUG_BYTES);
    memset(title, 'x', sizeof title - 1);
    check_int(strlen(slug_of(bide_task_arena(), title)), WORD_BYTES - 3);
}

TEST(korean_letters_become_syllables)
{
    check_str(slug_of(bide_task_arena(), "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85"
                                         "\xb3\xe1\x86\xaf"),
              "한글");
}

TEST(terms_are_words_characters_and_pairs)
{
    word_terms terms = {.arena = bide_task_arena()};
    word_terms_add(&terms, "Async C, 异步编程 async", 1);
    word_terms_add(&terms, "C", 8);
    word_terms_merge(&terms);
    check_str(joined(&terms), "async:2 c:9 异:1 异步:1 步:1 步编:1 程:1 编:1 编程:1");
}

TEST(a_search_asks_for_pairs)
{
    check_str(wanted("异步编程"), "异步:1 步编:1 编程:1");
    check_str(wanted("异"), "异:1");
    check_str(wanted("异 步"), "异:1 步:1");
    check_str(wanted("C 语言 Async"), "c:1 语言:1 async:1");
    check_str(wanted("C语"), "c:1 语:1");
    check_str(wanted("\"quo'ted\" 100% a_b \\"), "quoted:1 100:1 a:1 b:1");
    check_str(wanted("!?%_"), "");
}

TEST(bytes_that_are_no_text_are_no_words)
{
    check_str(wanted("a\xff\xfe"
                     "b\xe4\xbd"),
              "a:1 b:1");
    check_str(wanted("\xf0"), "");
}
