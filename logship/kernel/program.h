/* A loaded program: what program.py encodes, checked once, so that running it needs no checks of operands. */
#ifndef LOGSHIP_PROGRAM_H
#define LOGSHIP_PROGRAM_H

#include <stdlib.h>

enum { /* program.Op */
    OP_LITERAL = 1, OP_FIELD, OP_END, OP_SPLIT, OP_OBJECT, OP_ATLEAST, OP_CHECK,
    OP_FIRST = 10, OP_LOAD, OP_CALL, OP_NUMBER, OP_ADD, OP_SUBTRACT, OP_ISO, OP_CUT, OP_JOIN, OP_LIMIT,
    OP_JUMP = 30, OP_EMPTY, OP_UNLESS_IN, OP_UNLESS_PREFIX, OP_FLAG, OP_UNLESS_FLAG, OP_VISIT,
    OP_WINDOW = 40, OP_DROP, OP_SAMPLE, OP_DONE,
    OP_WRITE = 50, OP_TEXT, OP_PLAIN, OP_VALUE, OP_TIME, OP_ID, OP_MEMBER, OP_OPEN, OP_CLOSE,
    OPS
};
enum { HOW_TEXT, HOW_BARE, HOW_STATUS, HOW_INTEGER, HOW_NUMBER, HOW_LIST, HOW_MARK, HOW_CLF, HOW_ISO, HOW_EPOCH, HOWS };
enum { ESCAPING_NONE, ESCAPING_BACKSLASH, ESCAPING_JSON, ESCAPINGS };
enum { /* program.Known */
    KNOWN_NOTHING, KNOWN_CLF, KNOWN_ISO_UTC, KNOWN_ISO_ZONED, KNOWN_EPOCH_S, KNOWN_EPOCH_MS, KNOWN_EPOCH_US,
    KNOWN_EPOCH_ANY, KNOWN_ANY_UTC, KNOWN_ANY_ZONED, KNOWN_MS_OF_S, KNOWN_MS_OF_MS, KNOWN_MS_OF_US, KNOWN_MS_OF_NS,
    KNOWN_ADDRESS = 20, KNOWN_SLASHED, KNOWN_NO_EQUALS, KNOWN_STATUS, KNOWN_NUMBER, KNOWN_HOST, KNOWN_NO_AUTHORITY,
    KNOWN_METHOD, KNOWN_PAIRS, KNOWN_PEER, KNOWN_USER, KNOWN_AMONG, KNOWN_FRACTION
};
enum { ORIGIN, PATH, LABELS }; /* registers that hold the file's labels */
enum { OUT_OF_RANGE, TOO_OLD };

#define NONE 0xffff   /* an operand that is not used */
#define REFUSE 0xfffe /* a member's register: hand back */
#define MOST 0x7fff
#define OPERANDS 5
#define HEAD_BYTES 24
#define INSTRUCTION_BYTES 12
#define FUNCTION_BYTES 12

/* How each operand is checked, as program.OPERANDS. */
static const char *const operands_of[OPS] = {
    [OP_LITERAL] = "k", [OP_FIELD] = "wnknK", [OP_END] = "", [OP_SPLIT] = "rwwwn", [OP_OBJECT] = "k", [OP_ATLEAST] = "nk",
    [OP_CHECK] = "fr",
    [OP_FIRST] = "wk", [OP_LOAD] = "wk", [OP_CALL] = "wfrR", [OP_NUMBER] = "wfr", [OP_ADD] = "wrr",
    [OP_SUBTRACT] = "wrr", [OP_ISO] = "wr", [OP_CUT] = "wwrn", [OP_JOIN] = "wk", [OP_LIMIT] = "wrnc",
    [OP_JUMP] = "t", [OP_EMPTY] = "rt", [OP_UNLESS_IN] = "rkt", [OP_UNLESS_PREFIX] = "rkt", [OP_FLAG] = "gn",
    [OP_UNLESS_FLAG] = "gnt", [OP_VISIT] = "n", [OP_WINDOW] = "r", [OP_DROP] = "c", [OP_SAMPLE] = "ck", [OP_DONE] = "",
    [OP_WRITE] = "k", [OP_TEXT] = "rK", [OP_PLAIN] = "rK", [OP_VALUE] = "rFK", [OP_TIME] = "rK", [OP_ID] = "K",
    [OP_MEMBER] = "k", [OP_OPEN] = "k", [OP_CLOSE] = "n",
};

typedef struct {
    unsigned reg, below; /* NONE: none */
    ls_bytes key;
    uint64_t seen; /* number of the line that had it last */
} member;

#define HABITS 32
#define HABIT_BYTES 28
typedef struct { /* the key that stood at a place of the last objects, and the member it is, if any */
    member *is;
    uint32_t length; /* 0: none yet */
    uint8_t key[HABIT_BYTES];
} habit;

typedef struct {
    member *members;
    unsigned count;
    habit *habits; /* HABITS of them, by place: lines of a log have their keys in one order */
} node;

typedef struct {
    const ls_bytes *texts; /* sorted */
    size_t count;
} text_set;

typedef struct {
    unsigned op, a, b, c, d, e;
    ls_bytes text;          /* the constant */
    ls_bytes before;        /* the one that comes before, or nothing */
    const stop_set *stops;  /* of FIELD: its stops, and the same with the backslash */
    text_set set;           /* of UNLESS_IN */
    size_t count;           /* of the u16s of FIRST, JOIN and ATLEAST */
    node *tree;             /* of OBJECT */
    uint64_t threshold;     /* of SAMPLE */
} instruction;

typedef struct {
    unsigned known, arity;
    bool gives_number;
    text_set names;
    memo memory;
} function;

typedef struct owned { /* memory that lives as long as the program */
    struct owned *next;
} owned;

struct ls_program {
    owned *memory;
    const instruction *code;
    const ls_bytes *constants;
    function *functions;
    size_t registers, flags, make, instructions, constant_count, function_count, counters;
    unsigned escaping;
    uint64_t seed, lines; /* lines seen so far */
    bool is_full;         /* a function's memory: it is emptied before the next line */
};

static void *own(ls_program *program, size_t size)
{
    owned *made = calloc(1, sizeof *made + size);
    if (!made) return NULL;
    made->next = program->memory;
    program->memory = made;
    return made + 1;
}

typedef struct { /* reads what was encoded; `is_wrong` once it is too short */
    const uint8_t *at, *end;
    bool is_wrong;
} reader;

static const uint8_t *take_bytes(reader *from, size_t length)
{
    if ((size_t)(from->end - from->at) < length) {
        from->is_wrong = true;
        return NULL;
    }
    const uint8_t *at = from->at;
    from->at += length;
    return at;
}

static unsigned take_u16(reader *from)
{
    const uint8_t *at = take_bytes(from, 2);
    return at ? u16_at(at) : 0;
}

static const char *load_constants(ls_program *program, reader *from)
{
    ls_bytes *constants = own(program, (program->constant_count + 1) * sizeof *constants);
    const uint8_t *lengths = take_bytes(from, program->constant_count * 4);
    if (!constants) return "no memory";
    if (!lengths) return "the constants are cut";
    size_t all = 0;
    for (size_t i = 0; i < program->constant_count; i++) all += u32_at(lengths + 4 * i);
    const uint8_t *bytes = take_bytes(from, all);
    uint8_t *pool = own(program, bytes ? all + SLACK : 1);
    if (!pool) return "no memory";
    if (!bytes) return "the constants are cut";
    memcpy(pool, bytes, all);
    for (size_t i = 0; i < program->constant_count; i++) {
        constants[i] = (ls_bytes){pool, u32_at(lengths + 4 * i)};
        pool += constants[i].length;
    }
    program->constants = constants;
    return NULL;
}

static bool load_set(ls_program *program, ls_bytes raw, text_set *to)
{
    reader from = {raw.at, raw.at + raw.length, false};
    to->count = take_u16(&from);
    if ((size_t)(from.end - from.at) < to->count * 2) return false;
    ls_bytes *texts = own(program, (to->count + 1) * sizeof *texts);
    if (!texts) return false;
    for (size_t i = 0; i < to->count; i++) {
        texts[i].length = take_u16(&from);
        texts[i].at = take_bytes(&from, texts[i].length);
        if (from.is_wrong) return false;
    }
    to->texts = texts;
    return true;
}

/* The names of a function, which the program keeps; their length is in the place of their number. */
static bool load_names(ls_program *program, reader *from, text_set *to)
{
    size_t length = to->count;
    const uint8_t *raw = take_bytes(from, length);
    uint8_t *kept = own(program, raw ? length + SLACK : 1);
    if (!raw || !kept) return false;
    memcpy(kept, raw, length);
    return !length || load_set(program, (ls_bytes){kept, length}, to);
}

static const char *load_functions(ls_program *program, reader *from)
{
    program->functions = own(program, (program->function_count + 1) * sizeof *program->functions);
    if (!program->functions) return "no memory";
    for (size_t i = 0; i < program->function_count; i++) {
        function *made = &program->functions[i];
        made->known = take_u16(from), made->arity = take_u16(from);
        made->gives_number = take_u16(from) != 0, made->names.count = take_u16(from);
        const uint8_t *entries = take_bytes(from, 4);
        if (!entries || made->arity < 1 || made->arity > 2) return "a function is wrong";
        made->memory.most = u32_at(entries) < MOST_ENTRIES ? u32_at(entries) : MOST_ENTRIES;
    }
    for (size_t i = 0; i < program->function_count; i++)
        if (!load_names(program, from, &program->functions[i].names)) return "a function's names are wrong";
    return NULL;
}

static bool is_operand(const ls_program *program, size_t at, char kind, unsigned value)
{
    switch (kind) {
    case 'R': return value == NONE || value < program->registers;
    case 'K': return value == NONE || value < program->constant_count;
    case 'F': return value == NONE || value < program->function_count;
    case 'r': case 'w': return value < program->registers;
    case 'k': return value < program->constant_count;
    case 'f': return value < program->function_count;
    case 'c': return value < program->counters;
    case 'g': return value < program->flags;
    case 't': return value > at && value < program->instructions && (at >= program->make || value <= program->make);
    default: return true; /* n */
    }
}

static bool load_tree(ls_program *program, instruction *to)
{
    reader from = {to->text.at, to->text.at + to->text.length, false};
    unsigned nodes = take_u16(&from);
    if ((size_t)(from.end - from.at) < (size_t)nodes * 2) return false;
    node *tree = own(program, (nodes + 1) * sizeof *tree);
    if (!tree || !nodes) return false;
    for (unsigned i = 0; i < nodes; i++) {
        tree[i].count = take_u16(&from);
        if (from.is_wrong || (size_t)(from.end - from.at) < (size_t)tree[i].count * 6) return false;
        tree[i].members = own(program, (tree[i].count + 1) * sizeof *tree[i].members);
        tree[i].habits = own(program, HABITS * sizeof *tree[i].habits);
        if (!tree[i].members || !tree[i].habits) return false;
        for (unsigned j = 0; j < tree[i].count; j++) {
            member *made = &tree[i].members[j];
            made->reg = take_u16(&from), made->below = take_u16(&from);
            made->key.length = take_u16(&from);
            made->key.at = take_bytes(&from, made->key.length);
            if (from.is_wrong || (made->reg < REFUSE && made->reg >= program->registers)) return false;
            if (made->below != NONE && (made->below <= i || made->below >= nodes)) return false;
        }
    }
    to->tree = tree;
    return true;
}

/* What an instruction needs beyond its operands. */
static bool load_more(ls_program *program, instruction *to)
{
    switch (to->op) {
    case OP_FIELD: {
        stop_set *stops = own(program, 2 * sizeof *stops);
        if (!stops || to->b >= HOWS || (to->d != 0 && to->d != '/' && to->d != '?')) return false;
        add_stops(&stops[0], to->text), add_stops(&stops[1], to->text);
        add_stops(&stops[1], (ls_bytes){(const uint8_t *)"\\", 1});
        to->stops = stops;
        return true;
    }
    case OP_UNLESS_IN: return load_set(program, to->text, &to->set);
    case OP_OBJECT: return load_tree(program, to);
    case OP_SAMPLE:
        if (to->text.length != 8) return false;
        to->threshold = u64_at(to->text.at);
        return true;
    case OP_CALL: return program->functions[to->b].arity == (to->d == NONE ? 1u : 2u) && !program->functions[to->b].gives_number;
    case OP_CHECK: return program->functions[to->a].arity == 1 && !program->functions[to->a].gives_number;
    case OP_NUMBER: return program->functions[to->b].arity == 1 && program->functions[to->b].gives_number;
    case OP_VALUE: return to->b == NONE || (program->functions[to->b].arity == 1 && !program->functions[to->b].gives_number);
    case OP_CUT: return to->d < 0x80 && to->a != to->b;
    case OP_CLOSE: return to->a < 2;
    case OP_FIRST: case OP_ATLEAST: case OP_JOIN:
        to->count = to->text.length / 2;
        for (size_t i = 0; i < to->count; i++) {
            unsigned part = u16_at(to->text.at + 2 * i);
            bool is_constant = to->op == OP_JOIN && part > MOST;
            if (is_constant ? part - MOST - 1 >= program->constant_count : part >= program->registers) return false;
        }
        return to->text.length % 2 == 0 && (to->count || to->op != OP_FIRST);
    default: return true;
    }
}

static const char *load_code(ls_program *program, const uint8_t *raw)
{
    instruction *code = own(program, program->instructions * sizeof *code);
    if (!code) return "no memory";
    program->code = code;
    for (size_t i = 0; i < program->instructions; i++, raw += INSTRUCTION_BYTES) {
        instruction *to = &code[i];
        unsigned *operands[OPERANDS] = {&to->a, &to->b, &to->c, &to->d, &to->e};
        to->op = u16_at(raw);
        if (to->op >= OPS || !operands_of[to->op]) return "an operation is unknown";
        const char *kinds = operands_of[to->op];
        for (size_t j = 0; j < OPERANDS; j++) *operands[j] = u16_at(raw + 2 + 2 * j);
        to->before = (ls_bytes){NOTHING, 0};
        for (size_t j = 0; kinds[j]; j++) {
            if (!is_operand(program, i, kinds[j], *operands[j])) return "an operand is wrong";
            if (kinds[j] == 'k') to->text = program->constants[*operands[j]];
            if (kinds[j] == 'K' && *operands[j] != NONE) to->before = program->constants[*operands[j]];
        }
        if (to->op < OP_FIRST && i >= program->make) return "an instruction reads behind the reading part";
        if (!load_more(program, to)) return "a constant is wrong";
    }
    unsigned last = code[program->instructions - 1].op;
    return last == OP_DONE || last == OP_DROP ? NULL : "the code has no end";
}

static const char *load_all(ls_program *program, reader *from)
{
    const uint8_t *head = take_bytes(from, HEAD_BYTES);
    if (!head || memcmp(head, "LSP\x01", 4)) return "this is no program";
    if (u16_at(head + 4) != LS_VERSION) return "the program has another version";
    program->registers = u16_at(head + 6), program->flags = u16_at(head + 8);
    program->make = u16_at(head + 12), program->escaping = u16_at(head + 14);
    program->instructions = u16_at(head + 16), program->constant_count = u16_at(head + 18);
    program->function_count = u16_at(head + 20), program->counters = u16_at(head + 22);
    size_t sizes[] = {program->registers, program->flags, program->instructions, program->constant_count,
                      program->function_count, program->counters};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] > MOST) return "the program is too large";
    if (program->registers < LABELS || program->counters <= TOO_OLD || program->escaping >= ESCAPINGS) return "the head is wrong";
    if (!program->instructions || !program->make || program->make >= program->instructions) return "the code is wrong";
    const uint8_t *code = take_bytes(from, program->instructions * INSTRUCTION_BYTES);
    if (!code) return "the code is cut";
    const char *wrong = load_constants(program, from);
    if (!wrong) wrong = load_functions(program, from);
    if (!wrong) wrong = load_code(program, code);
    return wrong ? wrong : from->at < from->end ? "something follows the program" : NULL;
}

void ls_free(ls_program *program)
{
    if (!program) return;
    for (size_t i = 0; program->functions && i < program->function_count; i++) memo_empty(&program->functions[i].memory);
    while (program->memory) {
        owned *next = program->memory->next;
        free(program->memory);
        program->memory = next;
    }
    free(program);
}

ls_program *ls_load(const uint8_t *blob, size_t length, uint64_t seed, const char **wrong)
{
    ls_program *program = calloc(1, sizeof *program);
    reader from = {blob, blob + length, false};
    crc_prepare();
    *wrong = program ? load_all(program, &from) : "no memory";
    if (!*wrong) {
        program->seed = seed;
        return program;
    }
    ls_free(program);
    return NULL;
}

size_t ls_counters(const ls_program *program) { return program->counters; }

#endif
