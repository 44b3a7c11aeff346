#include "blog/markdown.h"

#include <bide/test.h>

#include <string.h>
#include <strings.h>
#include <time.h>

static const char *html_of(const char *source) BIDE__TASK;
static const char *html_of(const char *source)
{
    return await(markdown_html(bide_task_arena(), source)).text;
}

TEST(what_markdown_has_becomes_html)
{
    check_str(html_of("# Title\n\nOne *two* **three** `four` ~~five~~"),
              "<h2>Title</h2>\n<p>One <em>two</em> <strong>three</strong> <code>four</code> "
              "<del>five</del></p>\n");
    check_str(html_of("- a\n- [x] b\n\n3. c\n"),
              "<ul>\n<li>a</li>\n<li class=\"task\"><input type=\"checkbox\" disabled checked "
              "aria-label=\"done\">b</li>\n</ul>\n<ol start=\"3\">\n<li>c</li>\n</ol>\n");
    check_str(html_of("```c\nif (a < b && c)\n```\n"),
              "<pre><code class=\"language-c\">if (a &lt; b &amp;&amp; c)\n</code></pre>\n");
    check_str(html_of("|a|b|\n|---|--:|\n|1|2|\n"),
              "<div class=\"table\"><table>\n<thead>\n<tr><th scope=\"col\">a</th>"
              "<th scope=\"col\" class=\"right\">b</th></tr>\n</thead>\n<tbody>\n<tr><td>1</td>"
              "<td class=\"right\">2</td></tr>\n</tbody>\n</table></div>\n");
    check_str(html_of("> a\\\nb\n\n---\n"), "<blockquote>\n<p>a<br>\nb</p>\n</blockquote>\n<hr>\n");
    check_str(html_of("###### six"), "<h2>six</h2>\n");
    check_str(html_of(""), "");
}

TEST(links_and_images)
{
    check_str(
        html_of("[a](/b?c=d&e \"t\\\"x\")"),
        "<p><a rel=\"nofollow noopener\" href=\"/b?c=d&amp;e\" title=\"t&quot;x\">a</a></p>\n");
    check_str(html_of("https://shire.example/你"),
              "<p><a rel=\"nofollow noopener\" href=\"https://shire.example/%E4%BD%A0\">"
              "https://shire.example/你</a></p>\n");
    check_str(html_of("![a *b*](/c.png)"),
              "<p><img loading=\"lazy\" src=\"/c.png\" alt=\"a b\"></p>\n");
    check_str(html_of("[![a](b.png)](/c)"),
              "<p><a rel=\"nofollow noopener\" href=\"/c\"><img loading=\"lazy\" src=\"b.png\" "
              "alt=\"a\"></a></p>\n");
    check_str(html_of("frodo@shire.example"),
              "<p><a rel=\"nofollow noopener\" href=\"mailto:frodo@shire.example\">"
              "frodo@shire.example</a></p>\n");
    check_str(html_of("[a](javascript:b) ![c](data:d)"), "<p>a c</p>\n");
}

/* The content policy would show nothing in their place. */
TEST(images_of_other_hosts_are_links)
{
    static const struct {
        const char *source, *html;
    } cases[] = {
        {"![a *rose*](https://roses.example:8443/r.png \"red\")",
         "<a rel=\"nofollow noopener\" href=\"https://roses.example:8443/r.png\" title=\"red\">"
         "a rose (picture: roses.example:8443)</a>"},
        {"![](//roses.example)", "<a rel=\"nofollow noopener\" href=\"//roses.example\">"
                                 "picture: roses.example</a>"},
        {"![a](HTTP://us:er@shire.example@roses.example?b)",
         "<a rel=\"nofollow noopener\" href=\"HTTP://us:er@shire.example@roses.example?b\">"
         "a (picture: roses.example)</a>"},
        {"![a](https:r.png)",
         "<a rel=\"nofollow noopener\" href=\"https:r.png\">a (picture: elsewhere)</a>"},
        {"[![a](http://x.example/b.png)](/c)",
         "<a rel=\"nofollow noopener\" href=\"/c\">a (picture: x.example)</a>"},
        {"![a](http://&lt;b&gt;/c)", "<a rel=\"nofollow noopener\" href=\"http://%3Cb%3E/c\">"
                                     "a (picture: &lt;b&gt;)</a>"},
        {"![a](/b//c:d)", "<img loading=\"lazy\" src=\"/b//c:d\" alt=\"a\">"},
        {"![a ![b](//c.example)](/d)", "<img loading=\"lazy\" src=\"/d\" alt=\"a b\">"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_str(html_of(cases[i].source),
                  bide_arena_printf(bide_task_arena(), "<p>%s</p>\n", cases[i].html));
}

/* For those who go through a page by its headings: the page's own is the <h1>. */
TEST(headings_leave_no_level_out)
{
    check_str(html_of("## a\n## b\n#### c\n### d\n# e\n###### f"),
              "<h2>a</h2>\n<h2>b</h2>\n<h3>c</h3>\n<h3>d</h3>\n<h2>e</h2>\n<h3>f</h3>\n");
    check_str(html_of("# 1\n## 2\n### 3\n#### 4\n##### 5\n###### 6"),
              "<h2>1</h2>\n<h3>2</h3>\n<h4>3</h4>\n<h5>4</h5>\n<h6>5</h6>\n<h6>6</h6>\n");
}

/* ---- what an attacker writes ---- */

static bool starts(const char *at, const char *with)
{
    return strncasecmp(at, with, strlen(with)) == 0;
}

/* Whether a URL, as a browser reads it, is one that this file may write. */
static bool is_harmless(const char *url, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)url[i] <= ' ' || url[i] == '"' || url[i] == '<' || url[i] == '\\')
            return false;
    if (starts(url, "http:") || starts(url, "https:") || starts(url, "mailto:") ||
        starts(url, "tel:"))
        return true;
    for (size_t i = 0; i < length; i++) {
        if (strchr("/?#", url[i]))
            return true;
        if (url[i] == ':' || starts(url + i, "&colon") || starts(url + i, "&#x3a") ||
            starts(url + i, "&#58"))
            return false;
    }
    return true;
}

/* The end of the tag at `at`, or NULL if it is none that this file writes. */
static const char *tag_end(const char *at)
{
    static const char *const tags[] = {"h2",         "h3",   "h4",  "h5",    "h6",    "p",     "em",
                                       "strong",     "code", "del", "pre",   "ul",    "ol",    "li",
                                       "blockquote", "hr",   "br",  "table", "thead", "tbody", "tr",
                                       "th",         "td",   "div", "a",     "img",   "input"};
    static const char *const attributes[] = {"class", "href",    "title",     "src",
                                             "alt",   "rel",     "scope",     "type",
                                             "start", "loading", "aria-label"};
    at += at[1] == '/' ? 2 : 1;
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789"), i;
    for (i = 0; i < sizeof tags / sizeof *tags; i++)
        if (strlen(tags[i]) == length && strncmp(at, tags[i], length) == 0)
            break;
    if (i == sizeof tags / sizeof *tags)
        return NULL;
    for (at += length; *at == ' ';) {
        at++;
        if (starts(at, "disabled") || (starts(at, "checked"))) {
            at += strcspn(at, " >");
            continue;
        }
        length = strcspn(at, "= >");
        for (i = 0; i < sizeof attributes / sizeof *attributes; i++)
            if (strlen(attributes[i]) == length && strncmp(at, attributes[i], length) == 0)
                break;
        if (i == sizeof attributes / sizeof *attributes || strncmp(at + length, "=\"", 2) != 0)
            return NULL;
        bool is_url = strcmp(attributes[i], "href") == 0 || strcmp(attributes[i], "src") == 0;
        at += length + 2;
        length = strcspn(at, "\"<>");
        if (at[length] != '"' || (is_url && !is_harmless(at, length)))
            return NULL;
        at += length + 1;
    }
    return *at == '>' ? at + 1 : NULL;
}

static bool is_safe(const char *html)
{
    for (const char *at = html; *at;) {
        if (*at == '>')
            return false;
        if (*at == '<')
            at = tag_end(at);
        else
            at++;
        if (!at)
            return false;
    }
    return true;
}

TEST_PLAIN(the_judge_of_this_file_sees_what_is_bad)
{
    static const char *const bad[] = {
        "<script>",
        "<p onclick=\"x\">",
        "<a href=\"javascript:x\">",
        "<a href=\"java\tscript:x\">",
        "<a href=x>",
        "<img src=\"data:x\">",
        "<a href=\"javascript&colon;x\">",
        "<svg>",
        "<p",
        ">",
        "<a title=\"<\">",
        "<!-- -->",
        "<a href=\" javascript:x\">",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!is_safe(bad[i]));
}

static const char *const attacks[] = {
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onmouseover=alert(1)>b</b>",
    "<!--\n<script>x</script>",
    "<![CDATA[<script>x]]>",
    "<?php x ?>",
    "<svg/onload=alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](java&#x73;cript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](javascript&#x3A;alert(1))",
    "[x](&#x6A&#x61&#x76&#x61script:alert(1))",
    "[x](&Tab;javascript:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](java&NewLine;script:alert(1))",
    "[x](&#9;javascript:alert(1))",
    "[x](&#1;javascript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](< javascript:alert(1)>)",
    "[x](\\javascript:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](javascript://%0aalert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox(1))",
    "[x](feed:javascript:alert(1))",
    "[x](//evil.example\" onclick=\"alert(1))",
    "[x](/a&quot; onclick=&quot;alert(1))",
    "[x](</a\" onclick=\"alert(1)>)",
    "[x](/a \"t\" onclick=alert(1) \")",
    "[x](/a \"t&quot; onclick=&quot;alert(1)\")",
    "[x](/a 't\" onclick=\"alert(1)')",
    "![x](javascript:alert(1))",
    "![x\" onerror=\"alert(1)](/a.png)",
    "![x&quot; onerror=&quot;alert(1)](/a.png)",
    "![<script>](/a.png)",
    "![![x\"](/b\")](/a.png \"t\"\"u\")",
    "![[x](javascript:1)](/a)",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "<https://a.example/\"onclick=alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x]: <javascript:alert(1)> \"t\"\n\n[x] ![x]",
    "```\"onclick=\"alert(1)\nx\n```",
    "```&quot;onclick=&quot;alert(1)\nx\n```",
    "~~~</code><script>\nx\n~~~",
    "`</code><script>alert(1)</script>`",
    "    </pre><script>alert(1)</script>",
    "|<script>|\n|---|\n|<img src=x onerror=y>|",
    "- <script>\n- [x] <b onclick=y>",
    "# <script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&#x3c;script>&#0;&#xD800;&#x110000;&#99999999999999999999;",
    "&lt;img src=x onerror=alert(1)&gt;",
    "www.a.example\"onclick=\"alert(1)",
    "https://a.example/?x=<script>alert(1)</script>",
    "mailto:a@b.example\"onclick=\"x",
    "a@b.example\"onclick=\"x",
    "*<script*>*",
    "**<a href=javascript:x>**",
    "\\<script\\>",
    "<scr<script>ipt>",
    "<a\n href\n=javascript:x>",
    "[a](<b)c>\"d\">)",
    "[<script>](<script>)",
    "[x](tel:1\"2) [y](mailto:a\"b)",
};

TEST(no_attack_gets_through)
{
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        const char *html = html_of(attacks[i]);
        if (!check(is_safe(html)))
            fprintf(stderr, "    %s\n -> %s\n", attacks[i], html);
    }
}

/* Pieces of attacks and of Markdown in any order: 20,000 texts. */
TEST(no_mixture_gets_through, .timeout_ms = 30000)
{
    static const char *const pieces[] = {"[",
                                         "]",
                                         "(",
                                         ")",
                                         "![",
                                         "](",
                                         "<",
                                         ">",
                                         "\"",
                                         "'",
                                         "`",
                                         "```",
                                         "\n",
                                         "\n\n",
                                         "&quot;",
                                         "&#34;",
                                         "&lt;",
                                         "&colon;",
                                         "javascript:",
                                         "data:",
                                         "onclick=",
                                         "<script>",
                                         "</script>",
                                         "|",
                                         "|---|\n",
                                         "-",
                                         "* ",
                                         "# ",
                                         "*",
                                         "_",
                                         "~~",
                                         "\\",
                                         "https://a.example/",
                                         "x",
                                         " ",
                                         "\t",
                                         "- [x] ",
                                         "[x]: ",
                                         "<!--",
                                         "&",
                                         ";",
                                         "你",
                                         "!",
                                         "www.a.example",
                                         "a@b.example",
                                         "    ",
                                         ">",
                                         "1. "};
    uint32_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        char source[400] = "";
        size_t length = 0;
        for (int j = 0; j < 14; j++) {
            seed = seed * 1664525U + 1013904223U;
            const char *piece = pieces[(seed >> 8) % (sizeof pieces / sizeof *pieces)];
            length += (size_t)snprintf(source + length, sizeof source - length, "%s", piece);
        }
        with_arena {
            const char *html = html_of(source);
            if (!is_safe(html)) {
                check(is_safe(html));
                fprintf(stderr, "    %s\n -> %s\n", source, html);
                return;
            }
        }
    }
}

static void repeat(char *to, const char *piece, size_t size)
{
    size_t length = strlen(piece);
    for (size_t i = 0; i + length < size; i += length)
        memcpy(to + i, piece, length + 1);
}

SPAWNABLE(bide_html_safe, markdown_html, bide_arena *, const char *)

/* Texts that are made to be slow or to become huge: an answer or a 422, and soon. */
TEST(texts_that_are_made_to_hurt, .timeout_ms = 30000, .real_clock = true)
{
    static const char *const pieces[] = {"[",  "![",  "*a_",  "> ",   "- ", "`",    "``a`",
                                         "<",  "&",   "[a](", "[a]:", "|",  "<!--", "**x",
                                         "~~", "\\",  "[](",  "_*",   "a@", "www.", "http://",
                                         "<a", "1. ", "#",    "[[",   "]]", "\"",   "好"};
    static char source[200001];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        with_arena {
            bide_error *err;
            clock_t from = clock();
            repeat(source, pieces[i], 20000);
            const char *html = attempt(&err, markdown_html, bide_task_arena(), source).text;
            check(err ? err->code == 422 : is_safe(html));
            int64_t ms = (int64_t)(clock() - from) * 1000 / CLOCKS_PER_SEC;
            if (!check(ms < 3000))
                fprintf(stderr, "    %s: %lld ms\n", pieces[i], (long long)ms);
        }
    }
    /* A table of 20,000 columns and as many rows would be 400,000,000 cells. */
    char *at = source;
    for (int i = 0; i < 20000; i++, at += 2)
        memcpy(at, "|a", 2);
    memcpy(at, "|\n", 2);
    at += 2;
    for (int i = 0; i < 20000; i++, at += 4)
        memcpy(at, "|---", 4);
    memcpy(at, "|\n", 2);
    for (at += 2; at < source + sizeof source - 3; at += 4)
        memcpy(at, "|x|\n", 4);
    *at = '\0';
    bide_error *err;
    (void)attempt(&err, markdown_html, bide_task_arena(), source);
    check(err && err->code == 422);
}

TEST(plain_texts_for_searches_and_excerpts)
{
    static const char source[] =
        "# Head\n\nOne *two* [three](/x \"t\") `four` &amp; &#23383;\nfive "
        "![six](/y)\n\n```\nseven\n```\n\n- eight\n\n|nine|\n|---|\n|ten|\n";
    check_str(markdown_text(bide_task_arena(), source, MARKDOWN_PROSE),
              "One two three four & 字\nfive \neight\n");
    const char *all = markdown_text(bide_task_arena(), source, MARKDOWN_ALL_TEXT);
    static const char *const words[] = {"Head", "six", "seven", "eight", "nine", "ten", "& 字"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        check_contains(all, words[i]);
    check(!strstr(all, "/x"));
}
