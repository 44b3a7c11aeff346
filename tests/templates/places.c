/* Renders places.html of the folder in argv[1] for each text of stdin; see README.md. Texts and
   pages end with a NUL. */
#include <bide/template.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct branch branch;
MODEL(branch, "", (str, text), (list(branch), more));
MODEL(place, "", (str, text), (list(str), list), (bool, yes), (bool, no), (i64, number),
      (obj(branch), tree));

static void render(const bide_template *page, const char *text)
{
    const char *list[] = {text, "", text};
    branch leaf = {.text = text};
    place row = {.text = text,
                 .list = {list, 3},
                 .yes = true,
                 .number = 7,
                 .tree = {.text = text, .more = {&leaf, 1}}};
    bide_arena arena;
    bide_buf out;
    bide_arena_init(&arena, NULL, 1 << 20);
    bide_buf_init(&out, 64 << 20);
    int error = bide_template_write(page, &row, NULL, &arena, &out);
    if (error < 0) {
        fprintf(stderr, "error %d\n", error);
        exit(1);
    }
    fwrite(bide_buf_str(&out), 1, bide_buf_length(&out) + 1, stdout);
    bide_buf_done(&out);
    bide_arena_done(&arena);
}

int main(int argc, char **argv)
{
    bide_templates *templates = bide_templates_open(argc > 1 ? argv[1] : ".", NULL);
    const bide_template *page = bide_template_of(templates, "places", place_model(), NULL);
    char *text = NULL;
    size_t size = 0;
    if (!page) {
        fprintf(stderr, "%s\n", bide_templates_problem(templates));
        return 1;
    }
    while (getdelim(&text, &size, 0, stdin) >= 0)
        render(page, text);
    free(text);
    bide_templates_close(templates);
    return 0;
}
