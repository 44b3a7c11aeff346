/*
 * `bide new PATH`: the folder of an application, with a test, a Makefile and a recipe for an image:
 * all of it is the user's from then on. Called by bide.c.
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* In each text @ stands for the application's name. */
static const struct file {
    const char *name, *text;
} files[] = {
    {"app.h", "/* What the routes, the main program and the tests of @ share. */\n"
              "#ifndef APP_H\n"
              "#define APP_H\n"
              "\n"
              "#include <bide/bide.h>\n"
              "\n"
              "bide_app *make_app(void);\n"
              "\n"
              "#endif\n"},
    {"app.c", "/* The routes of @. Wrong input never reaches them: all that is wrong comes back at "
              "once. */\n"
              "#include \"app.h\"\n"
              "\n"
              "#include <string.h>\n"
              "\n"
              "MODEL(greeting, \"\", (str, text), (i32, length));\n"
              "\n"
              "GET(hello, \"/hello/{name}\", greeting, path(str, name, len(1, 40)))\n"
              "{\n"
              "    const char *text = bide_arena_printf(bide_arena_of(req), \"hello %s\", name);\n"
              "    if (!text)\n"
              "        fail(http_error(503, \"no memory\"));\n"
              "    return (greeting){.text = text, .length = (int)strlen(text)};\n"
              "}\n"
              "\n"
              "bide_app *make_app(void)\n"
              "{\n"
              "    bide_app *app = bide_app_new(.title = \"@\", .version = \"0.1.0\");\n"
              "    bide_app_add_all(app, \"\"); /* every route of this file */\n"
              "    return app;\n"
              "}\n"},
    {"main.c", "/* @ as a program: ./@ run --port 8000; ./@ help lists the rest. */\n"
               "#include \"app.h\"\n"
               "\n"
               "int main(int argc, char **argv)\n"
               "{\n"
               "    return bide_main(argc, argv, make_app);\n"
               "}\n"},
    {"tests/app_test.c", "/* The routes of @, without sockets. */\n"
                         "#include \"../app.h\"\n"
                         "\n"
                         "#include <bide/test.h>\n"
                         "#include <bide/web_test.h>\n"
                         "\n"
                         "TEST(it_greets)\n"
                         "{\n"
                         "    with_client(c, make_app()) {\n"
                         "        reply r = await(client_get(c, \"/hello/Sam\"));\n"
                         "        check_int(r.status, 200);\n"
                         "        check_str(json_str(r, \"text\"), \"hello Sam\");\n"
                         "    }\n"
                         "}\n"
                         "\n"
                         "TEST(a_name_that_is_too_long_is_refused)\n"
                         "{\n"
                         "    with_client(c, make_app()) {\n"
                         "        reply r = await(client_get(\n"
                         "            c, \"/hello/12345678901234567890123456789012345678901\"));\n"
                         "        check_int(r.status, 422);\n"
                         "    }\n"
                         "}\n"},
    {"Makefile",
     "# make: the program; make test; make dev: build and serve, again at each change.\n"
     "CFLAGS ?= -O2 -g -Wall -Wextra\n"
     "BIDE_FLAGS := $(shell pkg-config --cflags bide)\n"
     "BIDE_LIBS := $(shell pkg-config --libs bide)\n"
     "TEST_LIBS := $(shell pkg-config --libs bide_test)\n"
     "\n"
     "@: main.o app.o\n"
     "\t$(CC) $(LDFLAGS) -o $@ $^ $(BIDE_LIBS)\n"
     "\n"
     "app_test: tests/app_test.o app.o\n"
     "\t$(CC) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)\n"
     "\n"
     "%.o: %.c app.h\n"
     "\t$(CC) $(BIDE_FLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<\n"
     "\n"
     ".PHONY: test dev clean\n"
     "test: app_test\n"
     "\t./app_test\n"
     "dev:\n"
     "\tbide dev .\n"
     "clean:\n"
     "\trm -f @ app_test *.o tests/*.o\n"},
    {"Dockerfile",
     "# The image of @, with bide from its sources:\n"
     "#\n"
     "#     docker build --build-context bide=FOLDER-OF-BIDE -t @ .\n"
     "#     docker run -p 8000:8000 @\n"
     "FROM debian:12-slim AS build\n"
     "COPY --from=bide . /bide\n"
     "RUN apt-get update && apt-get install -y --no-install-recommends make \\\n"
     "    && cd /bide && ./dev deps more && ./dev install --prefix /usr/local && ldconfig\n"
     "WORKDIR /src\n"
     "COPY . .\n"
     "RUN make clean && make\n"
     "\n"
     "FROM debian:12-slim\n"
     "RUN apt-get update \\\n"
     "    && apt-get install -y --no-install-recommends \\\n"
     "        ca-certificates libcrypt1 libcurl4 libgcc-s1 libhiredis0.14 libjwt0 libpcre2-8-0 \\\n"
     "        libpq5 libsodium23 libsqlite3-0 liburing2 zlib1g \\\n"
     "    && rm -rf /var/lib/apt/lists/* && useradd --system --uid 10001 app\n"
     "COPY --from=build /usr/local/lib /usr/local/lib\n"
     "COPY --from=build /src/@ /usr/local/bin/@\n"
     "RUN ldconfig\n"
     "USER app\n"
     "ENV BIDE_HOST=0.0.0.0 BIDE_PORT=8000 BIDE_LOG_FORMAT=json\n"
     "EXPOSE 8000\n"
     "ENTRYPOINT [\"@\"]\n"
     "CMD [\"run\"]\n"},
    {".gitignore", "*.o\n/@\n/app_test\n"},
    {".dockerignore", "*.o\n/@\n/app_test\n.git\n"},
    {"README.md",
     "# @\n"
     "\n"
     "    make dev          # http://127.0.0.1:8000/docs; a change is built and served at once\n"
     "    make test\n"
     "    make && ./@ run --workers auto\n"},
};

/* The last part of the path; NULL if it is no name for a program. */
static const char *name_of_new(const char *path)
{
    static const char *const taken[] = {"app", "app_test", "tests",    "test",
                                        "dev", "clean",    "Makefile", "Dockerfile"};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && (at == name || !strchr("_-", *at)))
            return NULL;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return NULL;
    return *name ? name : NULL;
}

static void write_new(const char *path, const char *whole, const char *name)
{
    FILE *out = fopen(path, "wxe");
    if (!out)
        die(EXIT_BUILD, "%s: %s", path, strerror(errno));
    for (const char *text = whole; *text; text++) {
        /* of the Makefile, and no name: $@ */
        if (*text == '@' && (text == whole || text[-1] != '$'))
            fputs(name, out);
        else
            fputc(*text, out);
    }
    if (fclose(out) != 0)
        die(EXIT_BUILD, "%s: %s", path, strerror(errno));
}

int make_new(const char *path)
{
    const char *name = name_of_new(path);
    if (!name)
        die(EXIT_USAGE,
            "%s: the name of an application is letters, digits, - and _, and none of its files or "
            "targets",
            path);
    if (mkdir(path, 0777) < 0)
        die(EXIT_USAGE, "%s: %s", path, strerror(errno));
    if (mkdir(text_of("%s/tests", path), 0777) < 0)
        die(EXIT_BUILD, "%s/tests: %s", path, strerror(errno));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_new(text_of("%s/%s", path, files[i].name), files[i].text, name);
    printf("%s: made. Next:\n\n    cd %s\n    make dev\n", path, path);
    return 0;
}
