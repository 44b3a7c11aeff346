// Checks an OpenAPI document by @seriousme/openapi-schema-validator, its schemas by ajv (JSON Schema
// 2020-12, strict), and replies against the schemas that it promises. Called by run_openapi.py with
// a JSON object on stdin: {documents: [{name, document, replies: [[operation, status, body]...]}]}.
// Prints a JSON object: for each name the list of what is wrong.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.argv[2] + "/"));
const load = async name => import(pathToFileURL(require.resolve(name)));
const { Validator } = await load("@seriousme/openapi-schema-validator");
const Ajv = (await load("ajv/dist/2020.js")).default.default ?? (await load("ajv/dist/2020.js")).default;
const addFormats = (await load("ajv-formats")).default.default ?? (await load("ajv-formats")).default;

const METHODS = ["get", "post", "put", "patch", "delete"];

function* operations(document) {
  for (const [path, item] of Object.entries(document.paths ?? {}))
    for (const method of METHODS) if (item[method]) yield [path, method, item[method]];
}

function checkOperations(document, wrong) {
  const ids = new Set();
  for (const [path, method, operation] of operations(document)) {
    if (ids.has(operation.operationId)) wrong.push(`operationId ${operation.operationId} twice`);
    ids.add(operation.operationId);
    const inPath = [...path.matchAll(/\{([^}]*)\}/g)].map(found => found[1]).sort();
    const parameters = (operation.parameters ?? []).filter(one => one.in === "path");
    const named = parameters.map(one => one.name).sort();
    for (const way of operation.security ?? [])
      for (const scheme of Object.keys(way))
        if (!document.components.securitySchemes?.[scheme])
          wrong.push(`${method} ${path}: there is no security scheme ${scheme}`);
    if (inPath.join() !== named.join())
      wrong.push(`${method} ${path}: the path has [${inPath}], its parameters are [${named}]`);
    const places = (operation.parameters ?? []).map(one => `${one.in} ${one.name.toLowerCase()}`);
    if (new Set(places).size !== places.length) wrong.push(`${method} ${path}: a parameter twice`);
  }
}

function checkSchemas(document, replies, wrong) {
  const ajv = new Ajv({ strict: true, allErrors: true, validateFormats: true, allowUnionTypes: true });
  addFormats(ajv);
  ajv.addVocabulary(["components", "openapi", "info", "paths", "security", "servers", "tags"]);
  for (const format of ["password", "decimal", "binary", "base64"]) ajv.addFormat(format, true);
  ajv.addSchema({ ...document, $id: "doc:/" });
  const compiled = pointer => ajv.compile({ $ref: "doc:/#" + pointer });
  const escaped = text => text.replaceAll("~", "~0").replaceAll("/", "~1");
  for (const name of Object.keys(document.components?.schemas ?? {}))
    compiled(`/components/schemas/${escaped(name)}`);
  for (const [path, method, operation] of operations(document)) {
    const at = `/paths/${escaped(path)}/${method}`;
    (operation.parameters ?? []).forEach((one, index) => compiled(`${at}/parameters/${index}/schema`));
    const body = "application/json";
    for (const type of Object.keys(operation.requestBody?.content ?? {}))
      compiled(`${at}/requestBody/content/${escaped(type)}/schema`);
    for (const [status, response] of Object.entries(operation.responses))
      if (response.content?.[body]) {
        const check = compiled(`${at}/responses/${status}/content/${escaped(body)}/schema`);
        for (const [id, code, text] of replies)
          if (id === operation.operationId && String(code) === status && !check(JSON.parse(text)))
            wrong.push(`a reply of ${id} is not as promised: ${ajv.errorsText(check.errors)}`);
      }
  }
  for (const [id, code] of replies) {
    const found = [...operations(document)].find(([, , one]) => one.operationId === id);
    if (!found?.[2].responses[code]) wrong.push(`${id} replies ${code}, which the document has not`);
  }
}

async function validate({ document, replies }) {
  const wrong = [];
  const result = await new Validator().validate(structuredClone(document));
  if (!result.valid) wrong.push("validator: " + JSON.stringify(result.errors).slice(0, 500));
  try {
    checkOperations(document, wrong);
    checkSchemas(document, replies, wrong);
  } catch (error) {
    wrong.push("schemas: " + error.message);
  }
  return wrong;
}

let input = "";
for await (const part of process.stdin) input += part;
const answers = {};
for (const one of JSON.parse(input).documents) answers[one.name] = await validate(one);
console.log(JSON.stringify(answers));
