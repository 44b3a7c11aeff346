/*
 * Templates as Mustache's specification describes them: tags, lines that are nothing but a tag,
 * delimiters, what is not closed.
 */
#include "render.h"

MODEL(word, "", (str, t));
MODEL(inner, "", (str, s, optional), (i64, n));
MODEL(all, "", (str, s, optional), (i64, n), (f64, f), (bool, yes), (bool, no),
      (list(str), words), (list(word), rows), (obj(inner), in), (obj(inner), none, optional),
      (str, html), (html_safe, safe));

static const char *words[] = {"a", "b", "c"};
static word rows[] = {{.t = "1"}, {.t = "2"}, {.t = "3"}};
static const all row = {
    .s = "text",
    .n = 85,
    .f = 1.21,
    .yes = true,
    .words = {words, 3},
    .rows = {rows, 3},
    .in = {.s = "inside", .n = 7},
    .html = "& \" < > '",
    .safe.text = "<b>&</b>",
};

/* Templates and what becomes of them; ".txt" but for those with a `<`. */
static const struct {
    const char *template, *expected;
} table[] = {
    /* Interpolation */
    {"Hello\n", "Hello\n"},
    {"Hello, {{s}}!\n", "Hello, text!\n"},
    {"{{s}}", "text"},
    {"{{ s }}|{{\n s \n}}", "text|text"},
    {"{{n}} {{f}} {{yes}} {{no}}", "85 1.21 true false"},
    {"{{{n}}} {{&n}} {{& n }} {{{ n }}}", "85 85 85 85"},
    {"\"{{in.s}}\" {{{in.n}}} {{&in.n}}", "\"inside\" 7 7"},
    {"({{none.s}}){{none.n}}", "()"},
    {"| {{s}} |\n  {{s}}\n", "| text |\n  text\n"},
    {"{{html}} {{{html}}}", "& \" < > ' & \" < > '"},
    /* Sections */
    {"\"{{#yes}}in{{/yes}}{{#no}}out{{/no}}\"", "\"in\""},
    {"{{^yes}}in{{/yes}}{{^no}}out{{/no}}", "out"},
    {"{{#in}}{{s}} {{n}} {{f}}{{/in}}", "inside 7 1.21"},
    {"{{#none}}{{s}}{{/none}}{{^none}}none{{/none}}", "none"},
    {"{{#rows}}{{t}}{{/rows}}", "123"},
    {"{{#rows}}{{t}}{{#rows}}{{t}}{{/rows}}{{/rows}}", "112321233123"},
    {"{{#rows}}{{t}}{{#rows}}{{/rows}}{{t}}{{/rows}}", "112233"},
    {"{{^rows}}none{{/rows}}{{^words}}none{{/words}}", ""},
    {"{{#words}}({{.}}){{/words}}", "(a)(b)(c)"},
    {"{{#words}}{{.}}{{#in}}{{s}}{{/in}}{{.}}{{/words}}", "ainsideabinsidebcinsidec"},
    {"{{#s}}<{{.}}>{{/s}}", "<text>"},
    {"{{#n}}{{.}}{{/n}}", "85"},
    {"{{#yes}}\n* first\n{{/yes}}\n* {{s}}\n{{#yes}}\n* third\n{{/yes}}\n",
     "* first\n* text\n* third\n"},
    {"| A {{#yes}}B {{#yes}}C{{/yes}} D{{/yes}} E |", "| A B C D E |"},
    {"| A {{#yes}}B {{#no}}C{{/no}} D{{/yes}} E |", "| A B  D E |"},
    {"{{#in.n}}yes{{/in.n}}{{#in.s}}{{.}}{{/in.s}}", "yesinside"},
    {"{{rows.count}} {{#words.count}}{{.}}{{/words.count}}", "3 3"},
    /* White space */
    {" | {{#yes}}\t|\t{{/yes}} | \n", " | \t|\t | \n"},
    {" | {{#yes}} {{! comment }}\n {{/yes}} | \n", " |  \n  | \n"},
    {" {{#yes}}YES{{/yes}}\n {{#yes}}GOOD{{/yes}}\n", " YES\n GOOD\n"},
    {"| This Is\n{{#yes}}\n|\n{{/yes}}\n| A Line\n", "| This Is\n|\n| A Line\n"},
    {"| This Is\n  {{#yes}}\n|\n  {{/yes}}\n| A Line\n", "| This Is\n|\n| A Line\n"},
    {"|\r\n{{#yes}}\r\n{{/yes}}\r\n|", "|\r\n|"},
    {"  {{#yes}}\n#{{/yes}}\n/", "#\n/"},
    {"#{{#yes}}\n/\n  {{/yes}}", "#\n/\n"},
    {"{{# yes }}={{/ yes }}", "="},
    {"| This Is\n{{^no}}\n|\n{{/no}}\n| A Line\n", "| This Is\n|\n| A Line\n"},
    {"|\r\n{{^no}}\r\n{{/no}}\r\n|", "|\r\n|"},
    /* Comments */
    {"12345{{! Comment Block! }}67890", "1234567890"},
    {"12345{{!\n  This is a\n  multi-line comment...\n}}67890\n", "1234567890\n"},
    {"Begin.\n{{! Comment Block! }}\nEnd.\n", "Begin.\nEnd.\n"},
    {"Begin.\n  {{! Indented! }}\nEnd.\n", "Begin.\nEnd.\n"},
    {"|\r\n{{! Standalone Comment }}\r\n|", "|\r\n|"},
    {"  {{! I'm Still Standalone }}\n!", "!"},
    {"!\n  {{! I'm Still Standalone }}", "!\n"},
    {"Begin.\n{{!\nSomething's going on here...\n}}\nEnd.\n", "Begin.\nEnd.\n"},
    {"  12 {{! 34 }}\n", "  12 \n"},
    {"12345 {{! Comment Block! }} 67890", "12345  67890"},
    {"{{!= a }}", ""},
    /* Delimiters */
    {"{{=<% %>=}}(<%s%>)", "(text)"},
    {"({{=[ ]=}}[s])", "(text)"},
    {"{{=| |=}}|#yes|{{s}}|/yes|", "{{s}}"},
    {"| {{=@ @=}} |", "|  |"},
    {" | {{=@ @=}}\n", " | \n"},
    {"Begin.\n{{=@ @=}}\nEnd.\n", "Begin.\nEnd.\n"},
    {"Begin.\n  {{=@ @=}}\nEnd.\n", "Begin.\nEnd.\n"},
    {"|\r\n{{= @ @ =}}\r\n|", "|\r\n|"},
    {"  {{=@ @=}}\n=", "="},
    {"=\n  {{=@ @=}}", "=\n"},
    {"|{{= @   @ =}}|", "||"},
    /* What is no tag */
    {"{ {s} } }} }", "{ {s} } }} }"},
    {"", ""},
    {"한국어 {{s}} 中文", "한국어 text 中文"},
};

TEST_PLAIN(specification)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check_str(rendered("t.txt", table[i].template, all_model(), &row), table[i].expected);
}

/* ---- what does not compile ---- */

static const struct {
    const char *template, *problem;
} wrong[] = {
    {"a\n{{#yes}}\n{{/no}}", "t.txt:3: `no` is closed, but `yes` of line 2 is open"},
    {"a\n{{#yes}}", "t.txt:2: `yes` is not closed"},
    {"{{/yes}}", "t.txt:1: `yes` is closed, but was not opened"},
    {"\n\n{{ s", "t.txt:3: a tag is not closed by `}}`"},
    {"{{{s}}", "t.txt:1: a tag is not closed by `}}` after `}`"},
    {"{{}}", "t.txt:1: a tag without a name"},
    {"{{a b}}", "t.txt:1: a name with a space: `a b`"},
    {"{{=@=}}", "t.txt:1: delimiters are set like {{=<% %>=}}"},
    {"{{>*s}}", "t.txt:1: names are not computed in templates"},
};

TEST_PLAIN(what_is_wrong_has_a_line)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_str(refused("t.txt", wrong[i].template, all_model()), wrong[i].problem);
}

TEST_PLAIN(too_deep)
{
    bide_buf text;
    bide_buf_init(&text, 100000);
    for (int i = 0; i < 65; i++)
        bide_buf_append_str(&text, "{{#yes}}");
    check_str(refused("t.txt", bide_buf_str(&text), all_model()),
              "t.txt:1: more than 64 sections inside each other");
    bide_buf_done(&text);
}
