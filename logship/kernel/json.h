/* Reading a line that is one JSON object (OBJECT in program.py): strict JSON, or the line is handed back. */
#ifndef LOGSHIP_JSON_H
#define LOGSHIP_JSON_H

#define MOST_NESTED 64
#define MOST_NUMBER 24   /* bytes of a number that nobody wants; orjson may have its own mind about longer ones */
#define MOST_PRECISE 15  /* digits that every reader of a double gives back as they are */

static const stop_set STRING_ENDS = TWO_STOPS('"', '\\');

typedef struct {
    run *of;
    node *tree;
    const uint8_t *at, *end;
} json;

static inline void skip_spaces(json *in)
{
    while (in->at < in->end && *in->at == ' ') in->at++;
}

static inline bool take(json *in, uint8_t byte)
{
    skip_spaces(in);
    if (in->at >= in->end || *in->at != byte) return false;
    in->at++;
    return true;
}

static inline unsigned four_hex(const uint8_t *at, const uint8_t *end) /* above 0xffff: none */
{
    unsigned unit = 0;
    if (end - at < 4) return 0x10000;
    for (int i = 0; i < 4; i++) {
        int digit = hex_of(at[i]);
        if (digit < 0) return 0x10000;
        unit = unit << 4 | (unsigned)digit;
    }
    return unit;
}

/* Behind an escape, `at` being behind its backslash, and what it says; NULL for none and for a lone surrogate. */
static const uint8_t *json_escape(const uint8_t *at, const uint8_t *end, uint32_t *code)
{
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    if (at >= end) return NULL;
    if (*at != 'u') {
        const char *found = *at ? strchr(names, *at) : NULL;
        *code = found ? (uint32_t)means[found - names] : 0;
        return found ? at + 1 : NULL;
    }
    *code = four_hex(at + 1, end);
    if (*code > 0xffff || (*code >= 0xdc00 && *code <= 0xdfff)) return NULL;
    at += 5;
    if (*code < 0xd800 || *code > 0xdfff) return at;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return NULL;
    unsigned low = four_hex(at + 2, end);
    if (low < 0xdc00 || low > 0xdfff) return NULL;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return at + 6;
}

/* The text of what stands inside of JSON quotes, in the scratch; `out` is no longer than `raw`. */
static bool json_decode(run *of, ls_bytes raw, ls_bytes *out)
{
    uint8_t *first = scratch(of, raw.length), *to = first;
    const uint8_t *at = raw.at, *end = at + raw.length;
    if (!first) return false;
    for (;;) {
        uint32_t code;
        const uint8_t *next = find_stop(at, end, &STRING_ENDS);
        memcpy(to, at, (size_t)(next - at));
        to += next - at, at = next;
        if (at == end) break;
        if (*at == '"') return false;
        at = json_escape(at + 1, end, &code);
        if (!at) return false;
        to = write_utf8(to, code);
    }
    *out = (ls_bytes){first, (size_t)(to - first)};
    return true;
}

/* A string, the cursor being behind its opening quote; afterwards behind its closing one. */
static bool take_string(json *in, ls_bytes *raw, bool *has_escapes)
{
    const uint8_t *first = in->at;
    uint32_t code;
    *has_escapes = false;
    for (;;) {
        in->at = find_stop(in->at, in->end, &STRING_ENDS);
        if (in->at >= in->end) return false;
        if (*in->at == '"') break;
        *has_escapes = true;
        in->at = json_escape(in->at + 1, in->end, &code);
        if (!in->at) return false;
    }
    *raw = (ls_bytes){first, (size_t)(in->at++ - first)};
    return true;
}

/* A number by JSON's grammar; `is_plain`: neither a sign nor an exponent. */
static bool take_number(json *in, ls_bytes *raw, bool *is_plain, size_t *whole)
{
    const uint8_t *first = in->at, *at = first, *end = in->end;
    *is_plain = true;
    if (*at == '-') at++, *is_plain = false;
    const uint8_t *digits = at;
    while (at < end && is_digit(*at)) at++;
    *whole = (size_t)(at - digits);
    if (!*whole || (*whole > 1 && *digits == '0')) return false;
    if (at < end && *at == '.') {
        const uint8_t *fraction = ++at;
        while (at < end && is_digit(*at)) at++;
        if (at == fraction) return false;
    }
    if (at < end && (*at | 32) == 'e') {
        *is_plain = false, at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        const uint8_t *power = at;
        while (at < end && is_digit(*at)) at++;
        if (at == power || at - power > 2) return false;
    }
    in->at = at;
    *raw = (ls_bytes){first, (size_t)(at - first)};
    return raw->length <= MOST_NUMBER;
}

/* A number as a bare text: without the zeros at the end of its fraction but one. */
static bool bare_number(ls_bytes raw, bool is_plain, size_t whole, ls_bytes *text)
{
    *text = raw;
    if (!is_plain) return false;
    if (whole == raw.length) return whole <= MOST_PRECISE;
    if (raw.length - 1 > MOST_PRECISE) return false;
    while (text->length > whole + 2 && text->at[text->length - 1] == '0') text->length--;
    if (text->at[0] != '0' || (text->length == 3 && text->at[2] == '0')) return true;
    size_t zeros = 2;
    while (zeros < text->length && text->at[zeros] == '0') zeros++;
    return zeros < 2 + 4; /* 0.0001 and above; smaller ones are spelled with an exponent */
}

static inline bool take_word(json *in, const char *word, size_t length)
{
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length)) return false;
    in->at += length;
    return true;
}

static bool take_object(json *in, unsigned depth, node *into);
static bool take_value(json *in, unsigned depth, const member *wanted);

static bool take_array(json *in, unsigned depth, const member *wanted)
{
    if (wanted && wanted->reg != NONE) { /* of one string, or it is handed back */
        ls_bytes raw;
        bool has_escapes;
        if (!take(in, '"') || !take_string(in, &raw, &has_escapes)) return false;
        set_raw(in->of, wanted->reg, raw, has_escapes);
        return take(in, ']');
    }
    if (take(in, ']')) return true;
    do {
        if (!take_value(in, depth + 1, NULL)) return false;
    } while (take(in, ','));
    return take(in, ']');
}

static bool take_scalar(json *in, const member *wanted)
{
    ls_bytes raw, text;
    size_t whole;
    bool is_plain = true;
    bool is_true = take_word(in, "true", 4);
    if (is_true || take_word(in, "false", 5)) {
        text = is_true ? (ls_bytes){TRUE_TEXT, 4} : (ls_bytes){FALSE_TEXT, 5};
        if (wanted && wanted->reg != NONE) set_bare(in->of, wanted->reg, text);
        return true;
    }
    if (take_word(in, "null", 4)) return true; /* the register is empty */
    if (*in->at != '-' && !is_digit(*in->at)) return false;
    if (!take_number(in, &raw, &is_plain, &whole)) return false;
    if (!wanted || wanted->reg == NONE) return true;
    if (!bare_number(raw, is_plain, whole, &text)) return false;
    set_bare(in->of, wanted->reg, text);
    return true;
}

static bool take_value(json *in, unsigned depth, const member *wanted)
{
    skip_spaces(in);
    if (in->at >= in->end || depth > MOST_NESTED) return false;
    if (*in->at == '"') {
        ls_bytes raw;
        bool has_escapes;
        in->at++;
        if (!take_string(in, &raw, &has_escapes)) return false;
        if (wanted && wanted->reg != NONE) set_raw(in->of, wanted->reg, raw, has_escapes);
        return true;
    }
    if (*in->at == '[') return in->at++, take_array(in, depth, wanted);
    if (*in->at != '{') return take_scalar(in, wanted);
    if (wanted && wanted->reg != NONE) return false;
    in->at++;
    return take_object(in, depth + 1, wanted && wanted->below != NONE ? &in->tree[wanted->below] : NULL);
}

/* The member that the key is, or NULL; `place` counts the object's keys. */
static member *find_member(node *in, ls_bytes key, size_t place)
{
    habit *usual = &in->habits[place % HABITS];
    if (usual->length && usual->length == key.length && begins_with(key.at, key.at + key.length, (ls_bytes){usual->key, key.length})) return usual->is;
    member *found = NULL;
    for (unsigned i = 0; i < in->count && !found; i++)
        if (in->members[i].key.length == key.length && !memcmp(in->members[i].key.at, key.at, key.length)) found = &in->members[i];
    if (key.length <= HABIT_BYTES) {
        usual->is = found, usual->length = (uint32_t)key.length;
        memcpy(usual->key, key.at, key.length);
    }
    return found;
}

/* An object, the cursor being behind its brace; its wanted members go `into` their registers, NULL: none is wanted. */
static bool take_object(json *in, unsigned depth, node *into)
{
    if (take(in, '}')) return true;
    if (depth > MOST_NESTED) return false;
    size_t place = 0;
    do {
        ls_bytes key;
        bool has_escapes;
        if (!take(in, '"') || !take_string(in, &key, &has_escapes)) return false;
        if (into && has_escapes) return false; /* it may be a wanted one, spelled in another way */
        member *wanted = into ? find_member(into, key, place++) : NULL;
        if (wanted) {
            if (wanted->seen == in->of->program->lines || wanted->reg == REFUSE) return false;
            wanted->seen = in->of->program->lines;
        }
        if (!take(in, ':') || !take_value(in, depth, wanted)) return false;
    } while (take(in, ','));
    return take(in, '}');
}

/* OBJECT */
static bool read_object(run *of, node *tree)
{
    json in = {of, tree, of->cursor, of->line_end};
    if (of->kinds & HIGH && !is_utf8((ls_bytes){in.at, (size_t)(in.end - in.at)})) return false;
    if (!take(&in, '{') || !take_object(&in, 1, tree)) return false;
    skip_spaces(&in);
    of->cursor = in.at;
    return in.at == in.end;
}

#endif
