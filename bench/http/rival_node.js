// The server on node's http. It prints `PORT n` and serves until it is killed.
'use strict';
const http = require('http');

const LIFETIME_MS = 120000;
const IDLE_MS = 75000;
const text = Buffer.from('Hello, World!');
const headers = { 'Content-Type': 'text/plain', 'Content-Length': text.length };

function answer(reply) {
    reply.writeHead(200, headers);
    reply.end(text);
}

const server = http.createServer((request, reply) => {
    if (request.url === '/plaintext') {
        answer(reply);
    } else if (request.url === '/body') {
        request.resume();
        request.on('end', () => answer(reply));
    } else {
        reply.writeHead(404);
        reply.end();
    }
});
server.keepAliveTimeout = IDLE_MS;
server.listen(0, '127.0.0.1', () => console.log('PORT', server.address().port));
setTimeout(() => process.exit(1), LIFETIME_MS); // nobody is left to kill it
