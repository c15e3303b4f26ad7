/* What is remembered of a function: a bounded table from one or two texts to what it gives.

   Looking up and remembering take bounded time whatever the texts are: a text has PROBES places by its hash. What a
   lookup gives lives until the table is emptied, which only memo_settle() does, between lines. */
#ifndef LOGSHIP_MEMO_H
#define LOGSHIP_MEMO_H

#include <stdlib.h>

#define MEMO_BYTES 256    /* longest key (both texts), longest text remembered */
#define MOST_ENTRIES 65536
#define MOST_MEMORY 1048576 /* bytes of keys and texts of one function; beyond it the table is emptied */
#define FIRST_SLOTS 16
#define PROBES 8
#define FIRST_STORE 1024 /* bytes; each is twice the one before, up to MOST_STORE: a thousand programs may each know little */
#define MOST_STORE 16384

typedef struct {
    uint64_t hash;
    const uint8_t *bytes; /* first key, second key, text; NULL: free */
    int64_t number;
    uint16_t first, second, text;
    uint8_t kind;
} memo_entry;

typedef struct memo_store {
    struct memo_store *next;
    size_t used, room;
    uint8_t bytes[];
} memo_store;

typedef struct {
    memo_entry *slots;
    const memo_entry *last; /* what was found last, NULL where it may have moved: many lines say the same */
    size_t room, used, most, memory; /* `used` counts all that was remembered since the table was emptied */
    memo_store *stores;
} memo;

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * 0x9e3779b97f4a7c15u;
    return a ^ a >> 32;
}

static inline uint64_t hash_of(uint64_t seed, ls_bytes text)
{
    const uint8_t *at = text.at;
    size_t left = text.length;
    uint64_t hash = mix(seed, left);
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = mix(hash, word);
    }
    uint64_t word = 0;
    for (; left; left--) word = word << 8 | at[left - 1];
    return mix(hash, word);
}

static inline bool memo_fits(const memo_entry *entry, ls_bytes first, ls_bytes second)
{
    return entry->first == first.length && entry->second == second.length &&
           !memcmp(entry->bytes, first.at, first.length) && !memcmp(entry->bytes + first.length, second.at, second.length);
}

static inline const memo_entry *memo_find(memo *table, uint64_t hash, ls_bytes first, ls_bytes second)
{
    if (!table->room) return NULL;
    for (size_t probe = 0; probe < PROBES; probe++) {
        const memo_entry *entry = &table->slots[(hash + probe) & (table->room - 1)];
        if (!entry->bytes) return NULL;
        if (entry->hash == hash && memo_fits(entry, first, second)) return table->last = entry;
    }
    return NULL;
}

static void memo_empty(memo *table)
{
    while (table->stores) {
        memo_store *next = table->stores->next;
        free(table->stores);
        table->stores = next;
    }
    free(table->slots);
    table->slots = NULL, table->last = NULL;
    table->room = table->used = table->memory = 0;
}

/* Between lines: a full table is emptied. */
static inline void memo_settle(memo *table)
{
    if (table->used >= table->most || table->memory >= MOST_MEMORY) memo_empty(table);
}

/* Where an entry with this hash goes: a free place, else the first, whose entry is forgotten (its bytes stay). */
static memo_entry *memo_place(memo_entry *slots, size_t room, uint64_t hash)
{
    for (size_t probe = 0; probe < PROBES; probe++) {
        memo_entry *entry = &slots[(hash + probe) & (room - 1)];
        if (!entry->bytes) return entry;
    }
    return &slots[hash & (room - 1)];
}

static bool memo_grow(memo *table)
{
    size_t room = table->room ? table->room * 2 : FIRST_SLOTS;
    memo_entry *slots = calloc(room, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i].bytes) *memo_place(slots, room, table->slots[i].hash) = table->slots[i];
    free(table->slots);
    table->slots = slots, table->last = NULL, table->room = room;
    return true;
}

static bool memo_store_more(memo *table)
{
    size_t room = table->stores ? table->stores->room * 2 : FIRST_STORE;
    if (room > MOST_STORE) room = MOST_STORE;
    memo_store *store = calloc(1, sizeof *store + room + SLACK);
    if (!store) return false;
    store->next = table->stores, store->used = 0, store->room = room;
    table->stores = store;
    table->memory += room;
    return true;
}

/* Remembers an answer; without memory it does not. */
static void memo_add(memo *table, uint64_t hash, ls_bytes first, ls_bytes second, const ls_answer *answer)
{
    size_t text = answer->kind == LS_TEXT ? answer->text.length : 0;
    size_t length = first.length + second.length + text;
    if (first.length + second.length > MEMO_BYTES || text > MEMO_BYTES) return;
    if (table->used >= table->most || table->memory >= MOST_MEMORY) return; /* the next line finds it emptied */
    if (table->used * 2 >= table->room && !memo_grow(table)) return;
    if ((!table->stores || table->stores->room - table->stores->used < length) && !memo_store_more(table)) return;
    uint8_t *bytes = table->stores->bytes + table->stores->used;
    table->stores->used += length;
    memcpy(bytes, first.at, first.length);
    memcpy(bytes + first.length, second.at, second.length);
    if (text) memcpy(bytes + first.length + second.length, answer->text.at, text);
    *memo_place(table->slots, table->room, hash) = (memo_entry){
        .hash = hash, .bytes = bytes, .number = answer->number, .first = (uint16_t)first.length,
        .second = (uint16_t)second.length, .text = (uint16_t)text, .kind = (uint8_t)answer->kind,
    };
    table->used++;
}

#endif
