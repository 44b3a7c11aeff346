/*
 * What a template includes: partials, parents and blocks, partials that include themselves; names
 * and what is said of unknown ones.
 */
#include "render.h"

ENUM(role, reader, writer);
typedef struct node node;
MODEL(node, "", (str, name), (list(node), nodes));
MODEL(inner, "", (str, fruit), (str, s, optional));
MODEL(all, "", (str, s), (str, fruit), (bool, yes), (bool, no), (obj(inner), nested),
      (obj(inner), none, optional), (obj(node), tree), (role, role), (list(inner), list),
      (hash, password), (str, code, secret), (str, in_only, writeonly), (str, _own), (str, lines));

static node leaves[] = {{.name = "c"}, {.name = "d"}};
static node children[] = {{.name = "a"}, {.name = "b", .nodes = {leaves, 2}}};
static inner list[] = {{.fruit = "x"}, {.fruit = "y"}};
static const all row = {
    .s = "text",
    .fruit = "apples",
    .yes = true,
    .nested = {.fruit = "bananas"},
    .tree = {.name = "root", .nodes = {children, 2}},
    .role = role_writer,
    .list = {list, 2},
    .lines = "<\n->",
};

#define PARTIALS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct example {
    const char *template, *expected;
    const char *const *partials;
};

static void check_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        partials = examples[i].partials;
        check_str(rendered("t.txt", examples[i].template, all_model(), &row), examples[i].expected);
    }
    partials = NULL;
}
#define CHECK_ALL(examples) check_all(examples, sizeof(examples) / sizeof *(examples))

TEST_PLAIN(partials_are_put_in)
{
    const struct example examples[] = {
        {"\"{{>text}}\"", "\"from partial\"", PARTIALS("text.txt", "from partial")},
        {"\"{{>text.txt}}\"", "\"text\"", PARTIALS("text.txt", "{{s}}")},
        {"\"{{> parts/text }}\"", "\"text\"", PARTIALS("parts/text.txt", "{{s}}")},
        {"| {{>p}} |", "| \t|\t |", PARTIALS("p.txt", "\t|\t")},
        {"  {{s}}  {{> p}}\n", "  text  >\n>\n", PARTIALS("p.txt", ">\n>")},
        {"|\r\n{{>p}}\r\n|", "|\r\n>|", PARTIALS("p.txt", ">")},
        {"  {{>p}}\n>", "  >\n  >>", PARTIALS("p.txt", ">\n>")},
        {">\n  {{>p}}", ">\n  >\n  >", PARTIALS("p.txt", ">\n>")},
        {"\\\n {{>p}}\n/\n", "\\\n |\n <\n->\n |\n/\n", PARTIALS("p.txt", "|\n{{lines}}\n|\n")},
        {" {{>p}}\n", " |\n\n |\n", PARTIALS("p.txt", "|\n\n|\n")},
        {" {{>p}}\n", "  |\n", PARTIALS("p.txt", " {{>q}}\n", "q.txt", "|\n")},
        {"{{=| |=}}(|>p|)", "(text{{s}})", PARTIALS("p.txt", "{{s}}{{=<% %>=}}{{s}}")},
        {"{{#nested}}{{>p}}{{/nested}}{{>p}}", "bananasapples", PARTIALS("p.txt", "{{fruit}}")},
    };
    CHECK_ALL(examples);
}

TEST_PLAIN(partials_that_include_themselves)
{
    const struct example examples[] = {
        {"{{#tree}}{{>node}}{{/tree}}", "root<a<>b<c<>d<>>>",
         PARTIALS("node.txt", "{{name}}<{{#nodes}}{{>node}}{{/nodes}}>")},
        {"{{#tree}}{{>node}}{{/tree}}", "root,text;a,text;b,text;c,text;d,text;",
         PARTIALS("node.txt", "{{name}},{{s}};{{#nodes}}{{>other}}{{/nodes}}", "other.txt",
                  "{{>node}}")},
        {"{{#tree}}{{>node}}{{/tree}}", "root root(a a(),b b(c c(),d d(),),)",
         PARTIALS("node.txt", "{{#name}}{{.}}{{/name}} {{name}}({{#nodes}}{{>node}},{{/nodes}})")},
        {"{{>self}}", "xx", PARTIALS("self.txt", "{{#no}}{{>self}}{{/no}}xx")},
        {"{{>self}}", "error", PARTIALS("self.txt", "{{#yes}}{{>self}}{{/yes}}")},
    };
    CHECK_ALL(examples);
}

TEST_PLAIN(parents_and_blocks)
{
    const char *const super[] = {"super.txt", "...{{$title}}Default title{{/title}}...", NULL};
    const struct example examples[] = {
        {"{{$title}}Default title{{/title}}\n", "Default title\n", NULL},
        {"{{$foo}}default {{s}} content{{/foo}}\n", "default text content\n", NULL},
        {"{{<super}}{{/super}}", "...Default title...", super},
        {"{{>super}}|{{<super}}{{/super}}", "...Default title...|...Default title...", super},
        {"{{<super}}{{$title}}sub{{/title}}{{/super}}", "...sub...", super},
        {"{{<super}}{{$s}}sub{{/s}}{{/super}}", "...Default title...", super},
        {"{{<super}} asdf {{$title}}hmm{{/title}} asdf {{s}}{{/super}}", "...hmm...", super},
        {"test {{<p}}{{$stuff}}1{{/stuff}}{{/p}} {{<p}}{{$stuff}}2{{/stuff}}{{/p}}\n",
         "test |1 default| |2 default|\n",
         PARTIALS("p.txt", "|{{$stuff}}...{{/stuff}}{{$default}} default{{/default}}|")},
        {"{{<p}}{{$ballmer}}\npeaked\n\n:(\n{{/ballmer}}{{/p}}", "peaked\n\n:(\n",
         PARTIALS("p.txt", "{{$ballmer}}peaking{{/ballmer}}")},
        {"{{<p}}{{$nineties}}hammer time{{/nineties}}{{/p}}", "stop:\n  hammer time\n",
         PARTIALS("p.txt", "stop:\n  {{$nineties}}collaborate{{/nineties}}\n")},
        {"{{<p}}{{$a}}c{{/a}}{{/p}}", "c",
         PARTIALS("p.txt", "{{<older}}{{$a}}p{{/a}}{{/older}}", "older.txt",
                  "{{<grand}}{{$a}}o{{/a}}{{/grand}}", "grand.txt", "{{$a}}g{{/a}}")},
        {"{{<p}}{{/p}}", "p",
         PARTIALS("p.txt", "{{<older}}{{$a}}p{{/a}}{{/older}}", "older.txt",
                  "{{<grand}}{{$a}}o{{/a}}{{/grand}}", "grand.txt", "{{$a}}g{{/a}}")},
        {"{{<parent}}{{$foo}}override{{/foo}}{{/parent}}",
         "override override override don't recurse",
         PARTIALS("parent.txt", "{{$foo}}default{{/foo}} {{$bar}}{{<parent2}}{{/parent2}}{{/bar}}",
                  "parent2.txt",
                  "{{$foo}}d{{/foo}} {{<parent}}{{$bar}}don't recurse{{/bar}}{{/parent}}")},
        {"{{<p}}{{$block}}I say {{fruit}}.{{/block}}{{/p}}", "I say bananas.",
         PARTIALS("p.txt", "{{#nested}}{{$block}}You say {{fruit}}.{{/block}}{{/nested}}")},
        {"Hi,\n  {{<p}}{{/p}}\n", "Hi,\n  one\n  two\n", PARTIALS("p.txt", "one\ntwo\n")},
        {"(\n  {{<p}}{{$a}}\nx\n{{/a}}{{/p}}\n)", "(\n  1 x\n2\n)",
         PARTIALS("p.txt", "1 {{$a}}{{/a}}2\n")},
        {"(\n  {{<p}}\n{{$a}}x{{/a}}\n{{/p}}  \n)", "(\n  1 x2\n)",
         PARTIALS("p.txt", "1 {{$a}}{{/a}}2\n")},
        {"(\n  {{<p}}{{$a}}\nx\n{{/a}}{{/p}})", "(\n  1 x\n2\n)",
         PARTIALS("p.txt", "1 {{$a}}{{/a}}2\n")},
        {"{{<p}}{{$a}}{{$b}}inner{{/b}}{{/a}}{{/p}}", "(inner)",
         PARTIALS("p.txt", "({{$a}}{{/a}})")},
        {"{{<q}}{{$b}}outer{{/b}}{{/q}}", "(outer)",
         PARTIALS("p.txt", "({{$a}}{{/a}})", "q.txt", "{{<p}}{{$a}}{{$b}}inner{{/b}}{{/a}}{{/p}}")},
    };
    CHECK_ALL(examples);
}

TEST_PLAIN(names)
{
    const struct example examples[] = {
        {"{{nested.fruit}}{{none.fruit}}{{#none.fruit}}x{{/none.fruit}}", "bananas", NULL},
        {"{{role}} {{role.writer}} {{role.reader}}{{#role.writer}} w{{/role.writer}}"
         "{{^role.reader}} not r{{/role.reader}}",
         "writer true false w not r", NULL},
        {"{{#list}}{{fruit}}{{s}}{{^s}}-{{/s}}{{/list}}", "x-y-", NULL},
        {"{{#list}}{{list.count}}{{/list}}", "22", NULL},
        {"{{#tree.nodes}}{{name}}{{nodes.count}} {{/tree.nodes}}", "a0 b2 ", NULL},
    };
    CHECK_ALL(examples);
}

static const struct {
    const char *template, *problem;
} wrong[] = {
    {"\n{{fruits}}", "t.txt:2: there is no field `fruits` in `all`: did you mean `fruit`?"},
    {"{{#nested}}{{frut}}{{/nested}}",
     "t.txt:1: there is no field `frut` in `inner`: did you mean `fruit`?"},
    {"{{nested.frut}}", "t.txt:1: there is no field `frut` in `inner`: did you mean `fruit`?"},
    {"{{nested.}}", "t.txt:1: a name with a dot that nothing stands before or behind"},
    {"{{.s}}", "t.txt:1: a name with a dot that nothing stands before or behind"},
    {"{{nested..s}}", "t.txt:1: a name with a dot that nothing stands before or behind"},
    {"{{s.x}}", "t.txt:1: there is no part `x` in `str`"},
    {"{{list.fruit}}", "t.txt:1: there is no part `fruit` in `a list`: did you mean `count`?"},
    {"{{list.count.x}}", "t.txt:1: there is no part `x` in `inner`"},
    {"{{role.writter}}", "t.txt:1: there is no value `writter` in `role`: did you mean `writer`?"},
    {"{{nested}}", "t.txt:1: `nested` is a model: write one of its fields"},
    {"{{list}}", "t.txt:1: `list` is a list: write its items in a section, or its `.count`"},
    {"{{.}}", "t.txt:1: `.` is a model: write one of its fields"},
    {"{{password}}", "t.txt:1: the field `password` of `all` is never written: it is secret"},
    {"{{#code}}{{/code}}", "t.txt:1: the field `code` of `all` is never written: it is secret"},
    {"{{in_only}}", "t.txt:1: the field `in_only` of `all` is never written: it is writeonly"},
    {"{{_own}}",
     "t.txt:1: the field `_own` of `all` is never written: it is private, by the `_` of its name"},
    {"{{>pp}}", "t.txt:1: there is no template `pp.txt`: did you mean `p.txt`?"},
    {"{{>p}}", "p.txt:3: there is no field `zzzzzz` in `all`"},
    {"{{>loop}}", "loop.txt:1: more than 64 sections and templates inside each other"},
    {"{{>big}}", "big5.txt:1: the template is too large with all that it includes"},
};

TEST_PLAIN(what_is_wrong)
{
    static char tens[6][512];
    for (int i = 0; i < 6; i++)
        for (int n = 0; n < 10; n++)
            snprintf(tens[i] + strlen(tens[i]), sizeof *tens - strlen(tens[i]),
                     i == 5 ? "{{s}}" : "{{>big%d}}", i + 1);
    partials = PARTIALS("p.txt", "a\n{{s}}\n{{zzzzzz}}", "loop.txt", "{{<loop}}{{/loop}}",
                        "big.txt", tens[0], "big1.txt", tens[1], "big2.txt", tens[2], "big3.txt",
                        tens[3], "big4.txt", tens[4], "big5.txt", tens[5]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_str(refused("t.txt", wrong[i].template, all_model()), wrong[i].problem);
    partials = NULL;
}
