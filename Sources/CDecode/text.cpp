#include "text.h"

#include <strings.h>

namespace weir {

bool valid_escapes(const uint8_t *p, size_t length) {
    const uint8_t *end = p + length;
    while (p < end) {
        p = static_cast<const uint8_t *>(std::memchr(p, '\\', size_t(end - p)));
        if (!p) return true;
        if (end - p < 2) return false;
        switch (p[1]) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
            p += 2;
            break;
        case 'u':
            if (end - p < 6 || hex4(p + 2) < 0) return false;
            p += 6;
            break;
        default:
            return false;
        }
    }
    return true;
}

static size_t put_utf8(uint32_t c, uint8_t *out) {
    if (c < 0x80) {
        out[0] = uint8_t(c);
        return 1;
    }
    if (c < 0x800) {
        out[0] = uint8_t(0xC0 | c >> 6);
        out[1] = uint8_t(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = uint8_t(0xE0 | c >> 12);
        out[1] = uint8_t(0x80 | (c >> 6 & 0x3F));
        out[2] = uint8_t(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = uint8_t(0xF0 | c >> 18);
    out[1] = uint8_t(0x80 | (c >> 12 & 0x3F));
    out[2] = uint8_t(0x80 | (c >> 6 & 0x3F));
    out[3] = uint8_t(0x80 | (c & 0x3F));
    return 4;
}

size_t unescape(const uint8_t *p, size_t length, uint8_t *out) {
    const uint8_t *end = p + length;
    uint8_t *start = out;
    while (p < end) {
        const auto *next = static_cast<const uint8_t *>(std::memchr(p, '\\', size_t(end - p)));
        const size_t run = size_t((next ? next : end) - p);
        std::memcpy(out, p, run);
        out += run;
        if (!next) break;
        p = next + 2;
        switch (next[1]) {
        case 'b': *out++ = '\b'; break;
        case 'f': *out++ = '\f'; break;
        case 'n': *out++ = '\n'; break;
        case 'r': *out++ = '\r'; break;
        case 't': *out++ = '\t'; break;
        case 'u': {
            auto c = uint32_t(hex4(p));
            p += 4;
            if (c >= 0xDC00 && c < 0xE000) return lone_surrogate;
            if (c >= 0xD800 && c < 0xDC00) {
                if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return lone_surrogate;
                const auto low = uint32_t(hex4(p + 2));
                if (low < 0xDC00 || low >= 0xE000) return lone_surrogate;
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
            out += put_utf8(c, out);
            break;
        }
        default: *out++ = next[1]; break;
        }
    }
    return size_t(out - start);
}

// Eight hex characters at once; `bad` gets bits where one is none.
static inline uint32_t hex8(uint64_t x, uint64_t &bad) {
    constexpr uint64_t each = 0x0101010101010101;
    constexpr uint64_t high = each << 7;
    const uint64_t y = (x | each * 0x20) & ~high;
    const uint64_t x7 = x & ~high;
    const uint64_t digit = (x7 + each * (0x80 - '0')) & ~(x7 + each * (0x80 - ':'));
    const uint64_t alpha = (y + each * (0x80 - 'a')) & ~(y + each * (0x80 - 'g'));
    bad |= (~(digit | alpha) | x) & high;
    uint64_t v = (x & each * 0x0F) + ((alpha & high) >> 7) * 9;
    v = (v << 4 | v >> 8) & 0x00FF00FF00FF00FF;
    v = (v | v >> 8) & 0x0000FFFF0000FFFF;
    return __builtin_bswap32(uint32_t(v | v >> 16));
}

bool parse_uuid(const uint8_t *p, size_t length, weir_uuid &out) {
    if (length == 38 && p[0] == '{' && p[37] == '}') {
        p += 1;
    } else if (length == 45 && strncasecmp(reinterpret_cast<const char *>(p), "urn:uuid:", 9) == 0) {
        p += 9;
    } else if (length != 36) {
        return false;
    }
    uint64_t bad = 0;
    const uint64_t b = uint64_t(load4(p + 9)) | uint64_t(load4(p + 14)) << 32;
    const uint64_t c = uint64_t(load4(p + 19)) | uint64_t(load4(p + 24)) << 32;
    out.high = uint64_t(hex8(load8(p), bad)) << 32 | hex8(b, bad);
    out.low = uint64_t(hex8(c, bad)) << 32 | hex8(load8(p + 28), bad);
    return bad == 0 && p[8] == '-' && p[13] == '-' && p[18] == '-' && p[23] == '-';
}

// Days since 1970 of a date of the proleptic Gregorian calendar, by counting in years that begin in March.
static int64_t days_since_1970(int64_t year, int month, int day) {
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = floor_divide(y, 400);
    const int64_t of_era = y - era * 400;
    const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// n digits as a number, or -1.
static int digits(const uint8_t *p, int n) {
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit(p[i])) return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

uint8_t parse_time(const uint8_t *p, size_t length, int64_t &milliseconds) {
    if (length < 19) return WEIR_BAD_TIME;
    const uint8_t *end = p + length;
    const int year = digits(p, 4), month = digits(p + 5, 2), day = digits(p + 8, 2);
    const int hour = digits(p + 11, 2), minute = digits(p + 14, 2);
    int second = digits(p + 17, 2);
    if ((year | month | day | hour | minute | second) < 0) return WEIR_BAD_TIME;
    if (p[4] != '-' || p[7] != '-' || p[13] != ':' || p[16] != ':') return WEIR_BAD_TIME;
    if (p[10] != 'T' && p[10] != 't' && p[10] != ' ') return WEIR_BAD_TIME;
    static constexpr uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) return WEIR_BAD_TIME;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > lengths[month - 1] + (leap && month == 2 ? 1 : 0)) return WEIR_BAD_TIME;
    if (hour > 23 || minute > 59 || second > 60) return WEIR_BAD_TIME;
    p += 19;

    int64_t fraction = 0;
    if (p < end && *p == '.') {
        p++;
        const uint8_t *first = p;
        int64_t scale = 100;
        for (; p < end && is_digit(*p); p++) {
            fraction += (*p - '0') * scale;
            scale /= 10;
        }
        if (p == first) return WEIR_BAD_TIME;
    }
    // A leap second, however far into it, is the start of the next second.
    const bool is_leap_second = second == 60;
    if (is_leap_second) fraction = 0;
    const int64_t seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;

    int64_t offset = 0;
    uint8_t state = WEIR_OK;
    if (p == end) {
        state = WEIR_LOCAL_TIME;
    } else if (*p == 'Z' || *p == 'z') {
        p++;
    } else if (*p == '+' || *p == '-') {
        if (end - p != 6 || p[3] != ':') return WEIR_BAD_TIME;
        const int hours = digits(p + 1, 2), minutes = digits(p + 4, 2);
        if ((hours | minutes) < 0 || hours > 23 || minutes > 59) return WEIR_BAD_TIME;
        offset = hours * 3600 + minutes * 60;
        if (*p == '-') offset = -offset;
        p += 6;
    }
    if (p != end) return WEIR_BAD_TIME;
    // Leap seconds are the last of a UTC day; what a clock of an unstated zone shows then is not known.
    if (is_leap_second && state == WEIR_OK && (seconds - offset) % 86400 != 0) return WEIR_BAD_TIME;
    milliseconds = (seconds - offset) * 1000 + fraction;
    return state;
}

}  // namespace weir

uint8_t weir_parse_time(const char *text, size_t length, int64_t *milliseconds) {
    return weir::parse_time(reinterpret_cast<const uint8_t *>(text), length, *milliseconds);
}

uint8_t weir_parse_uuid(const char *text, size_t length, weir_uuid *uuid) {
    return weir::parse_uuid(reinterpret_cast<const uint8_t *>(text), length, *uuid) ? 1 : 0;
}

const uint8_t *weir_find(const uint8_t *text, size_t length, const uint8_t *what, size_t what_length) {
    return static_cast<const uint8_t *>(memmem(text, length, what, what_length));
}
