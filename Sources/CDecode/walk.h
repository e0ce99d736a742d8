#pragma once
// The walk over one document: every byte of its grammar is checked, declared values become columns.
#include "paths.h"

namespace weir {

struct Columns {
    const uint32_t *kinds;
    uint8_t *const *states;
    void *const *values;
};

// `Escapes`: the document holds a backslash somewhere. Without one, no string needs a look inside.
//
// Tokens are simdjson's structural positions: brackets, colons, commas, opening quotes and first characters of scalars.
// Behind the last one stand two that point at the zero byte after the document, which no rule accepts, so that a document
// that ends early is refused by the ordinary checks. Whatever follows a string but space is a token, hence a string's closing
// quote is the last byte but space before the next token.
template <bool Escapes>
struct Walk {
    const uint8_t *doc;
    const uint32_t *at;
    const Columns &columns;
    size_t row;
    uint8_t *arena;
    // Where unescaped text goes: as many bytes as the document has are free here.
    uint8_t *side;
    bool has_local_times = false;

    bool document(Node &root) {
        if (doc[*at++] != '{') return false;
        if (!object(root, 1)) return false;
        return doc[*at] == 0 && at[0] == at[1];
    }

private:
    const uint8_t *closing_quote() const {
        const uint8_t *p = doc + *at - 1;
        while (*p != '"') p--;
        return p;
    }

    bool sound_string(const uint8_t *quote) const {
        if constexpr (!Escapes) return true;
        return valid_escapes(quote + 1, size_t(closing_quote() - quote - 1));
    }

    // The caller saw the first letter, so that the last four tell.
    static bool literal(const uint8_t *p, const char *word, size_t length) {
        const size_t from = length - 4;
        return load4(p + from) == load4(word + from) && ends_scalar(p[length]);
    }

    // Any value but a container, whose first byte is at p.
    bool scalar(const uint8_t *p) const {
        switch (*p) {
        case '"': return sound_string(p);
        case 't': return literal(p, "true", 4);
        case 'f': return literal(p, "false", 5);
        case 'n': return literal(p, "null", 4);
        default: return number_end(p) != nullptr;
        }
    }

    // Checks a value that no column wants, inside `depth` open containers. A bit stack, not recursion: its depth is the sender's choice.
    bool skip(unsigned depth) {
        const uint8_t *p = doc + *at;
        if (*p != '{' && *p != '[') {
            at++;
            return scalar(p);
        }
        uint64_t objects[WEIR_DEPTH_LIMIT / 64];
        objects[(depth / 64) % (WEIR_DEPTH_LIMIT / 64)] = 0;
        unsigned level = depth;
        bool in_object = false;
        for (;;) {
            // A value.
            p = doc + *at++;
            if (*p == '{' || *p == '[') {
                if (level == WEIR_DEPTH_LIMIT) return false;
                in_object = *p == '{';
                const uint64_t bit = uint64_t(1) << (level & 63);
                // Levels are entered one by one, so the first bit of a word begins the word.
                const uint64_t lower = level & 63 ? objects[level >> 6] & ~bit : 0;
                objects[level >> 6] = in_object ? lower | bit : lower;
                level++;
                if (doc[*at] != *p + 2) {
                    if (in_object && !key()) return false;
                    continue;
                }
                at++;
                if (!leave(level, depth, objects, in_object)) return true;
            } else if (!scalar(p)) {
                return false;
            }
            // What follows it.
            for (;;) {
                const uint8_t c = doc[*at++];
                if (c == ',') {
                    if (in_object && !key()) return false;
                    break;
                }
                if (c != (in_object ? '}' : ']')) return false;
                if (!leave(level, depth, objects, in_object)) return true;
            }
        }
    }

    // Closes a container; false when it was the outermost of the skipped ones.
    static bool leave(unsigned &level, unsigned depth, const uint64_t *objects, bool &in_object) {
        if (--level == depth) return false;
        in_object = objects[(level - 1) >> 6] >> ((level - 1) & 63) & 1;
        return true;
    }

    bool key() {
        const uint8_t *p = doc + *at++;
        if (*p != '"' || !sound_string(p)) return false;
        return doc[*at++] == ':';
    }

    // Behind the opening brace of an object on a declared path, `depth` containers deep itself included.
    bool object(Node &node, unsigned depth) {
        if (doc[*at] == '}') {
            at++;
            return true;
        }
        for (size_t position = 0;; position++) {
            const uint8_t *quote = doc + *at++;
            if (*quote != '"') return false;
            RememberedKey &memory = node.memory[position % Node::positions];
            int32_t child = memory.child;
            if (!memory.matches(quote + 1) && !look_up(node, memory, quote + 1, child)) return false;
            if (doc[*at++] != ':') return false;
            if (child < 0 ? !skip(depth) : !take(*node.children[size_t(child)], depth)) return false;
            const uint8_t c = doc[*at++];
            if (c == '}') return true;
            if (c != ',') return false;
        }
    }

    bool look_up(const Node &node, RememberedKey &memory, const uint8_t *key, int32_t &child) {
        const size_t length = size_t(closing_quote() - key);
        if (Escapes && std::memchr(key, '\\', length)) {
            if (!valid_escapes(key, length)) return false;
            const size_t plain = unescape(key, length, side);
            child = plain == lone_surrogate ? -1 : node.find(side, plain);
            return true;
        }
        child = node.find(key, length);
        memory.remember(key, length, child);
        return true;
    }

    void mark(const std::vector<uint32_t> &which, uint8_t state) {
        for (const uint32_t c : which) columns.states[c][row] = state;
    }

    template <typename T>
    void put(uint32_t column, T value) {
        static_cast<T *>(columns.values[column])[row] = value;
        columns.states[column][row] = WEIR_OK;
    }

    void put_raw(const Node &node, const uint8_t *begin, const uint8_t *end) {
        for (const uint32_t c : node.columns) {
            if (columns.kinds[c] == WEIR_JSON) {
                put(c, weir_slice{uint32_t(begin - arena), uint32_t(end - begin)});
            } else {
                columns.states[c][row] = WEIR_WRONG_TYPE;
            }
        }
    }

    // A value at a declared path, inside `depth` open containers. It replaces what an earlier key of the same name left.
    bool take(Node &node, unsigned depth) {
        const uint8_t *p = doc + *at;
        switch (*p) {
        case '"':
            at++;
            mark(node.below, WEIR_WRONG_TYPE);
            return take_string(node, p);
        case '{':
            if (!node.children.empty()) {
                if (depth == WEIR_DEPTH_LIMIT) return false;
                mark(node.below, WEIR_MISSING);
                at++;
                if (!object(node, depth + 1)) return false;
                put_raw(node, p, doc + at[-1] + 1);
                return true;
            }
            [[fallthrough]];
        case '[':
            if (!skip(depth)) return false;
            mark(node.below, WEIR_WRONG_TYPE);
            put_raw(node, p, doc + at[-1] + 1);
            return true;
        case 'n':
            at++;
            mark(node.below, WEIR_MISSING);
            mark(node.columns, WEIR_NULL);
            return literal(p, "null", 4);
        case 't':
            return take_bool(node, p, 1, "true", 4);
        case 'f':
            return take_bool(node, p, 0, "false", 5);
        default:
            at++;
            mark(node.below, WEIR_WRONG_TYPE);
            return take_number(node, p);
        }
    }

    bool take_bool(const Node &node, const uint8_t *p, int64_t value, const char *word, size_t length) {
        if (!literal(p, word, length)) return false;
        at++;
        mark(node.below, WEIR_WRONG_TYPE);
        put_raw(node, p, p + length);
        for (const uint32_t c : node.columns) {
            if (columns.kinds[c] == WEIR_BOOL) put(c, value);
        }
        return true;
    }

    bool take_string(const Node &node, const uint8_t *quote) {
        const uint8_t *end = closing_quote();
        const uint8_t *text = quote + 1;
        size_t length = size_t(end - text);
        if (Escapes && std::memchr(text, '\\', length)) {
            if (!valid_escapes(text, length)) return false;
            if (node.wants_text) {
                length = unescape(text, length, side);
                text = side;
                if (length != lone_surrogate) side += length;
            }
        }
        for (const uint32_t c : node.columns) {
            const uint32_t kind = columns.kinds[c];
            uint8_t &state = columns.states[c][row];
            if (kind == WEIR_JSON) {
                put(c, weir_slice{uint32_t(quote - arena), uint32_t(end + 1 - quote)});
            } else if (length == lone_surrogate) {
                state = WEIR_WRONG_TYPE;
            } else if (kind == WEIR_STRING) {
                put(c, weir_slice{uint32_t(text - arena), uint32_t(length)});
            } else if (kind == WEIR_UUID) {
                state = parse_uuid(text, length, static_cast<weir_uuid *>(columns.values[c])[row]) ? WEIR_OK : WEIR_WRONG_TYPE;
            } else if (kind >= WEIR_TIME_TEXT) {
                state = parse_time(text, length, static_cast<int64_t *>(columns.values[c])[row]);
                if (state == WEIR_LOCAL_TIME) {
                    if (kind == WEIR_TIME_TEXT) state = WEIR_BAD_TIME;
                    else has_local_times = true;
                }
            } else {
                state = WEIR_WRONG_TYPE;
            }
        }
        return true;
    }

    bool take_number(const Node &node, const uint8_t *p) {
        Number n;
        if (!scan_number(p, n)) return false;
        for (const uint32_t c : node.columns) {
            uint8_t &state = columns.states[c][row];
            int64_t whole = 0;
            bool exact = false;
            switch (columns.kinds[c]) {
            case WEIR_DOUBLE: {
                double value = 0;
                if (to_double(n, value)) put(c, value);
                else state = WEIR_WRONG_TYPE;
                break;
            }
            case WEIR_INT:
                if (floor_scaled(n, 0, whole, exact) && exact) put(c, whole);
                else state = WEIR_WRONG_TYPE;
                break;
            case WEIR_JSON:
                put(c, weir_slice{uint32_t(p - arena), uint32_t(n.end - p)});
                break;
            case WEIR_TIME_SECONDS: take_time(c, n, 3); break;
            case WEIR_TIME_MILLISECONDS: take_time(c, n, 0); break;
            case WEIR_TIME_MICROSECONDS: take_time(c, n, -3); break;
            case WEIR_TIME_NANOSECONDS: take_time(c, n, -6); break;
            default: state = WEIR_WRONG_TYPE; break;
            }
        }
        return true;
    }

    void take_time(uint32_t column, const Number &n, int shift) {
        int64_t time = 0;
        bool exact = false;
        if (floor_scaled(n, shift, time, exact) && time >= -WEIR_TIME_LIMIT && time <= WEIR_TIME_LIMIT) put(column, time);
        else columns.states[column][row] = WEIR_BAD_TIME;
    }
};

}  // namespace weir
