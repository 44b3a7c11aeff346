/*
 * Where in HTML a value stands, and what becomes of it there.
 */
#include "render.h"

ENUM(shade, light, dark);
MODEL(item, "", (str, v), (i64, n));
MODEL(all, "", (str, v), (str, u), (i64, n), (f64, f), (shade, shade), (bool, yes), (bool, no),
      (html_safe, safe), (list(item), items), (list(html_safe), parts), (str, empty));

static bide_html_safe parts[] = {{.text = "<i>1</i>"}, {.text = "<i>2</i>"}};
static item items[] = {{.v = "<1>", .n = 1}, {.v = "<2>", .n = 2}};
static const all row = {
    .v = "<'\"&>",
    .u = "javascript:alert(1)",
    .n = 7,
    .f = 0.5,
    .shade = shade_dark,
    .yes = true,
    .safe.text = "<b>&amp;</b>",
    .items = {items, 2},
    .parts = {parts, 2},
    .empty = "",
};

#define ESCAPED "&lt;&#39;&quot;&amp;&gt;"

static const struct {
    const char *template, *expected;
} table[] = {
    {"<p>{{v}}</p>", "<p>" ESCAPED "</p>"},
    {"<p title=\"{{v}}\" class='{{v}}'>", "<p title=\"" ESCAPED "\" class='" ESCAPED "'>"},
    {"{{{safe}}} {{safe}}", "<b>&amp;</b> &lt;b&gt;&amp;amp;&lt;/b&gt;"},
    {"{{#parts}}{{{.}}}{{/parts}}", "<i>1</i><i>2</i>"},
    {"<title>{{v}}</title>", "<title>" ESCAPED "</title>"},
    {"<textarea name=a>{{v}}</textarea><p>{{n}}", "<textarea name=a>" ESCAPED "</textarea><p>7"},
    {"a < b {{n}} <3 {{n}}", "a < b 7 <3 7"},
    {"<!doctype html><!-- <b> --><p>{{n}}", "<!doctype html><!-- <b> --><p>7"},
    {"<!--><p>{{n}}", "<!--><p>7"},
    {"<!---><p>{{n}}", "<!---><p>7"},
    {"<!-- --!><p>{{n}}", "<!-- --!><p>7"},
    {"<!-- ---><p>{{n}}", "<!-- ---><p>7"},
    {"<script>if (a < b) f('</p>');</script>{{n}}", "<script>if (a < b) f('</p>');</script>7"},
    {"<SCRIPT src='/a.js'></Script >{{n}}", "<SCRIPT src='/a.js'></Script >7"},
    {"<p style=\"width: {{n}}%; opacity: {{f}}; --x: {{shade}}\">",
     "<p style=\"width: 7%; opacity: 0.5; --x: dark\">"},
    /* Sections in tags */
    {"<input {{#yes}}checked{{/yes}} {{#no}}disabled{{/no}}>", "<input checked >"},
    {"<input{{#yes}} checked{{/yes}}{{#no}} disabled{{/no}}>", "<input checked>"},
    {"<a {{#yes}}class=\"{{v}}\"{{/yes}}>{{n}}", "<a class=\"" ESCAPED "\">7"},
    {"<a class=\"x{{#yes}} y{{/yes}}\" id=\"{{n}}\">", "<a class=\"x y\" id=\"7\">"},
    {"<p{{#items}} data-{{/items}}>", "<p data- data->"},
    {"{{#items}}<li class=\"{{v}}\">{{n}}</li>{{/items}}",
     "<li class=\"&lt;1&gt;\">1</li><li class=\"&lt;2&gt;\">2</li>"},
    /* URLs */
    {"<a href=\"{{u}}\">", "<a href=\"about:invalid\">"},
    {"<a href=\" {{u}}\">", "<a href=\" about:invalid\">"},
    {"<a href='{{empty}}{{u}}'>", "<a href='about:invalid'>"},
    {"<a href=\"/{{u}}\">", "<a href=\"/javascript%3Aalert%281%29\">"},
    {"<a href=\"?q={{v}}&amp;x={{n}}\">", "<a href=\"?q=%3C%27%22%26%3E&amp;x=7\">"},
    {"<a href=\"/p/{{v}}#{{v}}\">", "<a href=\"/p/%3C%27%22%26%3E#%3C%27%22%26%3E\">"},
    {"<a href=\"java{{u}}\">", "<a href=\"javajavascript%3Aalert%281%29\">"},
    {"<a href=\"mailto:{{v}}\">", "<a href=\"mailto:%3C%27%22%26%3E\">"},
    {"<img srcset=\"/a/{{n}}.png 1x, /b/{{n}}.png 2x\">",
     "<img srcset=\"/a/7.png 1x, /b/7.png 2x\">"},
    {"<script src=\"/js/{{n}}.js\" nonce=\"{{n}}\"></script>",
     "<script src=\"/js/7.js\" nonce=\"7\"></script>"},
    {"<a href=\"{{#no}}/x{{/no}}{{u}}\">", "<a href=\"about:invalid\">"},
    {"<a href=\"/{{#yes}}a{{/yes}}?q={{n}}{{#yes}}&amp;v={{v}}{{/yes}}\">",
     "<a href=\"/a?q=7&amp;v=%3C%27%22%26%3E\">"},
};

TEST_PLAIN(places)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check_str(rendered("t.html", table[i].template, all_model(), &row), table[i].expected);
}

static const char *const refusals[] = {
    "{{{v}}}",
    "{{&v}}",
    "{{#items}}{{{v}}}{{/items}}",
    "<p title=\"{{{safe}}}\">",
    "<title>{{{safe}}}</title>",
    "<a class={{v}}>",
    "<a class=x{{v}}>",
    "<a class= {{v}}>",
    "<{{v}}>",
    "<p{{v}}>",
    "<p {{v}}>",
    "<p {{v}}=\"x\">",
    "<p data-{{v}}=\"x\">",
    "</{{v}}>",
    "<script>{{v}}</script>",
    "<script>var x = \"{{v}}\";</script>",
    "<script>var x = {{n}};</script>",
    "<style>p { color: {{v}} }</style>",
    "<script>a</scriptx>{{v}}",
    "<script><!-- <script> </script>{{v}}",
    "<iframe>{{v}}</iframe>",
    "<!-- {{v}} -->",
    "<!-- -- > {{v}} -->",
    "<!---!>{{v}} -->",
    "<!-- --!-> {{v}} -->",
    "<!-- -!> {{v}} -->",
    "<!doctype {{v}}>",
    "<![CDATA[{{v}}]]>",
    "<p onclick=\"f('{{v}}')\">",
    "<p ONclick=\"f({{n}})\">",
    "<p style=\"color: {{v}}\">",
    "<p @click=\"{{v}}\">",
    "<p x-on:click=\"{{v}}\">",
    "<p hx-on:click=\"{{v}}\">",
    "<iframe srcdoc=\"{{v}}\">",
    "<iframe src=\"{{v}}\">",
    "<iframe src=\"/{{v}}\">",
    "<script src=\"{{v}}\"></script>",
    "<script src=\"https://{{v}}/x.js\"></script>",
    "<script src=\"//{{v}}/x.js\"></script>",
    "<script src=\"{{#yes}}/a/{{/yes}}{{v}}\"></script>",
    "<base href=\"{{v}}\">",
    "<object data=\"{{v}}\">",
    "<meta http-equiv=\"refresh\" content=\"0; url={{v}}\">",
    "<meta content=\"0; url={{v}}\" http-equiv=\"refresh\" title=\"{{v}}\">",
    "<animate attributeName=href values=\"{{v}}\">",
    "<a href=\"javascript:f('{{v}}')\">",
    "<a href=\"JavaScript:{{v}}\">",
    "<a href=\"java&#115;cript:{{v}}\">",
    "<a href=\"data:text/html,{{v}}\">",
    "<a href=\"{{v}}:x\">",
    "<a href=\"java{{v}}:x\">",
    "<a href=\"{{#yes}}java{{/yes}}script:{{v}}\">",
    "<img srcset=\"{{v}} 1x\">",
    /* Sections */
    "{{#yes}}<b{{/yes}}>",
    "{{#yes}}<b title=\"{{/yes}}{{v}}",
    "<b title=\"{{#yes}}\"{{/yes}}>",
    "<{{#yes}}b{{/yes}}>",
    "<b o{{#yes}}nclick{{/yes}}=\"{{v}}\">",
    "<b {{#yes}}on{{/yes}}click=\"{{v}}\">",
    "<b title{{#yes}}=\"{{v}}\"{{/yes}}>",
    "<b title={{#yes}}\"{{v}}\"{{/yes}}>",
    "{{#yes}}<script>{{/yes}}",
    "<b {{#items}}selected{{/items}}>",
    "<{{#yes}}!-- {{/yes}}",
    "<!{{#yes}}-{{/yes}}- {{v}}",
    "<p",
    "<p title=\"",
    "<!-- ",
    "<script>",
};

TEST_PLAIN(places_without_a_value)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const char *problem = refused("t.html", refusals[i], all_model());
        if (strncmp(problem, "t.html:1: ", 10) != 0)
            check_str(problem, refusals[i]);
    }
}
