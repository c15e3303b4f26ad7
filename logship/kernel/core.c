/* Runs a program over lines; see core.h, and program.py for what each operation means. */
#include "core.h"
#include "bytes.h"
#include "crc32.h"
#include "memo.h"
#include "program.h"
#include "times.h"

#define MOST_TEXT ((size_t)1 << 30) /* of a chunk's events */
#define FIRST_ROOM 1024             /* of a list */
#define SCRATCH ((size_t)1 << 18)   /* for the texts that a line's values become */
#define MOST_OPEN 32
#define MOST_PENDING 32             /* counts of one line */
#define MOST_POSITION ((uint64_t)1 << 48)
#define UUID_LENGTH 36
#define MIXER 0x9e3779b97f4a7c15u   /* Fibonacci hashing, as exact.py */

static const uint8_t ONE[2 * SLACK] = "1", TRUE_TEXT[2 * SLACK] = "true", FALSE_TEXT[2 * SLACK] = "false";

typedef struct {
    ls_bytes text;
    int64_t number;
    enum { DECODED, RAW, RAW_JSON } form; /* RAW: escaped as the program says; both are decoded when they are needed */
    bool is_bare;
} value;

typedef enum { EVENT, NO_EVENT, LEFT, FAILED } outcome;

typedef struct {
    ls_program *program;
    const ls_input *input;
    ls_output *output;
    const uint8_t *line, *line_end, *cursor, *data_end;
    unsigned kinds; /* of the line's bytes */
    uint32_t crc;
    bool has_crc, has_failed;
    size_t number; /* of the line */
    uint64_t start;
    value *values, *fresh;
    uint16_t *flags;
    uint8_t *scratch;
    size_t scratch_used, scratch_fresh; /* fresh: the file's labels, which every line needs */
    uint8_t *to, *room_end; /* the next byte of the output, and the end of its room */
    size_t event, marks[MOST_OPEN], depth; /* places in the output */
    uint16_t pending[MOST_PENDING];
    size_t pending_count;
    iso_cache last_minute;
    clf_cache last_time;
} run;

/* -- memory */

/* Room in the line's scratch; NULL: none is left. */
static inline uint8_t *scratch(run *of, size_t length)
{
    if (length > SCRATCH - of->scratch_used) return NULL;
    uint8_t *at = of->scratch + of->scratch_used;
    of->scratch_used += length;
    return at;
}

/* The list with room for at least `least` items; NULL: no memory, the old one stays. */
static void *more_room(void *at, size_t *room, size_t least, size_t size)
{
    size_t wanted = *room ? *room : FIRST_ROOM;
    while (wanted < least) wanted *= 2;
    void *made = realloc(at, wanted * size);
    if (made) *room = wanted;
    return made;
}

static inline size_t place(const run *of) { return of->to ? (size_t)(of->to - of->output->text) : 0; }

static inline void go_back(run *of, size_t to) { of->to = of->output->text ? of->output->text + to : NULL; }

static bool more_output(run *of, size_t least)
{
    ls_output *out = of->output;
    size_t written = place(of), room = out->text_room ? out->text_room : FIRST_ROOM;
    while (room < written + least) room *= 2;
    if (room > MOST_TEXT) return false;
    bool is_own = !of->input->grow;
    uint8_t *text = is_own ? realloc(out->text, room) : of->input->grow(of->input->context, room);
    if (!text && is_own) return false;
    out->text = text, out->text_room = text ? room : 0, of->has_failed |= !text;
    of->to = text ? text + written : NULL, of->room_end = text ? text + room : NULL;
    return text != NULL;
}

/* Room for the next `length` bytes of the event and SLACK. */
static inline bool has_output(run *of, size_t length)
{
    return (size_t)(of->room_end - of->to) >= length + SLACK || more_output(of, length + SLACK);
}

/* -- values */

static inline void set_text(run *of, unsigned reg, ls_bytes text)
{
    of->values[reg].text = text, of->values[reg].form = DECODED, of->values[reg].is_bare = false;
}

static inline void set_bare(run *of, unsigned reg, ls_bytes text)
{
    of->values[reg].text = text, of->values[reg].form = DECODED, of->values[reg].is_bare = true;
}

/* What stands inside of JSON quotes; `-` is nothing, however it is spelled. */
static inline void set_raw(run *of, unsigned reg, ls_bytes raw, bool has_escapes)
{
    if (raw.length == 1 && *raw.at == '-') raw.length = 0;
    if (has_escapes && raw.length == 6 && !memcmp(raw.at, "\\u002", 5) && (raw.at[5] | 32) == 'd') raw.length = 0;
    set_text(of, reg, raw);
    if (has_escapes && raw.length) of->values[reg].form = RAW_JSON;
}

static const stop_set BACKSLASHES = {1, {FILLED('\\'), FILLED('\\')}, {['\\'] = 1}};

#include "json.h"

/* The text of a value in which nginx's or Apache's escapes are undone. */
static bool undo_backslashes(run *of, ls_bytes raw, ls_bytes *out)
{
    static const char names[] = "\"\\bnrtv", means[] = "\"\\\b\n\r\t\v";
    uint8_t *first = scratch(of, raw.length), *to = first;
    const uint8_t *at = raw.at, *end = at + raw.length;
    unsigned strange = 0;
    if (!first) return false;
    for (;;) {
        const uint8_t *next = find_stop(at, end, &BACKSLASHES);
        memcpy(to, at, (size_t)(next - at));
        to += next - at, at = next;
        if (at == end) break;
        at++;
        if (end - at >= 3 && *at == 'x' && hex_of(at[1]) >= 0 && hex_of(at[2]) >= 0) {
            *to++ = (uint8_t)(hex_of(at[1]) << 4 | hex_of(at[2]));
            at += 3;
            continue;
        }
        const char *found = at < end && *at ? strchr(names, *at) : NULL;
        if (found) *to++ = (uint8_t)means[found - names], at++;
        else if (++strange > MOST_PENDING) return false; /* exact.py gives up on very many */
        else *to++ = '\\';
    }
    *out = (ls_bytes){first, (size_t)(to - first)};
    return true;
}

static bool decode(run *of, value *from)
{
    ls_bytes text = from->text;
    unsigned escaping = from->form == RAW_JSON ? ESCAPING_JSON : of->program->escaping;
    const uint8_t *end = text.at + text.length;
    bool has_escapes = escaping != ESCAPING_NONE && of->kinds & BACKSLASH && find_stop(text.at, end, &BACKSLASHES) < end;
    if (has_escapes && !(escaping == ESCAPING_JSON ? json_decode : undo_backslashes)(of, text, &text)) return false;
    if ((of->kinds & HIGH || has_escapes) && !is_utf8(text)) {
        uint8_t *repaired = scratch(of, 3 * text.length + 1); /* write_utf8() */
        if (!repaired) return false;
        text = (ls_bytes){repaired, write_repaired(repaired, text)};
    }
    from->text = text, from->form = DECODED;
    return true;
}

/* The text of a register; false: hand back. */
static inline bool text_of(run *of, unsigned reg, ls_bytes *text)
{
    value *from = &of->values[reg];
    if (from->form != DECODED && !decode(of, from)) return false;
    *text = from->text;
    return true;
}

static inline bool is_same(ls_bytes a, ls_bytes b) { return a.length == b.length && !memcmp(a.at, b.at, a.length); }

/* -- reading */

static const uint8_t *digits_end(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_digit(*at)) at++;
    return at;
}

/* [^ ,"]* */
static const uint8_t *item_end(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != ' ' && *at != ',' && *at != '"') at++;
    return at;
}

static const uint8_t *list_end(const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        at = item_end(at, end);
        if (end - at >= 2 && at[0] == ',' && at[1] == ' ') at += 2;
        else if (end - at >= 3 && at[0] == ' ' && at[1] == ':' && at[2] == ' ') at += 3;
        else return at;
    }
}

/* An ISO time as How.ISO has it; NULL: none. */
static const uint8_t *iso_end(const uint8_t *at, const uint8_t *end)
{
    static const char like[] = "0000-00-00T";
    if (end - at < 19) return NULL;
    for (int i = 0; i < 10; i++)
        if (like[i] == '0' ? !is_digit(at[i]) : at[i] != '-') return NULL;
    if (at[10] != 'T' && at[10] != 't' && at[10] != ' ') return NULL;
    const uint8_t *clock = at += 11;
    while (at < end && at - clock < 18 && (is_digit(*at) || *at == ':' || *at == '.' || *at == ',')) at++;
    if (at - clock < 8) return NULL;
    if (at < end && (*at | 32) == 'z') return at + 1;
    const uint8_t *zone = at + (at < end && *at == ' ');
    if (zone >= end || (*zone != '+' && *zone != '-')) return at;
    const uint8_t *zone_end = ++zone;
    while (zone_end < end && zone_end - zone < 5 && (is_digit(*zone_end) || *zone_end == ':')) zone_end++;
    return zone_end - zone >= 2 ? zone_end : at;
}

static const uint8_t *epoch_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *most_whole = end - at > 19 ? at + 19 : end, *whole = digits_end(at, most_whole);
    if (whole == at) return NULL;
    if (end - whole < 2 || *whole != '.' || !is_digit(whole[1])) return whole;
    const uint8_t *fraction = whole + 1;
    return digits_end(fraction, end - fraction > 9 ? fraction + 9 : end);
}

/* Behind a `-` that is no number's sign; NULL: there is none. */
static const uint8_t *dash_end(const uint8_t *at, const uint8_t *end)
{
    if (at == end || *at != '-') return NULL;
    return at + 1 < end && is_digit(at[1]) ? NULL : at + 1;
}

/* Where a value ends that begins at `at`; NULL: hand back. */
static const uint8_t *field_end(run *of, const instruction *now, const uint8_t *at)
{
    const uint8_t *end = of->line_end, *from;
    switch (now->b) {
    case HOW_TEXT:
        if (!(of->kinds & BACKSLASH) || of->program->escaping == ESCAPING_NONE) break;
        for (;;) {
            at = find_stop(at, end, &now->stops[1]);
            if (at == end || *at != '\\') return at;
            at += end - at >= 2 && (at[1] == '"' || at[1] == '\\') ? 2 : 1;
        }
    case HOW_STATUS:
        if (end - at >= 3 && is_digit(at[0]) && at[0] != '0' && is_digit(at[1]) && is_digit(at[2])) return at + 3;
        return dash_end(at, end);
    case HOW_INTEGER:
        from = at;
        at = digits_end(from, end);
        return at > from ? at : dash_end(from, end);
    case HOW_NUMBER:
        from = at;
        at = digits_end(from, end);
        if (at == from) return dash_end(from, end);
        return at < end && *at == '.' ? digits_end(at + 1, end) : at;
    case HOW_LIST: return list_end(at, end);
    case HOW_MARK: return at + (at < end && *at == '?');
    case HOW_CLF:
        if (end - at < CLF_LENGTH) return NULL;
        return is_clf_minute(at, &of->last_time) || looks_like_clf(at) ? at + CLF_LENGTH : NULL;
    case HOW_ISO: return iso_end(at, end);
    case HOW_EPOCH: return epoch_end(at, end);
    default: break;
    }
    return find_stop(at, end, now->stops);
}

static inline bool read_literal(run *of, ls_bytes literal)
{
    if (!begins_with(of->cursor, of->line_end, literal)) return false;
    of->cursor += literal.length;
    return true;
}

static inline bool read_field(run *of, const instruction *now)
{
    if (!read_literal(of, now->before)) return false;
    const uint8_t *first = of->cursor, *from = first;
    if (now->d) {
        bool leads = first < of->line_end && *first == now->d;
        if (!leads && now->d == '/') return false;
        if (!leads) return set_text(of, now->a, (ls_bytes){first, 0}), true;
        from++;
    }
    const uint8_t *end = field_end(of, now, from);
    if (!end) return false;
    of->cursor = end;
    ls_bytes text = {first, (size_t)(end - first)};
    if (text.length == 1 && *first == '-') text.length = 0;
    set_text(of, now->a, text);
    if (of->kinds) of->values[now->a].form = RAW;
    return true;
}

/* Behind the method of a request line at its beginning, or NULL. */
static const uint8_t *method_end(const uint8_t *at, const uint8_t *end)
{
    if (at >= end || !is_letter(*at)) return NULL;
    while (at < end && *at != ' ') {
        if (!is_letter(*at) && !is_digit(*at) && (!*at || !strchr("!#$%&'*+.^_`|~-", *at))) return NULL;
        at++;
    }
    return at;
}

/* The last `HTTP/` at or behind `at`, or NULL. */
static const uint8_t *last_protocol(const uint8_t *at, const uint8_t *end)
{
    for (const uint8_t *found = end - 5; found >= at; found--)
        if (*found == 'H' && !memcmp(found, "HTTP/", 5)) return found;
    return NULL;
}

static bool is_version(const uint8_t *at, const uint8_t *end) /* [0-9]{1,2}(\.[0-9]{1,2})? */
{
    const uint8_t *whole = digits_end(at, end);
    if (whole == at || whole - at > 2 || whole == end) return whole > at && whole - at <= 2;
    const uint8_t *part = whole + 1, *part_end = digits_end(part, end);
    return *whole == '.' && part_end == end && part_end > part && part_end - part <= 2;
}

static ls_bytes stripped(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at == ' ') at++;
    while (at < end && end[-1] == ' ') end--;
    return (ls_bytes){at, (size_t)(end - at)};
}

static bool read_request(run *of, const instruction *now)
{
    ls_bytes line, method = {NOTHING, 0}, target = method, version = method;
    bool is_bare = of->values[now->a].is_bare;
    if ((now->e && is_bare) || !text_of(of, now->a, &line)) return false;
    const uint8_t *end = line.at + line.length;
    if (!line.length) {
        /* nothing, all three */
    } else if (now->e && *line.at == '/') {
        target = line;
    } else {
        const uint8_t *word = method_end(line.at, end), *rest = word && word < end ? word + 1 : end;
        const uint8_t *protocol = word && end - rest >= 5 ? last_protocol(rest, end) : NULL;
        if (protocol && (protocol == rest || protocol[-1] == ' ') && is_version(protocol + 5, end)) {
            target = stripped(rest, protocol);
            version = (ls_bytes){protocol + 5, (size_t)(end - protocol - 5)};
        } else if (word) {
            target = stripped(rest, end);
            if (target.length && *target.at != '/') target.length = 0;
        }
        if (target.length) method = (ls_bytes){line.at, (size_t)(word - line.at)};
        else version.length = 0;
    }
    set_text(of, now->b, method), set_text(of, now->c, target), set_text(of, now->d, version);
    return true;
}

static bool has_enough(run *of, const instruction *now)
{
    unsigned found = 0;
    for (size_t i = 0; i < now->count && found < now->a; i++)
        found += of->values[u16_at(now->text.at + 2 * i)].text.length > 0;
    return found >= now->a;
}

/* -- functions */

/* Whether `length` digits at `at` are a number from 0 to 255 without leading zeros. No branch: the processor would guess
   the length of every other number wrong. */
static inline bool is_octet(const uint8_t *at, size_t length)
{
    static const uint8_t least[] = {0, 0, 10, 100};
    uint32_t digits = (uint32_t)((uint64_t)(u32_at(at) ^ 0x30303030u) << (8 * (4 - (length & 3))));
    unsigned number = (digits >> 24) + 10 * (digits >> 16 & 0xff) + 100 * (digits >> 8 & 0xff);
    return (length - 1 < 3) & (number >= least[length & 3]) & (number <= 255);
}

static bool is_address4(ls_bytes text)
{
    size_t begins[5] = {0, 0, 0, 0, text.length + 1}, count = 0; /* of each number, the last one that would follow */
    if (text.length < 7 || text.length > 15) return false;
#ifdef LS_BLOCKS
    block now = load(text.at);
    uint64_t whole = lanes(text.length), marks = mask_of(equal(now, every('.'))) & whole;
    if (((mask_of(most(now, '9')) & ~mask_of(most(now, '/'))) & whole) != (whole ^ marks)) return false;
    for (; marks && count < 3; marks &= ~(lanes(1) << (first_of(marks) * LANE_BITS))) begins[++count] = first_of(marks) + 1;
    if (marks || count < 3) return false;
#else
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '.' && count < 3) begins[++count] = i + 1;
        else if (!is_digit(text.at[i])) return false;
    }
    if (count < 3) return false;
#endif
    bool are = true;
    for (int i = 0; i < 4; i++) are &= is_octet(text.at + begins[i], begins[i + 1] - begins[i] - 1);
    return are;
}

static bool is_address6(ls_bytes text) /* as Known.ADDRESS has it */
{
    const uint8_t *at = text.at, *end = at + text.length;
    unsigned groups = 0, zeros = 0;
    bool has_gap = false, was_zero = false;
    do {
        const uint8_t *first = at;
        while (at < end && (is_digit(*at) || (uint8_t)(*at - 'a') < 6)) at++;
        if (at == first || at - first > 4 || (*first == '0' && at - first > 1)) return false;
        if (*first == '0' && was_zero) return false;
        was_zero = *first == '0', zeros += was_zero, groups++;
        if (at == end) break;
        if (*at++ != ':' || at == end) return false;
        if (*at != ':') continue;
        if (has_gap) return false;
        has_gap = true, was_zero = false, at++;
    } while (at < end);
    return has_gap ? !zeros && groups <= 6 : groups == 8;
}

static bool is_address(ls_bytes text) { return is_address4(text) || is_address6(text); }

static bool is_fraction(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *point = digits_end(at, end);
    if (point == at || point - at > 10 || point == end || *point != '.') return false;
    return digits_end(point + 1, end) == end && end - point >= 2 && end - point <= 11;
}

static bool is_host(ls_bytes text)
{
    if (!text.length || *text.at < 'a' || *text.at > 'z') return false;
    for (size_t i = 1; i < text.length; i++) {
        uint8_t byte = text.at[i];
        if ((byte < 'a' || byte > 'z') && !is_digit(byte) && byte != '.' && byte != '-') return false;
    }
    return true;
}

/* Whether a range of Known.AMONG has the address. */
static bool is_among(const text_set *ranges, ls_bytes address)
{
    uint8_t number[8];
    const uint8_t *at = address.at;
    for (int part = 0; part < 4; part++) {
        unsigned octet = 0;
        for (; is_digit(*at) && at < address.at + address.length; at++) octet = octet * 10 + (unsigned)(*at - '0');
        write_hex(number + 2 * part, octet, 2);
        at++;
    }
    for (size_t i = 0; i < ranges->count; i++) {
        ls_bytes range = ranges->texts[i];
        if (range.length == 16 && memcmp(range.at, number, 8) <= 0 && memcmp(number, range.at + 8, 8) <= 0) return true;
    }
    return false;
}

static bool is_in(const text_set *set, ls_bytes text)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        ls_bytes one = set->texts[middle];
        size_t shorter = one.length < text.length ? one.length : text.length;
        int order = memcmp(text.at, one.at, shorter);
        if (!order && one.length == text.length) return true;
        if (order > 0 || (!order && text.length > one.length)) low = middle + 1;
        else high = middle;
    }
    return false;
}

#define MOST_NAME 64
#define MOST_PEER 255 /* meaning.LONGEST */
#define MOST_REDACTED 100
#define LONG_QUERY 4096 /* redaction.LONG */

/* What a name is not written with where its spelling is all of it: separators, and what only Python reads. */
static inline bool ends_name(uint8_t byte) { return byte <= ' ' || byte >= 0x7f || memchr("=&;#?%+.[]*", byte, 11); }

static bool is_hidden(const text_set *names, const uint8_t *at, const uint8_t *end)
{
    uint8_t lower[MOST_NAME];
    size_t length = (size_t)(end - at);
    if (length > MOST_NAME) return false;
    for (size_t i = 0; i < length; i++) lower[i] = at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 32 : at[i];
    return is_in(names, (ls_bytes){lower, length});
}

/* Whether %3d, %25, %7b, %5b, %22, %26, %3f, %3b or %23 is in a text: a value may be a URL, a form or JSON itself. */
static bool may_nest(const uint8_t *at, const uint8_t *end)
{
    for (; (at = memchr(at, '%', (size_t)(end - at))) && end - at > 2; at++) {
        uint8_t high = at[1], low = at[2] | 32;
        if (high == '3' && (low == 'd' || low == 'f' || low == 'b')) return true;
        if (high == '2' && (at[2] == '5' || at[2] == '2' || at[2] == '6' || at[2] == '3')) return true;
        if ((high == '7' || high == '5') && low == 'b') return true;
    }
    return false;
}

/* As Known.PAIRS has it; false: ask Python. */
static bool redact_pairs(run *of, const text_set *names, ls_bytes url, ls_bytes *out)
{
    static const char shown[] = "[redacted]";
    const uint8_t *end = url.at + url.length, *copied = url.at;
    const uint8_t *query = memchr(url.at, '?', url.length), *head = query ? query : end;
    const uint8_t *fragment = memchr(url.at, '#', (size_t)(head - url.at)), *at = fragment ? fragment : head;
    uint8_t *first = NULL, *to = NULL;
    *out = url;
    if (may_nest(url.at, end) || memchr(url.at, '=', (size_t)(at - url.at))) return false;
    if (!memchr(at, '=', (size_t)(end - at))) return true;
    if (end - at >= LONG_QUERY) return false;
    for (unsigned found = 0; at < end;) {
        if (*at != '?' && *at != '&' && *at != ';' && *at != '#') {
            at++;
            continue;
        }
        const uint8_t *name = ++at;
        while (at < end && !ends_name(*at)) at++;
        if (at < end && !memchr("=&;#?", *at, 5)) return false;
        if (at + 1 < end && *at == '=' && (at[1] == '{' || at[1] == '[')) return false;
        if (at >= end || *at != '=' || !is_hidden(names, name, at)) continue;
        const uint8_t *value = ++at;
        while (at < end && *at != '&') at++;
        if (at == value) continue;
        if (++found > MOST_REDACTED) return false;
        if (!first) first = to = scratch(of, url.length + MOST_REDACTED * (sizeof shown - 1));
        if (!first) return false;
        memcpy(to, copied, (size_t)(value - copied));
        to += value - copied;
        memcpy(to, shown, sizeof shown - 1);
        to += sizeof shown - 1, copied = at;
    }
    if (!first) return true;
    memcpy(to, copied, (size_t)(end - copied));
    *out = (ls_bytes){first, (size_t)(to - first) + (size_t)(end - copied)};
    return true;
}

/* What the kernel knows of a function that gives a text; false: ask the memory. */
static inline bool known_text(run *of, const function *called, ls_bytes text, ls_bytes *out)
{
    const uint8_t *at = text.at, *end = at + text.length;
    *out = text;
    switch (called->known) {
    case KNOWN_ADDRESS: return is_address(text);
    case KNOWN_SLASHED: return text.length && *at == '/';
    case KNOWN_NO_EQUALS: return !memchr(at, '=', text.length) && !memchr(at, '%', text.length);
    case KNOWN_STATUS: return text.length == 3 && *at != '0' && digits_end(at, end) == end;
    case KNOWN_NUMBER: return text.length && text.length <= 15 && digits_end(at, end) == end && (*at != '0' || text.length == 1);
    case KNOWN_HOST: return is_host(text);
    case KNOWN_NO_AUTHORITY: out->length = 0; return text.length && *at == '/';
    case KNOWN_METHOD: return text.length > 1 || (text.length && *at != '-');
    case KNOWN_PAIRS: return redact_pairs(of, &called->names, text, out);
    case KNOWN_PEER: return is_address(text) || (text.length <= MOST_PEER && is_host(text));
    case KNOWN_USER: return text.length && is_letter(*at) && !memchr(at, ' ', text.length) && !memchr(at, ':', text.length);
    case KNOWN_FRACTION: return is_fraction(at, end);
    case KNOWN_AMONG:
        *out = (ls_bytes){ONE, is_among(&called->names, text)};
        return is_address4(text);
    default: return false;
    }
}

static inline bool known_number(run *of, unsigned known, ls_bytes text, int64_t *out)
{
    switch (known) {
    case KNOWN_CLF: return clf_ms(text, &of->last_time, out);
    case KNOWN_ISO_UTC: return iso_ms(text, false, out);
    case KNOWN_ISO_ZONED: return iso_ms(text, true, out);
    case KNOWN_EPOCH_S: case KNOWN_EPOCH_MS: case KNOWN_EPOCH_US: case KNOWN_EPOCH_ANY: return epoch_ms(text, known, out);
    case KNOWN_ANY_UTC: return any_ms(text, false, &of->last_time, out);
    case KNOWN_ANY_ZONED: return any_ms(text, true, &of->last_time, out);
    case KNOWN_MS_OF_S: case KNOWN_MS_OF_MS: case KNOWN_MS_OF_US: case KNOWN_MS_OF_NS: return duration_ms(text, known, out);
    default: return false;
    }
}

/* Copies what a function gave to the scratch: its caller's own lives only until the next call. */
static bool keep_answer(run *of, ls_answer *answer)
{
    if (answer->kind != LS_TEXT) return true;
    uint8_t *kept = scratch(of, answer->text.length);
    if (!kept) return false;
    memcpy(kept, answer->text.at, answer->text.length);
    answer->text.at = kept;
    if (!is_utf8(answer->text)) answer->kind = LS_NOTHING;
    return true;
}

/* What the function gives, from its memory or from its caller; LS_NOTHING: hand back. */
static ls_answer ask(run *of, unsigned number, ls_bytes first, const ls_bytes *second)
{
    ls_program *program = of->program;
    function *asked = &program->functions[number];
    ls_bytes other = second ? *second : (ls_bytes){NOTHING, 0};
    bool is_short = first.length + other.length <= MEMO_BYTES;
    uint64_t hash = 0;
    if (is_short) {
        const memo_entry *found = asked->memory.last;
        if (!found || !memo_fits(found, first, other)) {
            hash = hash_of(program->seed, first);
            if (second) hash = hash_of(hash, other);
            found = memo_find(&asked->memory, hash, first, other);
        }
        if (found)
            return (ls_answer){found->kind, {found->bytes + found->first + found->second, found->text}, found->number};
    }
    ls_answer answer = of->input->call(of->input->context, number, first, second);
    if (answer.kind == LS_FAILED) return of->has_failed = true, answer;
    if (!keep_answer(of, &answer)) return (ls_answer){.kind = LS_NOTHING};
    if (answer.kind == (asked->gives_number ? LS_TEXT : LS_NUMBER)) answer.kind = LS_NOTHING;
    if (is_short) memo_add(&asked->memory, hash, first, other, &answer);
    program->is_full |= asked->memory.used >= asked->memory.most || asked->memory.memory >= MOST_MEMORY;
    return answer;
}

/* The text that a function of one or two registers (second: NONE) gives; false: hand back. */
static inline bool call_text(run *of, unsigned number, unsigned reg, unsigned other_reg, ls_bytes *out)
{
    ls_bytes first, second;
    if (!text_of(of, reg, &first)) return false;
    const function *called = &of->program->functions[number];
    if (other_reg == NONE && known_text(of, called, first, out)) return true;
    if (other_reg != NONE && !text_of(of, other_reg, &second)) return false;
    ls_answer answer = ask(of, number, first, other_reg == NONE ? NULL : &second);
    *out = answer.text;
    return answer.kind == LS_TEXT;
}

static inline bool call_number(run *of, unsigned number, unsigned reg, int64_t *out)
{
    ls_bytes text;
    if (!text_of(of, reg, &text)) return false;
    if (known_number(of, of->program->functions[number].known, text, out)) return true;
    ls_answer answer = ask(of, number, text, NULL);
    *out = answer.number;
    return answer.kind == LS_NUMBER && *out >= 0 && *out <= LAST_MS;
}

/* -- making */

static bool make_iso(run *of, unsigned reg, int64_t moment_ms)
{
    uint8_t *to = scratch(of, ISO_LENGTH);
    if (!to) return false;
    write_iso(to, moment_ms, &of->last_minute);
    set_text(of, reg, (ls_bytes){to, ISO_LENGTH});
    return true;
}

static bool make_cut(run *of, const instruction *now)
{
    ls_bytes text;
    if (!text_of(of, now->c, &text)) return false;
    const uint8_t *found = text.length ? memchr(text.at, (int)now->d, text.length) : NULL;
    size_t before = found ? (size_t)(found - text.at) : text.length;
    set_text(of, now->a, (ls_bytes){text.at, before});
    set_text(of, now->b, found ? (ls_bytes){found + 1, text.length - before - 1} : (ls_bytes){NOTHING, 0});
    return true;
}

static bool make_join(run *of, const instruction *now)
{
    size_t length = 0;
    ls_bytes part;
    for (size_t i = 0; i < now->count; i++) {
        unsigned number = u16_at(now->text.at + 2 * i);
        if (number > MOST) part = of->program->constants[number - MOST - 1];
        else if (!text_of(of, number, &part)) return false;
        length += part.length;
        if (length > SCRATCH) return false;
    }
    uint8_t *first = scratch(of, length), *to = first;
    if (!first) return false;
    for (size_t i = 0; i < now->count; i++) {
        unsigned number = u16_at(now->text.at + 2 * i);
        part = number > MOST ? of->program->constants[number - MOST - 1] : of->values[number].text;
        if (part.length) memcpy(to, part.at, part.length);
        to += part.length;
    }
    set_text(of, now->a, (ls_bytes){first, length});
    return true;
}

/* The text of another register, with its mark. */
static inline void copy_text(value *to, const value *from)
{
    to->text = from->text, to->form = from->form, to->is_bare = from->is_bare;
}

static inline const value *first_text(run *of, const instruction *now)
{
    const uint8_t *at = now->text.at, *last = at + 2 * (now->count - 1);
    while (at < last && !of->values[u16_at(at)].text.length) at += 2;
    return &of->values[u16_at(at)];
}

static bool make_limited(run *of, const instruction *now)
{
    ls_bytes text;
    if (!text_of(of, now->b, &text)) return false;
    copy_text(&of->values[now->a], &of->values[now->b]);
    if (text.length <= now->c || characters(text) <= now->c) return true;
    if (of->pending_count == MOST_PENDING) return false;
    of->pending[of->pending_count++] = (uint16_t)now->d;
    set_text(of, now->a, (ls_bytes){NOTHING, 0});
    return true;
}

static uint32_t crc_of(run *of)
{
    if (!of->has_crc) {
        of->crc = of->input->crcs ? of->input->crcs[of->number] : ls_crc32(of->line, (size_t)(of->line_end - of->line));
        of->has_crc = true;
    }
    return of->crc;
}

/* -- writing */

static inline bool put(run *of, ls_bytes text)
{
    if (!has_output(of, text.length)) return false;
    copy(of->to, text);
    of->to += text.length;
    return true;
}

static inline bool put_text(run *of, ls_bytes text)
{
    if (!has_output(of, text.length * ESCAPED)) return false;
    uint8_t *end = write_json(of->to, text);
    if (end) of->to = end;
    return end != NULL;
}

static inline bool put_register(run *of, unsigned reg)
{
    ls_bytes text;
    return text_of(of, reg, &text) && put_text(of, text);
}

static inline bool put_byte(run *of, uint8_t byte)
{
    if (!has_output(of, 1)) return false;
    *of->to++ = byte;
    return true;
}

static bool put_value(run *of, const instruction *now)
{
    ls_bytes text;
    if (of->values[now->a].is_bare) return put(of, of->values[now->a].text);
    if (now->b == NONE) return put_byte(of, '"') && put_register(of, now->a) && put_byte(of, '"');
    return call_text(of, now->b, now->a, NONE, &text) && is_ascii(text) && put(of, text);
}

static inline bool put_time(run *of, int64_t moment_ms)
{
    if (!has_output(of, ISO_LENGTH)) return false;
    write_iso(of->to, moment_ms, &of->last_minute);
    of->to += ISO_LENGTH;
    return true;
}

static bool put_id(run *of)
{
    if (of->start >= MOST_POSITION || !has_output(of, UUID_LENGTH)) return false;
    write_hex(of->to, crc_of(of), 8);
    of->to[8] = of->to[23] = '-';
    memcpy(of->to + 9, of->input->digits, LS_DIGITS);
    write_hex(of->to + 24, of->start, 12);
    of->to += UUID_LENGTH;
    return true;
}

static inline bool is_after(const run *of, uint8_t byte) { return place(of) > of->event && of->to[-1] == byte; }

static inline bool put_member(run *of, ls_bytes key) { return (is_after(of, '{') || put_byte(of, ',')) && put(of, key); }

static bool put_open(run *of, ls_bytes key)
{
    if (of->depth == MOST_OPEN) return false;
    of->marks[of->depth++] = place(of);
    return put_member(of, key) && put_byte(of, '{');
}

static bool put_close(run *of, bool may_vanish)
{
    if (!of->depth) return false;
    size_t mark = of->marks[--of->depth];
    if (!may_vanish || !is_after(of, '{')) return put_byte(of, '}');
    go_back(of, mark);
    return true;
}

/* -- ends */

/* The counter that a moment outside of the window adds to, -1: it is inside. */
static inline int outside(const ls_input *input, int64_t moment_ms)
{
    if (moment_ms < input->since || moment_ms >= input->until) return OUT_OF_RANGE;
    return moment_ms < input->oldest ? TOO_OLD : -1;
}

static inline outcome counted(run *of, unsigned counter) { return of->output->counts[counter]++, NO_EVENT; }

#define NEED(condition) if (!(condition)) return LEFT; break
#define UNLESS(condition, target) if (!(condition)) now = code + (target); break

static outcome run_code(run *of)
{
    const instruction *code = of->program->code, *now = code;
    value *values = of->values;
    ls_bytes text;
    int64_t number;
    int counter;
    for (;;) {
        const instruction *one = now++;
        switch (one->op) {
        case OP_LITERAL: NEED(read_literal(of, one->text));
        case OP_FIELD: NEED(read_field(of, one));
        case OP_END: NEED(of->cursor == of->line_end);
        case OP_SPLIT: NEED(read_request(of, one));
        case OP_OBJECT: NEED(read_object(of, one->tree));
        case OP_ATLEAST: NEED(has_enough(of, one));
        case OP_CHECK: NEED(!values[one->b].text.length || call_text(of, one->a, one->b, NONE, &text));

        case OP_FIRST: copy_text(&values[one->a], first_text(of, one)); break;
        case OP_LOAD: set_text(of, one->a, one->text); break;
        case OP_CALL:
            if (!call_text(of, one->b, one->c, one->d, &text)) return LEFT;
            set_text(of, one->a, text);
            break;
        case OP_NUMBER: NEED(call_number(of, one->b, one->c, &values[one->a].number));
        case OP_ADD: case OP_SUBTRACT:
            number = values[one->c].number;
            number = values[one->b].number + (one->op == OP_ADD ? number : -number);
            values[one->a].number = number;
            NEED(number >= 0 && number <= LAST_MS);
        case OP_ISO: NEED(make_iso(of, one->a, values[one->b].number));
        case OP_CUT: NEED(make_cut(of, one));
        case OP_JOIN: NEED(make_join(of, one));
        case OP_LIMIT: NEED(make_limited(of, one));

        case OP_JUMP: now = code + one->a; break;
        case OP_EMPTY: UNLESS(values[one->a].text.length, one->b);
        case OP_UNLESS_IN:
            if (!text_of(of, one->a, &text)) return LEFT;
            UNLESS(is_in(&one->set, text), one->c);
        case OP_UNLESS_PREFIX:
            if (!text_of(of, one->a, &text)) return LEFT;
            UNLESS(begins_with(text.at, text.at + text.length, one->text), one->c);
        case OP_FLAG: of->flags[one->a] = (uint16_t)one->b; break;
        case OP_UNLESS_FLAG: UNLESS(of->flags[one->a] == one->b, one->c);
        case OP_VISIT: break;

        case OP_WINDOW:
            counter = outside(of->input, values[one->a].number);
            if (counter >= 0) return counted(of, (unsigned)counter);
            break;
        case OP_DROP: return counted(of, one->a);
        case OP_SAMPLE:
            if (((uint64_t)crc_of(of) << 32 ^ of->start) * MIXER >= one->threshold) return counted(of, one->a);
            break;
        case OP_DONE: return EVENT;

        case OP_WRITE: NEED(put(of, one->text));
        case OP_TEXT: NEED(put(of, one->before) && put_register(of, one->a));
        case OP_PLAIN: NEED(put(of, one->before) && text_of(of, one->a, &text) && is_ascii(text) && put(of, text));
        case OP_VALUE: NEED(put(of, one->before) && put_value(of, one));
        case OP_TIME: NEED(put(of, one->before) && put_time(of, values[one->a].number));
        case OP_ID: NEED(put(of, one->before) && put_id(of));
        case OP_MEMBER: NEED(put_member(of, one->text));
        case OP_OPEN: NEED(put_open(of, one->text));
        case OP_CLOSE: NEED(put_close(of, one->a));
        default: __builtin_unreachable(); /* load_code() knows them all */
        }
    }
}

static bool begins_like_a_line(const run *of)
{
    if (of->line == of->line_end || of->kinds & CONTROL) return false;
    return of->line_end - of->line < 3 || memcmp(of->line, "\xef\xbb\xbf", 3);
}

/* The chunk's last bytes have nothing behind them: lines there are read from a copy. */
static bool move_from_edge(run *of)
{
    size_t length = (size_t)(of->line_end - of->line);
    if (of->data_end - of->line_end >= SLACK) return true;
    uint8_t *to = scratch(of, length + SLACK);
    if (!to) return false;
    memcpy(to, of->line, length);
    memset(to + length, 0, SLACK);
    of->line = to, of->line_end = to + length;
    return true;
}

/* One line: an event, a count, or it is left. */
static outcome run_line(run *of)
{
    ls_output *out = of->output;
    size_t before = place(of);
    of->scratch_used = of->scratch_fresh, of->depth = of->pending_count = 0;
    if (!begins_like_a_line(of) || !move_from_edge(of)) return LEFT;
    memcpy(of->values, of->fresh, of->program->registers * sizeof *of->values);
    memset(of->flags, 0, of->program->flags * sizeof *of->flags);
    of->cursor = of->line;
    of->has_crc = false;
    of->program->lines++;
    if (out->events && !put_byte(of, ',')) return of->has_failed ? FAILED : LEFT;
    of->event = place(of);
    outcome became = run_code(of);
    if (became != EVENT) go_back(of, before);
    if (of->has_failed) return FAILED;
    if (became == LEFT) return LEFT;
    for (size_t i = 0; i < of->pending_count; i++) out->counts[of->pending[i]]++;
    return became;
}

static void settle_memories(ls_program *program)
{
    for (size_t i = 0; i < program->function_count; i++) memo_settle(&program->functions[i].memory);
    program->is_full = false;
}

#define GROW(list, used) \
    if ((used) >= out->list##_room) { \
        void *made = more_room(out->list, &out->list##_room, (used) + 1, sizeof *out->list); \
        if (!made) return false; \
        out->list = made; \
    }

/* Room for one more line in every list. */
static bool has_room(ls_output *out)
{
    GROW(ends, out->events)
    GROW(lines, out->events)
    GROW(left, out->lefts)
    GROW(starts, out->count + 1)
    return true;
}

/* All lines, from the first on. */
static enum ls_result run_lines(run *of)
{
    const ls_input *input = of->input;
    ls_output *out = of->output;
    const uint8_t *at = input->data.at, *end = of->data_end;
    for (; at < end; out->count++) {
        if (input->starts && out->count >= input->given) return LS_WRONG_INPUT;
        if (!has_room(out)) return LS_NO_MEMORY;
        of->number = out->count, of->line = at;
        of->start = input->starts ? input->starts[out->count] : input->start + (uint64_t)(at - input->data.at);
        of->line_end = find_newline(at, end, &of->kinds);
        at = of->line_end < end ? of->line_end + 1 : end;
        if (of->line_end > of->line && of->line_end[-1] == '\r') find_newline(of->line, --of->line_end, &of->kinds);
        out->starts[out->count] = of->start;
        if (of->program->is_full) settle_memories(of->program);
        switch (run_line(of)) {
        case EVENT:
            out->ends[out->events] = (uint32_t)place(of);
            out->lines[out->events++] = (uint32_t)of->number;
            break;
        case NO_EVENT: break;
        case LEFT: out->left[out->lefts++] = (uint32_t)of->number; break;
        case FAILED: return LS_CALL_FAILED;
        }
    }
    if (input->starts && out->count != input->given) return LS_WRONG_INPUT;
    out->length = place(of);
    out->starts[out->count] = input->starts ? input->starts[out->count] : input->start + input->data.length;
    return LS_FINE;
}

/* The label in the scratch, where SLACK bytes may be read behind it. */
static bool keep_label(run *of, unsigned reg, ls_bytes label)
{
    uint8_t *to = scratch(of, label.length);
    if (!to) return false;
    if (label.length) memcpy(to, label.at, label.length);
    label.at = to;
    of->fresh[reg] = (value){.text = label, .form = DECODED};
    return is_utf8(label);
}

/* The run's own memory is one piece behind the output's lists: values, fresh ones, flags, scratch. */
static bool prepare(run *of)
{
    ls_program *program = of->program;
    ls_output *out = of->output;
    size_t values = program->registers * sizeof(value), flags = program->flags * sizeof *of->flags;
    size_t least = 2 * values + SCRATCH + SLACK + flags;
    if (least > out->work_room) {
        free(out->work);
        out->work = calloc(1, least);
        out->work_room = out->work ? least : 0;
    }
    if (!out->work || !has_room(out)) return false;
    GROW(counts, program->counters - 1)
    memset(out->counts, 0, program->counters * sizeof *out->counts);
    of->values = out->work, of->fresh = of->values + program->registers;
    of->scratch = (uint8_t *)(of->fresh + program->registers);
    of->flags = (uint16_t *)(of->scratch + SCRATCH + SLACK);
    for (size_t i = 0; i < program->registers; i++) of->fresh[i] = (value){.text = {NOTHING, 0}};
    return true;
}

enum ls_result ls_run(ls_program *program, const ls_input *input, ls_output *output)
{
    run of = {.program = program, .input = input, .output = output, .last_minute = {.minute = -1, .moment_ms = -1}, .last_time = {.minute_ms = -1}};
    of.data_end = input->data.at + input->data.length;
    output->length = output->events = output->lefts = output->count = 0;
    if (!prepare(&of)) return LS_NO_MEMORY;
    if (!keep_label(&of, ORIGIN, input->origin) || !keep_label(&of, PATH, input->path)) return LS_WRONG_INPUT;
    of.scratch_fresh = of.scratch_used;
    of.to = output->text, of.room_end = output->text ? output->text + output->text_room : NULL;
    settle_memories(program);
    return run_lines(&of);
}

void ls_release(ls_output *output)
{
    void *all[] = {output->text, output->ends, output->lines, output->left, output->starts, output->counts, output->work};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    *output = (ls_output){0};
}
