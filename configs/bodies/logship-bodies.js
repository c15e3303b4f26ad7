// Keeps the response's body and the user of a bearer token for the access log. Made by `logship init --bodies`.
// njs gives every request its own copy of these variables.
const MOST_BYTES = 30000; // as max_body_bytes of bodies.yml; a longer body is not logged at all
const NOT_UTF8 = '{not UTF-8'; // stands for such a body, which no log line can hold: logship leaves it out, and counts it
const TEXTS = /^(application\/([^;]*\+)?json|application\/x-www-form-urlencoded|text\/)/i;
const NUMBERS = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/g; // and the texts, in which digits are none

let parts = [];
let size = 0;

// For js_body_filter: what comes is passed on as it is; a whole body of text is in $logship_response_body.
function keep(r, data, flags) {
    if (size <= MOST_BYTES) {
        size += data.length;
        if (size > MOST_BYTES) parts = [];
        else if (data.length) parts.push(Buffer.from(data));
    }
    if (flags.last && size > 0 && size <= MOST_BYTES && is_text(r)) {
        r.variables.logship_response_body = text_of(Buffer.concat(parts));
    }
    r.sendBuffer(data, flags);
}

// For js_set: the request's body, '' where there is none or nginx has it in a file.
function request_body(r) {
    return r.variables.request_body ? text_of(r.requestBuffer) : '';
}

function text_of(bytes) {
    const text = bytes.toString();
    return Buffer.from(text).equals(bytes) ? text : NOT_UTF8;
}

function is_text(r) {
    return TEXTS.test(r.headersOut['Content-Type'] || '') && !r.variables.upstream_http_content_encoding;
}

// For js_set: the claim `sub` of a bearer token (read, not verified), else the user of Basic authentication.
function user(r) {
    try {
        const token = /^Bearer\s+[^.]+\.([^.]+)\./i.exec(r.headersIn.Authorization || '');
        const claims = JSON.parse(Buffer.from(token[1], 'base64url').toString().replace(NUMBERS, quoted));
        if (typeof claims.sub === 'string' && claims.sub) return claims.sub;
    } catch (e) {
        // no token, or none that can be read
    }
    return r.variables.remote_user || '';
}

// A number as text: beyond 2^53 it would become another one, and its user somebody else.
function quoted(token) {
    return token[0] === '"' ? token : '"' + token + '"';
}

export default { keep, request_body, user };
