#pragma once
// JSON numbers: the grammar, and exact values without going through double.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <charconv>
#include <limits>

namespace weir {

inline bool is_digit(uint8_t c) { return uint8_t(c - '0') < 10; }

// What may stand after a number or a literal inside an object or array.
inline bool ends_scalar(uint8_t c) {
    if (c == ',' || c == '}' || c == ']') return true;
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// The end of the number that starts at p, or nullptr where the grammar is broken.
inline const uint8_t *number_end(const uint8_t *p) {
    if (*p == '-') p++;
    if (*p == '0') {
        p++;
    } else {
        if (!is_digit(*p)) return nullptr;
        do p++; while (is_digit(*p));
    }
    if (*p == '.') {
        p++;
        if (!is_digit(*p)) return nullptr;
        do p++; while (is_digit(*p));
    }
    if ((*p | 0x20) == 'e') {
        p++;
        if (*p == '+' || *p == '-') p++;
        if (!is_digit(*p)) return nullptr;
        do p++; while (is_digit(*p));
    }
    return ends_scalar(*p) ? p : nullptr;
}

// Takes the eight bytes at p into the mantissa if all are digits: three multiplications instead of a chain of eight.
inline bool eight_digits(const uint8_t *p, uint64_t &mantissa) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    v -= 0x3030303030303030;
    if ((v | (v + 0x7676767676767676)) & 0x8080808080808080) return false;
    v = v * 10 + (v >> 8);
    v = ((v & 0x000000FF000000FF) * 0x000F424000000064 + (v >> 16 & 0x000000FF000000FF) * 0x0000271000000001) >> 32;
    mantissa = mantissa * 100'000'000 + v;
    return true;
}

struct Number {
    const uint8_t *begin;
    const uint8_t *end;
    // All digits without the point as one integer; only meaningful while `digits` <= 19.
    uint64_t mantissa;
    // Of the mantissa, leading zeros not counted.
    size_t digits;
    // The value is mantissa * 10^exponent. Saturated far outside of what any type holds.
    int64_t exponent;
    bool negative;
    bool plain;
};

constexpr int64_t exponent_bound = 1'000'000'000'000;

inline bool scan_number(const uint8_t *p, Number &n) {
    n.begin = p;
    n.negative = *p == '-';
    if (n.negative) p++;
    const uint8_t *first = p;
    uint64_t mantissa = 0;
    if (*p == '0') {
        p++;
    } else {
        if (!is_digit(*p)) return false;
        while (eight_digits(p, mantissa)) p += 8;
        while (is_digit(*p)) mantissa = mantissa * 10 + (*p++ - '0');
    }
    size_t digits = size_t(p - first);
    int64_t exponent = 0;
    n.plain = true;
    const bool leading_zero = *first == '0';
    if (*p == '.') {
        n.plain = false;
        const uint8_t *fraction = ++p;
        if (!is_digit(*p)) return false;
        do mantissa = mantissa * 10 + (*p++ - '0'); while (is_digit(*p));
        exponent = -int64_t(p - fraction);
        digits += size_t(p - fraction);
        if (leading_zero) {
            digits--;
            for (const uint8_t *q = fraction; q < p && *q == '0'; q++) digits--;
        }
    } else if (leading_zero) {
        digits = 0;
    }
    if ((*p | 0x20) == 'e') {
        n.plain = false;
        p++;
        const bool down = *p == '-';
        if (*p == '+' || *p == '-') p++;
        if (!is_digit(*p)) return false;
        int64_t e = 0;
        do {
            if (e < exponent_bound) e = e * 10 + (*p - '0');
            p++;
        } while (is_digit(*p));
        exponent += down ? -e : e;
    }
    n.mantissa = mantissa;
    n.digits = digits;
    n.exponent = exponent;
    n.end = p;
    return ends_scalar(*p);
}

// floor(value * 10^shift), by arithmetic on the digits. False where it does not fit; `exact` says whether nothing was cut off.
inline bool floor_scaled_slowly(const Number &n, int shift, int64_t &out, bool &exact) {
    const uint8_t *p = n.begin + (n.negative ? 1 : 0);
    // Digits of the text that lie before the scaled point.
    int64_t fraction_digits = 0;
    {
        const uint8_t *q = p;
        while (is_digit(*q)) q++;
        if (*q == '.') {
            const uint8_t *f = ++q;
            while (is_digit(*q)) q++;
            fraction_digits = int64_t(q - f);
        }
        // n.exponent = written exponent - fraction digits.
        int64_t total = int64_t(q - p) - (fraction_digits ? 1 : 0);
        int64_t whole = total + n.exponent + shift;
        unsigned __int128 value = 0;
        bool rest = false;
        int64_t k = 0;
        for (; p < q; p++) {
            if (*p == '.') continue;
            const unsigned d = *p - '0';
            if (k++ < whole) {
                value = value * 10 + d;
                if (value >> 65) return false;
            } else if (d != 0) {
                rest = true;
                break;
            }
        }
        if (value != 0) {
            for (int64_t missing = whole - total; missing > 0; missing--) {
                value *= 10;
                if (value >> 65) return false;
            }
        }
        exact = !rest;
        if (n.negative) {
            value += rest ? 1 : 0;
            if (value > (unsigned __int128)1 << 63) return false;
            out = int64_t(0 - uint64_t(value));
        } else {
            if (value > (unsigned __int128)std::numeric_limits<int64_t>::max()) return false;
            out = int64_t(value);
        }
        return true;
    }
}

inline int64_t floor_divide(int64_t a, int64_t b) {
    const int64_t q = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

inline bool floor_scaled(const Number &n, int shift, int64_t &out, bool &exact) {
    if (n.plain && n.digits <= 18) {
        const int64_t v = n.negative ? -int64_t(n.mantissa) : int64_t(n.mantissa);
        switch (shift) {
        case 0:
            exact = true;
            out = v;
            return true;
        case 3:
            exact = true;
            return !__builtin_mul_overflow(v, int64_t(1000), &out);
        case -3:
            exact = false;
            out = floor_divide(v, 1000);
            return true;
        case -6:
            exact = false;
            out = floor_divide(v, 1000000);
            return true;
        default:
            break;
        }
    }
    return floor_scaled_slowly(n, shift, out, exact);
}

// The nearest double. False where it is beyond the largest one; what is too small for a double is zero.
inline bool to_double(const Number &n, double &out) {
    static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    // Both operands are exact, so the one rounding of the operation is the right one (Clinger 1990).
    if (n.digits <= 19 && n.mantissa <= (uint64_t(1) << 53) && n.exponent >= -22 && n.exponent <= 22) {
        double v = double(n.mantissa);
        v = n.exponent < 0 ? v / powers[-n.exponent] : v * powers[n.exponent];
        out = n.negative ? -v : v;
        return true;
    }
    const auto *begin = reinterpret_cast<const char *>(n.begin);
    double v = 0;
    const auto result = std::from_chars(begin, reinterpret_cast<const char *>(n.end), v);
    if (result.ec == std::errc()) {
        if (v - v != 0) return false;
        out = v;
        return true;
    }
    // Out of range either way: the place of the first digit that counts tells which.
    if (n.digits == 0 || int64_t(n.digits) + n.exponent < 0) {
        out = n.negative ? -0.0 : 0.0;
        return true;
    }
    return false;
}

}  // namespace weir
