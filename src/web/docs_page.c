/*
 * /docs: Swagger UI from a folder of this machine, or, where there is none, a plain page of our
 * own; both show the application's OpenAPI document and ask no other host for anything. Called by
 * app.c when it starts, and by the dispatch; calls files.c.
 *
 * The folder is what BIDE_SWAGGER_UI names in the environment ("": none), else the one that
 * `./dev install` has filled. The pages have no script inside: so their content policy allows only
 * what comes from here, and what a document says can never run.
 *
 * Source: swagger.io, "Swagger UI configuration"; W3C, "Content Security Policy Level 3".
 */
#include "web/docs_page.h"

#include "web/files.h"
#include "web/reply.h"

#include <stdlib.h>
#include <unistd.h>

/* A page and its script, under /docs and /docs/init.js. */
struct docs {
    const char *html, *script;
};

/* Where a page lies below others, behind a proxy, its operations do too, unless the document says
   where: so the parts of the page, too, are named relative to it. */
static const struct docs swagger = {
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>API</title>"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<link rel=\"stylesheet\" href=\"docs/swagger-ui.css\">"
    "<link rel=\"icon\" type=\"image/png\" href=\"docs/favicon-32x32.png\">"
    "</head><body><div id=\"swagger-ui\"></div>"
    "<script src=\"docs/swagger-ui-bundle.js\"></script><script src=\"docs/init.js\"></script>"
    "</body></html>\n",
    "'use strict';\n"
    "const base = location.pathname.replace(/\\/docs$/, '');\n"
    "fetch('openapi.json').then(r => r.json()).then(api => {\n"
    "  document.title = api.info.title;\n"
    "  if (base && !api.servers) api.servers = [{url: base}];\n"
    "  SwaggerUIBundle({\n"
    "    spec: api, dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null,\n"
    "    presets: [SwaggerUIBundle.presets.apis], layout: 'BaseLayout',\n"
    "    oauth2RedirectUrl: location.origin + base + '/docs/oauth2-redirect.html',\n"
    "  });\n"
    "});\n",
};

/* What a document says goes into the page as text, never as HTML. */
static const struct docs plain = {
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>API</title>"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<link rel=\"icon\" href=\"data:,\"><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "summary{cursor:pointer;padding:.3em}code,pre{font-size:.9em}pre{overflow:auto;padding:.5em;"
    "background:#8881}b{display:inline-block;width:5em}td,th{text-align:left;padding:0 1em 0 0}"
    "details{border-top:1px solid #8884}</style></head><body><h1></h1><main></main>"
    "<h2>Schemas</h2><section></section>"
    "<script src=\"docs/init.js\"></script></body></html>\n",
    "'use strict';\n"
    "function add(to, tag, text) {\n"
    "  const e = document.createElement(tag);\n"
    "  if (text !== undefined) e.textContent = text;\n"
    "  to.append(e);\n"
    "  return e;\n"
    "}\n"
    "function show(to, title, value) {\n"
    "  add(to, 'h4', title);\n"
    "  add(to, 'pre', JSON.stringify(value, null, 2));\n"
    "}\n"
    "function operation(path, method, op) {\n"
    "  const d = add(document.querySelector('main'), 'details'), s = add(d, 'summary');\n"
    "  add(s, 'b', method.toUpperCase());\n"
    "  add(s, 'code', path);\n"
    "  s.append(' ' + op.operationId);\n"
    "  if (op.parameters) {\n"
    "    const t = add(d, 'table');\n"
    "    for (const p of op.parameters) {\n"
    "      const r = add(t, 'tr');\n"
    "      for (const x of [p.name, p.in, p.required ? 'required' : '', "
    "JSON.stringify(p.schema)])\n"
    "        add(r, 'td', x);\n"
    "    }\n"
    "  }\n"
    "  if (op.requestBody) show(d, 'Body', op.requestBody.content);\n"
    "  for (const [code, r] of Object.entries(op.responses))\n"
    "    show(d, code + ' ' + r.description, r.content || {});\n"
    "}\n"
    "fetch('openapi.json').then(r => r.json()).then(api => {\n"
    "  document.title = api.info.title;\n"
    "  document.querySelector('h1').textContent = api.info.title + ' ' + api.info.version;\n"
    "  for (const [path, methods] of Object.entries(api.paths))\n"
    "    for (const [method, op] of Object.entries(methods)) operation(path, method, op);\n"
    "  for (const [name, schema] of Object.entries(api.components.schemas)) {\n"
    "    const d = add(document.querySelector('section'), 'details');\n"
    "    add(d, 'summary', name);\n"
    "    add(d, 'pre', JSON.stringify(schema, null, 2));\n"
    "  }\n"
    "});\n",
};

static void add_fields(bide_request *req)
{
    bide_set_header(req, "Cache-Control", "no-cache");
    bide_set_header(req, "X-Content-Type-Options", "nosniff");
    bide_set_header(req, "Content-Security-Policy",
                    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
                    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
                    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
}

static void show_page(bide_request *req)
{
    const struct docs *docs = req->plan->builtin->arg;
    bide__web_reply(req, 200, "text/html; charset=utf-8", docs->html, strlen(docs->html));
    add_fields(req);
}

static void show_script(bide_request *req)
{
    const struct docs *docs = req->plan->builtin->arg;
    bide__web_reply(req, 200, "text/javascript; charset=utf-8", docs->script, strlen(docs->script));
    add_fields(req);
}

/* The folder of Swagger UI, in the application's memory; NULL: there is none. */
static const char *find_swagger(bide_app *app)
{
    const char *folder = getenv("BIDE_SWAGGER_UI");
    if (folder && !*folder)
        return NULL;
    const char *script = bide_arena_printf(&app->arena, "%s/swagger-ui-bundle.js",
                                           folder ? folder : BIDE_SWAGGER_UI_DIR);
    if (!script || access(script, R_OK) < 0)
        return NULL;
    return bide_arena_strndup(&app->arena, script,
                              strlen(script) - strlen("/swagger-ui-bundle.js"));
}

int bide__docs_prepare(bide_app *app)
{
    static const struct bide__builtin swagger_pages[] = {
        {"/docs", show_page, &swagger, NULL, 0},
        {"/docs/init.js", show_script, &swagger, NULL, 0},
    };
    static const struct bide__builtin plain_pages[] = {
        {"/docs", show_page, &plain, NULL, 0},
        {"/docs/init.js", show_script, &plain, NULL, 0},
    };
    const char *folder = find_swagger(app);
    const struct bide__builtin *pages = folder ? swagger_pages : plain_pages;
    int result = bide__plan_builtin(app, &pages[0]);
    if (result == 0)
        result = bide__plan_builtin(app, &pages[1]);
    if (result < 0 || !folder)
        return result;
    struct bide__files *files = bide_arena_alloc_zero(&app->arena, 1, sizeof *files);
    if (!files)
        return bide__app_problem(app, "out of memory");
    files->options = (struct bide_files){.file = "bide", .prefix = "/docs", .folder = folder};
    return bide__files_prepare(app, files);
}
