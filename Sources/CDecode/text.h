#pragma once
// What strings hold: escapes, UUIDs, times.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cdecode.h"
#include "number.h"

namespace weir {

inline uint64_t load8(const void *p) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    return v;
}

inline uint32_t load4(const void *p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
}

inline int hex_digit(uint8_t c) {
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The four hex digits at p, or -1.
inline int32_t hex4(const uint8_t *p) {
    const int a = hex_digit(p[0]), b = hex_digit(p[1]), c = hex_digit(p[2]), d = hex_digit(p[3]);
    return (a | b | c | d) < 0 ? -1 : (a << 12 | b << 8 | c << 4 | d);
}

// Whether every escape of a string's inside is one of JSON's.
bool valid_escapes(const uint8_t *p, size_t length);

constexpr size_t lone_surrogate = SIZE_MAX;

// Writes the text that validly escaped bytes mean, never more bytes than came in; its length, or lone_surrogate.
size_t unescape(const uint8_t *p, size_t length, uint8_t *out);

bool parse_uuid(const uint8_t *p, size_t length, weir_uuid &out);

// WEIR_OK, WEIR_LOCAL_TIME (milliseconds as if the unstated zone were UTC) or WEIR_BAD_TIME.
uint8_t parse_time(const uint8_t *p, size_t length, int64_t &milliseconds);

}  // namespace weir
