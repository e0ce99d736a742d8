#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <simdjson.h>

#include "cdecode.h"
#include "walk.h"

namespace {

// Zero bytes behind the last document, and free ones behind the last unescaped text: what reads of whole words may touch.
constexpr size_t padding = 64;
// Bytes of documents one call takes at most, unless a single record may be longer.
constexpr size_t batch_bytes = size_t(16) << 20;
constexpr size_t largest_record = size_t(1) << 30;
// An arena or an index at most this large is never given back; above it, it is when a quarter would do.
constexpr size_t retained_arena = size_t(4) << 20;
constexpr size_t retained_document = size_t(256) << 10;

size_t rounded_up(size_t n, size_t smallest) {
    size_t size = smallest;
    while (size < n) size *= 2;
    return size;
}

size_t value_size(uint32_t kind) { return kind == WEIR_UUID ? sizeof(weir_uuid) : sizeof(int64_t); }

struct Fallback {
    uint32_t column;
    int64_t int64;
    double number;
    weir_uuid uuid;
    weir_slice slice;
};

}  // namespace

struct weir_decoder {
    weir::Node root;
    std::vector<uint32_t> kinds;
    std::vector<Fallback> fallbacks;
    std::string fallback_bytes;
    size_t max_record = 0;
    size_t batch_limit = 0;

    uint8_t *arena = nullptr;
    size_t capacity = 0;
    // First free byte for unescaped text.
    size_t side = 0;

    std::unique_ptr<simdjson::internal::dom_parser_implementation> index;
    size_t index_capacity = 0;

    size_t row_capacity = 0;
    std::vector<uint8_t *> states;
    std::vector<void *> values;
    uint8_t *errors = nullptr;
    uint32_t *offsets = nullptr;
    bool has_local_times = false;
    bool out_of_memory = false;

    ~weir_decoder() {
        std::free(arena);
        free_columns();
    }

    void free_columns() {
        for (auto &p : states) { std::free(p); p = nullptr; }
        for (auto &p : values) { std::free(p); p = nullptr; }
        std::free(errors);
        std::free(offsets);
        errors = nullptr;
        offsets = nullptr;
        row_capacity = 0;
    }

    bool reserve_rows(size_t n) {
        if (n <= row_capacity) return true;
        const size_t rows = rounded_up(n, 256);
        free_columns();
        bool ok = true;
        for (size_t c = 0; c < kinds.size(); c++) {
            states[c] = static_cast<uint8_t *>(std::calloc(rows, 1));
            values[c] = std::calloc(rows, value_size(kinds[c]));
            ok = ok && states[c] && values[c];
        }
        errors = static_cast<uint8_t *>(std::calloc(rows, 1));
        offsets = static_cast<uint32_t *>(std::calloc(rows, sizeof(uint32_t)));
        if (!ok || !errors || !offsets) {
            free_columns();
            return false;
        }
        row_capacity = rows;
        return true;
    }

    bool resize_arena(size_t size) {
        auto *bigger = static_cast<uint8_t *>(std::realloc(arena, size));
        if (!bigger) return false;
        arena = bigger;
        capacity = size;
        return true;
    }

    bool reserve_arena(size_t need) {
        if (need > capacity) return resize_arena(rounded_up(need, 64 << 10));
        if (capacity > retained_arena && need <= capacity / 4) return resize_arena(rounded_up(need, retained_arena));
        return true;
    }

    bool reserve_index(size_t longest) {
        const bool small = longest > index_capacity;
        const bool outsized = index_capacity > retained_document && longest <= index_capacity / 4;
        if (!small && !outsized) return true;
        const size_t size = rounded_up(longest, outsized ? retained_document : 16 << 10);
        index_capacity = 0;
        index.reset();
        if (simdjson::get_active_implementation()->create_dom_parser_implementation(size, 1, index) != simdjson::SUCCESS) {
            return false;
        }
        index_capacity = size;
        return true;
    }

    template <bool Escapes>
    bool walk(const uint8_t *doc, size_t row) {
        const weir::Columns columns{kinds.data(), states.data(), values.data()};
        weir::Walk<Escapes> walk{doc, index->structural_indexes.get(), columns, row, arena, arena + side};
        const bool ok = walk.document(root);
        side = size_t(walk.side - arena);
        has_local_times |= walk.has_local_times;
        return ok;
    }

    bool decode_row(size_t row, size_t length) {
        const uint8_t *doc = arena + offsets[row];
        if (length >= 3 && std::memcmp(doc, "\xEF\xBB\xBF", 3) == 0) {
            doc += 3;
            length -= 3;
        }
        if (length == 0) return false;
        if (index->stage1(doc, length, simdjson::stage1_mode::regular) != simdjson::SUCCESS) return false;
        uint32_t *tokens = index->structural_indexes.get();
        const size_t count = index->n_structural_indexes;
        tokens[count] = uint32_t(length);
        tokens[count + 1] = uint32_t(length);
        if (!std::memchr(doc, '\\', length)) return walk<false>(doc, row);
        if (side + length + padding > capacity) {
            const size_t from = size_t(doc - arena);
            if (!resize_arena(rounded_up(side + length + padding, capacity * 2))) {
                out_of_memory = true;
                return false;
            }
            doc = arena + from;
        }
        return walk<true>(doc, row);
    }

    void apply_fallbacks(size_t n) {
        for (const Fallback &f : fallbacks) {
            uint8_t *state = states[f.column];
            void *value = values[f.column];
            const uint32_t kind = kinds[f.column];
            for (size_t i = 0; i < n; i++) {
                if (state[i] != WEIR_MISSING && state[i] != WEIR_NULL) continue;
                if (errors[i]) continue;
                state[i] = WEIR_OK;
                switch (kind) {
                case WEIR_STRING: case WEIR_JSON: static_cast<weir_slice *>(value)[i] = f.slice; break;
                case WEIR_DOUBLE: static_cast<double *>(value)[i] = f.number; break;
                case WEIR_UUID: static_cast<weir_uuid *>(value)[i] = f.uuid; break;
                default: static_cast<int64_t *>(value)[i] = f.int64; break;
                }
            }
        }
    }

    size_t decode(const void *const *payloads, const size_t *lengths, const uint8_t *skip, size_t n) {
        const size_t prefix = fallback_bytes.size() + padding;
        size_t used = prefix, longest = 0, rows = 0;
        for (; rows < n; rows++) {
            if (skip && skip[rows]) continue;
            const size_t length = payloads[rows] ? lengths[rows] : 0;
            if (length > max_record) continue;
            if (rows > 0 && used + length + 1 > prefix + batch_limit) break;
            used += length + 1;
            if (length > longest) longest = length;
        }
        if (!reserve_rows(rows) || !reserve_arena(used + 2 * padding) || !reserve_index(longest)) return 0;
        std::memcpy(arena, fallback_bytes.data(), fallback_bytes.size());
        std::memset(arena + fallback_bytes.size(), 0, padding);
        for (size_t c = 0; c < kinds.size(); c++) std::memset(states[c], WEIR_MISSING, rows);
        std::memset(errors, 0, rows);
        has_local_times = false;
        out_of_memory = false;

        size_t end = prefix;
        for (size_t i = 0; i < rows; i++) {
            if (skip && skip[i]) continue;
            const size_t length = payloads[i] ? lengths[i] : 0;
            if (length > max_record) continue;
            offsets[i] = uint32_t(end);
            std::memcpy(arena + end, payloads[i] ? payloads[i] : "", length);
            end += length;
            arena[end++] = 0;
        }
        std::memset(arena + end, 0, padding);
        side = end + padding;

        for (size_t i = 0; i < rows; i++) {
            const size_t length = payloads[i] ? lengths[i] : 0;
            const bool skipped = skip && skip[i];
            if (!skipped && length <= max_record && decode_row(i, length)) continue;
            if (out_of_memory) return 0;
            // A condition over a whole column must find nothing in a row that holds nothing of this call.
            errors[i] = !skipped;
            for (size_t c = 0; c < kinds.size(); c++) states[c][i] = WEIR_MISSING;
        }
        apply_fallbacks(rows);
        return rows;
    }
};

weir_decoder *weir_decoder_create(const weir_field *fields, size_t count, size_t max_record) try {
    if (max_record > largest_record) return nullptr;
    auto decoder = std::make_unique<weir_decoder>();
    decoder->max_record = max_record;
    decoder->batch_limit = max_record + 1 > batch_bytes ? max_record + 1 : batch_bytes;
    decoder->root.memory = std::make_unique<weir::RememberedKey[]>(weir::Node::positions);
    for (size_t c = 0; c < count; c++) {
        const weir_field &field = fields[c];
        if (field.segment_count == 0 || field.segment_count > WEIR_PATH_LIMIT) return nullptr;
        weir::Node *node = &decoder->root;
        for (size_t s = 0; s < field.segment_count; s++) {
            if (s > 0) node->below.push_back(uint32_t(c));
            node = node->child(field.segments[s], field.segment_lengths[s]);
        }
        node->columns.push_back(uint32_t(c));
        if (field.kind == WEIR_STRING || field.kind == WEIR_UUID || field.kind >= WEIR_TIME_TEXT) node->wants_text = true;
        decoder->kinds.push_back(field.kind);
        if (field.has_fallback) {
            const weir_slice slice{uint32_t(decoder->fallback_bytes.size()), uint32_t(field.fallback_length)};
            if (field.fallback_length > 0) {
                decoder->fallback_bytes.append(static_cast<const char *>(field.fallback_bytes), field.fallback_length);
            }
            decoder->fallbacks.push_back(
                {uint32_t(c), field.fallback_int64, field.fallback_double, field.fallback_uuid, slice});
        }
    }
    decoder->states.assign(count, nullptr);
    decoder->values.assign(count, nullptr);
    return decoder.release();
} catch (const std::bad_alloc &) {
    return nullptr;
}

void weir_decoder_free(weir_decoder *decoder) { delete decoder; }

size_t weir_decode(weir_decoder *decoder, const void *const *payloads, const size_t *lengths, const uint8_t *skip, size_t n) {
    return decoder->decode(payloads, lengths, skip, n);
}

const uint8_t *weir_errors(const weir_decoder *decoder) { return decoder->errors; }
uint8_t *const *weir_states(const weir_decoder *decoder) { return decoder->states.data(); }
void *const *weir_values(const weir_decoder *decoder) { return decoder->values.data(); }
const uint8_t *weir_arena(const weir_decoder *decoder) { return decoder->arena; }
uint8_t weir_has_local_times(const weir_decoder *decoder) { return decoder->has_local_times ? 1 : 0; }

size_t weir_memory(const weir_decoder *decoder) {
    size_t rows = decoder->row_capacity * 5;
    for (const uint32_t kind : decoder->kinds) rows += decoder->row_capacity * (1 + value_size(kind));
    return decoder->capacity + decoder->index_capacity * sizeof(uint32_t) + rows;
}
