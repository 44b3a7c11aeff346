/*
 * The page that shows an application's OpenAPI document: one constant text, without anything from
 * elsewhere. Called by dispatch.c.
 */
#include "web/web.h"

/* What a document says goes into the page as text, never as HTML. */
static const char page[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>API</title>"
    "<meta name=\"viewport\" content=\"width=device-width\"><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "summary{cursor:pointer;padding:.3em}code,pre{font-size:.9em}pre{overflow:auto;padding:.5em;"
    "background:#8881}b{display:inline-block;width:5em}td,th{text-align:left;padding:0 1em 0 0}"
    "details{border-top:1px solid #8884}</style></head><body><h1></h1><main></main>"
    "<h2>Schemas</h2><section></section><script>\n"
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
    "});\n"
    "</script></body></html>\n";

void bide__docs_page(bide_request *req)
{
    bide__web_reply(req, 200, "text/html; charset=utf-8", page, sizeof page - 1);
}
