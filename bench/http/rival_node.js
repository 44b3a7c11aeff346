// The server on node's http. It prints `PORT n` and serves until it is killed.
'use strict';
const http = require('http');

const LIFETIME_MS = 120000;
const IDLE_MS = 75000;
const text = Buffer.from('Hello, World!');
const textHeaders = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length };
const someone = { id: 7, name: 'Frodo Baggins', email: 'frodo@shire.example', active: true };
const email = /^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/;
const login = /^[a-z][a-z0-9_]{2,31}$/;

function answer(reply) {
    reply.writeHead(200, textHeaders);
    reply.end(text);
}

function answerJson(reply, status, value) {
    const bytes = JSON.stringify(value);
    reply.writeHead(status, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(bytes),
    });
    reply.end(bytes);
}

function readBody(request, done) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => done(parts.length === 1 ? parts[0] : Buffer.concat(parts)));
}

// What is wrong with it, or null.
function problemOf(form) {
    if (typeof form.name !== 'string' || form.name.length < 1 || form.name.length > 40) {
        return 'name';
    }
    if (!Number.isInteger(form.age) || form.age < 0 || form.age > 150) {
        return 'age';
    }
    if (typeof form.email !== 'string' || !email.test(form.email)) {
        return 'email';
    }
    return typeof form.login === 'string' && login.test(form.login) ? null : 'login';
}

function addAccount(reply, body) {
    let form;
    try {
        form = JSON.parse(body);
    } catch (error) {
        answerJson(reply, 400, { detail: error.message });
        return;
    }
    const field = problemOf(form);
    if (field) {
        answerJson(reply, 422, { detail: field });
    } else {
        const { name, age, email, login } = form;
        answerJson(reply, 200, { name, age, email, login });
    }
}

const server = http.createServer((request, reply) => {
    if (request.url === '/plaintext') {
        answer(reply);
    } else if (request.url === '/json') {
        answerJson(reply, 200, someone);
    } else if (request.url === '/accounts') {
        readBody(request, (body) => addAccount(reply, body));
    } else if (request.url === '/notes') {
        readBody(request, () => answer(reply));
    } else {
        reply.writeHead(404);
        reply.end();
    }
});
server.keepAliveTimeout = IDLE_MS;
server.listen(0, '127.0.0.1', () => console.log('PORT', server.address().port));
setTimeout(() => process.exit(1), LIFETIME_MS); // nobody is left to kill it
