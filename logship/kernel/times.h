/* Times and durations that the kernel knows by itself: text to milliseconds and back. What is unusual is left to Python. */
#ifndef LOGSHIP_TIMES_H
#define LOGSHIP_TIMES_H

#define LAST_MS 253402300799999 /* 9999-12-31T23:59:59.999Z */
#define ISO_LENGTH 24
#define DAY_S 86400

static inline bool two_digits(const uint8_t *at, unsigned *number)
{
    *number = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    return is_digit(at[0]) && is_digit(at[1]);
}

static inline bool four_digits(const uint8_t *at, unsigned *number)
{
    unsigned high, low;
    bool are = two_digits(at, &high) & two_digits(at + 2, &low);
    return *number = high * 100 + low, are;
}

/* Days since 1970 of a date that exists, from 1970 to 9999; else -1. */
static inline int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1) return -1;
    unsigned is_leap = year % 4 == 0 && (year % 100 || year % 400 == 0);
    if (day > before[month] - before[month - 1] + (month == 2 ? is_leap : 0u)) return -1;
    unsigned past = year - 1;
    int64_t years = (int64_t)past * 365 + past / 4 - past / 100 + past / 400 - 719162;
    return years + before[month - 1] + (month > 2 ? is_leap : 0) + day - 1;
}

/* Milliseconds of a civil time with its offset; false where Python must look. */
static inline bool moment_of(const unsigned date[3], const unsigned clock[3], unsigned ms, int64_t offset_s, int64_t *out)
{
    int64_t days = days_of(date[0], date[1], date[2]);
    if (days < 0 || clock[0] > 23 || clock[1] > 59 || clock[2] > 59) return false;
    *out = (days * DAY_S + clock[0] * 3600 + clock[1] * 60 + clock[2] - offset_s) * 1000 + ms;
    return *out >= 0 && *out <= LAST_MS;
}

static inline bool offset_of(const uint8_t *hours_at, const uint8_t *minutes_at, uint8_t sign, int64_t *offset_s)
{
    unsigned hours, minutes = 0;
    if (!two_digits(hours_at, &hours) || (minutes_at && !two_digits(minutes_at, &minutes))) return false;
    if (hours > 23 || minutes > 59 || (sign != '+' && sign != '-')) return false;
    *offset_s = (int64_t)(hours * 3600 + minutes * 60);
    if (sign == '-') *offset_s = -*offset_s;
    return true;
}

#define CLF_LENGTH 26
static inline bool looks_like_clf(const uint8_t *at)
{
    static const char like[] = "00/aaa/0000:00:00:00 +0000";
    for (int i = 0; i < CLF_LENGTH; i++) {
        bool fits = like[i] == '0' ? is_digit(at[i]) : like[i] == 'a' ? is_letter(at[i])
                  : like[i] == '+' ? at[i] == '+' || at[i] == '-' : at[i] == (uint8_t)like[i];
        if (!fits) return false;
    }
    return true;
}

/* The time that was read last: neighbouring lines share their minute, and only the second is read. */
typedef struct {
    uint8_t text[CLF_LENGTH];
    int64_t minute_ms; /* -1: none */
} clf_cache;

#define CLF_SECOND 18

static inline bool is_clf_minute(const uint8_t *at, const clf_cache *last)
{
    return last->minute_ms >= 0 && !memcmp(at, last->text, 16) && !memcmp(at + 16, last->text + 16, 2) && !memcmp(at + 20, last->text + 20, 4) &&
           !memcmp(at + 24, last->text + 24, 2) && is_digit(at[CLF_SECOND]) && is_digit(at[CLF_SECOND + 1]);
}

static bool clf_ms(ls_bytes text, clf_cache *last, int64_t *out)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const uint8_t *at = text.at;
    unsigned date[3], clock[3], month = 0, second;
    int64_t offset_s;
    if (text.length != CLF_LENGTH) return false;
    if (is_clf_minute(at, last) && two_digits(at + CLF_SECOND, &second) && second < 60)
        return *out = last->minute_ms + second * 1000, *out <= LAST_MS;
    if (!looks_like_clf(at)) return false;
    while (month < 12 && memcmp(names + 3 * month, at + 3, 3)) month++;
    date[1] = month + 1; /* 13 is none */
    four_digits(at + 7, &date[0]), two_digits(at, &date[2]);
    two_digits(at + 12, &clock[0]), two_digits(at + 15, &clock[1]), two_digits(at + CLF_SECOND, &clock[2]);
    if (!offset_of(at + 22, at + 24, at[21], &offset_s) || !moment_of(date, clock, 0, offset_s, out)) return false;
    memcpy(last->text, at, CLF_LENGTH);
    last->minute_ms = *out - clock[2] * 1000;
    return true;
}

static bool iso_ms(ls_bytes text, bool is_zoned, int64_t *out)
{
    const uint8_t *at = text.at, *end = at + text.length;
    unsigned date[3], clock[3], ms = 0, digits = 0;
    int64_t offset_s = 0;
    if (text.length < 19 || at[4] != '-' || at[7] != '-' || at[13] != ':' || at[16] != ':') return false;
    if (at[10] != 'T' && at[10] != 't' && at[10] != ' ') return false;
    if (!four_digits(at, &date[0]) || !two_digits(at + 5, &date[1]) || !two_digits(at + 8, &date[2])) return false;
    if (!two_digits(at + 11, &clock[0]) || !two_digits(at + 14, &clock[1]) || !two_digits(at + 17, &clock[2])) return false;
    at += 19;
    if (at < end && (*at == '.' || *at == ',')) {
        for (at++; at < end && is_digit(*at) && digits < 9; at++, digits++)
            if (digits < 3) ms = ms * 10 + (unsigned)(*at - '0');
        if (!digits) return false;
        for (; digits < 3; digits++) ms *= 10;
    }
    if (at < end && *at == ' ') at++;
    size_t left = (size_t)(end - at);
    if (left == 0) return !is_zoned && moment_of(date, clock, ms, 0, out);
    if (left == 1) return (*at == 'Z' || *at == 'z') && moment_of(date, clock, ms, 0, out);
    const uint8_t *minutes = left == 3 ? NULL : left == 5 ? at + 3 : at + 4;
    if (left != 3 && left != 5 && !(left == 6 && at[3] == ':')) return false;
    return offset_of(at + 1, minutes, *at, &offset_s) && moment_of(date, clock, ms, offset_s, out);
}

/* Digits, at most `most` of them; false: none, or more. */
static inline bool whole_of(const uint8_t **at, const uint8_t *end, unsigned most_digits, uint64_t *number)
{
    const uint8_t *first = *at;
    for (*number = 0; *at < end && is_digit(**at); ++*at) {
        if (*at - first == (ptrdiff_t)most_digits) return false;
        *number = *number * 10 + (uint64_t)(**at - '0');
    }
    return *at > first;
}

/* whole.fraction: the whole and the first three digits of at most `most_fraction` as thousandths. */
static bool decimal_of(ls_bytes text, unsigned most_whole, unsigned least_fraction, unsigned most_fraction,
                       uint64_t *whole, uint64_t *thousandths)
{
    const uint8_t *at = text.at, *end = at + text.length;
    unsigned digits = 0;
    *thousandths = 0;
    if (!whole_of(&at, end, most_whole, whole)) return false;
    if (at == end) return true;
    if (*at++ != '.') return false;
    for (; at < end && is_digit(*at); at++, digits++)
        if (digits < 3) *thousandths = *thousandths * 10 + (uint64_t)(*at - '0');
    if (at < end || digits < least_fraction || digits > most_fraction) return false;
    for (; digits < 3; digits++) *thousandths *= 10;
    return true;
}

static bool epoch_ms(ls_bytes text, unsigned known, int64_t *out)
{
    uint64_t whole, thousandths;
    if (!decimal_of(text, 19, 1, 9, &whole, &thousandths)) return false;
    if (known == KNOWN_EPOCH_ANY)
        known = whole < 100000000000 ? KNOWN_EPOCH_S : whole < 100000000000000 ? KNOWN_EPOCH_MS
              : whole < 100000000000000000 ? KNOWN_EPOCH_US : KNOWN_NOTHING;
    if (known == KNOWN_EPOCH_S) {
        if (whole > LAST_MS / 1000) return false;
        whole = whole * 1000 + thousandths;
    } else if (known != KNOWN_EPOCH_MS) {
        whole /= known == KNOWN_EPOCH_US ? 1000 : 1000000;
    }
    *out = (int64_t)whole;
    return whole <= LAST_MS;
}

static bool any_ms(ls_bytes text, bool is_zoned, clf_cache *last, int64_t *out)
{
    if (text.length >= 2 && text.at[0] == '[' && text.at[text.length - 1] == ']') text.at++, text.length -= 2;
    if (text.length > 2 && text.at[2] == '/') return clf_ms(text, last, out);
    if (text.length > 4 && text.at[4] == '-') return iso_ms(text, is_zoned, out);
    return epoch_ms(text, KNOWN_EPOCH_ANY, out);
}

static bool duration_ms(ls_bytes text, unsigned known, int64_t *out)
{
    uint64_t whole, thousandths;
    bool has_fraction = known == KNOWN_MS_OF_S;
    if (!decimal_of(text, has_fraction ? 7 : 10, 0, has_fraction ? 3 : 0, &whole, &thousandths)) return false;
    if (!has_fraction && text.at[text.length - 1] == '.') return false;
    if (known == KNOWN_MS_OF_S) whole = whole * 1000 + thousandths;
    else if (known == KNOWN_MS_OF_US) whole = (whole + 500) / 1000;
    else if (known == KNOWN_MS_OF_NS) whole = (whole + 500000) / 1000000;
    *out = (int64_t)whole;
    return true;
}

/* `YYYY-MM-DDTHH:MM:SS.mmmZ` of 0 … LAST_MS; what was written last is remembered in `last`. */
typedef struct {
    int64_t minute, moment_ms; /* -1: none */
    uint8_t text[ISO_LENGTH];
} iso_cache;

static void write_iso(uint8_t *to, int64_t moment_ms, iso_cache *last)
{
    if (moment_ms == last->moment_ms) {
        memcpy(to, last->text, ISO_LENGTH);
        return;
    }
    int64_t minute = moment_ms / 60000;
    unsigned rest = (unsigned)(moment_ms - minute * 60000);
    if (minute != last->minute) {
        last->minute = minute;
        int64_t days = minute / 1440;
        unsigned of_day = (unsigned)(minute - days * 1440);
        /* Years that begin in March have the leap day as their last. Source: H. Hinnant, chrono-compatible date algorithms. */
        uint32_t shifted = (uint32_t)days + 719468, era = shifted / 146097, of_era = shifted % 146097;
        uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        uint32_t shifted_month = (5 * of_year + 2) / 153, day = of_year - (153 * shifted_month + 2) / 5 + 1;
        uint32_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
        uint32_t year = year_of_era + era * 400 + (month <= 2);
        unsigned parts[] = {year / 100, year % 100, month, day, of_day / 60, of_day % 60};
        memcpy(last->text, "0000-00-00T00:00:00.000Z", ISO_LENGTH);
        static const uint8_t places[] = {0, 2, 5, 8, 11, 14};
        for (int i = 0; i < 6; i++) {
            last->text[places[i]] = (uint8_t)('0' + parts[i] / 10);
            last->text[places[i] + 1] = (uint8_t)('0' + parts[i] % 10);
        }
    }
    unsigned second = rest / 1000, ms = rest % 1000;
    uint8_t *text = last->text;
    last->moment_ms = moment_ms;
    text[17] = (uint8_t)('0' + second / 10), text[18] = (uint8_t)('0' + second % 10);
    text[20] = (uint8_t)('0' + ms / 100), text[21] = (uint8_t)('0' + ms / 10 % 10), text[22] = (uint8_t)('0' + ms % 10);
    memcpy(to, text, ISO_LENGTH);
}

#endif
