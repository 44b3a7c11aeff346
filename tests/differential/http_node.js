// Bytes of connections on stdin, what node's parser makes of them on stdout: see README.md.
// Run by ../run_http_differential.py. Exit status 3: this node has no such parser.
'use strict';

let binding;
try {
  binding = process.binding('http_parser');
} catch (error) {
  process.exit(3);
}
const { HTTPParser } = binding;
const methods = binding.allMethods || binding.methods;
if (!HTTPParser || !methods || HTTPParser.kOnHeadersComplete === undefined) process.exit(3);

function pairs(flat) {
  const list = [];
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i], flat[i + 1]]);
  return list;
}

function readConnection(bytes) {
  const messages = [];
  const parser = new HTTPParser();
  let head = null, early = [], earlyUrl = '', body = [], stop = false, begun = false;
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0);
  parser[HTTPParser.kOnMessageBegin | 0] = () => { begun = true; };
  // Fields come in batches before the rest of a long head, and trailers after the body.
  parser[HTTPParser.kOnHeaders | 0] = (fields, url) => {
    if (!head) { early.push(...fields); earlyUrl += url; }
  };
  parser[HTTPParser.kOnHeadersComplete | 0] =
    (major, minor, fields, method, url, status, text, upgrade, keep) => {
      head = { method: methods[method], url: earlyUrl + (url || ''), minor,
               fields: pairs(early.concat(fields || [])), upgrade, keep, major };
      early = []; earlyUrl = ''; body = [];
      return 0;
    };
  parser[HTTPParser.kOnBody | 0] = (chunk) => { body.push(Buffer.from(chunk)); };
  parser[HTTPParser.kOnMessageComplete | 0] = () => {
    if (stop) return;
    messages.push([head.method, head.url, head.minor, head.fields,
                   Buffer.concat(body).toString('hex'), head.keep ? 'keep' : 'close']);
    stop = head.method === 'CONNECT' || head.upgrade || !head.keep || head.major !== 1;
    head = null; begun = false;
  };
  const result = parser.execute(bytes);
  if (result instanceof Error && !stop) {
    return { messages, end: 'bad', reason: `${result.code} ${result.reason}` };
  }
  if (head && head.upgrade && result < bytes.length) {
    return { messages, end: 'bad', reason: 'an error hidden by an upgrade' };
  }
  return { messages, end: stop ? 'stop' : head || begun ? 'more' : 'idle' };
}

const input = require('fs').readFileSync(0);
const lines = [];
for (let at = 0; at < input.length;) {
  const length = input.readUInt32LE(at);
  // A copy: the parser hands out views of it.
  lines.push(JSON.stringify(readConnection(Buffer.from(input.subarray(at + 4, at + 4 + length)))));
  at += 4 + length;
}
process.stdout.write(lines.join('\n') + '\n');
