#pragma once
/*
 * A batch of JSON documents to typed columns. simdjson finds the structure of each document (and checks UTF-8 and control
 * characters); the walk over it is our own, because every document is validated to its end, also where no field is declared.
 *
 * One thread at a time uses a decoder. Columns, slices and the arena are the decoder's and valid until its next call.
 * After the first batches nothing is allocated unless a batch is larger than all before it.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_kind {
    WEIR_STRING = 0,
    WEIR_INT = 1,
    WEIR_DOUBLE = 2,
    WEIR_BOOL = 3,
    WEIR_UUID = 4,
    WEIR_JSON = 5,
    WEIR_TIME_SECONDS = 6,
    WEIR_TIME_MILLISECONDS = 7,
    WEIR_TIME_MICROSECONDS = 8,
    WEIR_TIME_NANOSECONDS = 9,
    /* Text that states no zone is a bad time. */
    WEIR_TIME_TEXT = 10,
    /* Text that states no zone gets the state WEIR_LOCAL_TIME. */
    WEIR_TIME_TEXT_LOCAL = 11,
};

enum weir_state {
    WEIR_MISSING = 0,
    WEIR_OK = 1,
    WEIR_WRONG_TYPE = 2,
    WEIR_NULL = 3,
    WEIR_BAD_TIME = 4,
    /* The column holds milliseconds of a clock in an unstated zone: the caller converts them and sets WEIR_OK. */
    WEIR_LOCAL_TIME = 5,
};

/* Path segments a field may have, and depth a document may have. */
#define WEIR_PATH_LIMIT 64
#define WEIR_DEPTH_LIMIT 1024
/* Numeric times farther than this from 1970, in ms, are bad: sums of a time and any two spans stay in range. */
#define WEIR_TIME_LIMIT INT64_C(2305843009213693951)

typedef struct {
    uint32_t offset;
    uint32_t length;
} weir_slice;

typedef struct {
    uint64_t high;
    uint64_t low;
} weir_uuid;

typedef struct {
    const char *const *segments;
    const size_t *segment_lengths;
    size_t segment_count;
    uint32_t kind;
    /* A missing or null value becomes this one: whichever member fits the kind. */
    uint8_t has_fallback;
    int64_t fallback_int64;
    double fallback_double;
    weir_uuid fallback_uuid;
    const void *fallback_bytes;
    size_t fallback_length;
} weir_field;

typedef struct weir_decoder weir_decoder;

/* NULL without memory, with a path that is empty or longer than WEIR_PATH_LIMIT, or max_record above 1 GiB. */
weir_decoder *weir_decoder_create(const weir_field *fields, size_t count, size_t max_record);
void weir_decoder_free(weir_decoder *decoder);

/*
 * Decodes rows from the first on and returns how many: fewer than n where the rest does not fit into the arena (whose
 * bound is max_record or 16 MiB, whichever is more), at least 1 unless memory ran out (0). Rows with skip[i] != 0 are not
 * read and WEIR_MISSING in all columns; skip may be NULL. Row i of the columns is row i of this call. A record longer than max_record that is not
 * skipped is undecodable.
 */
size_t weir_decode(weir_decoder *decoder, const void *const *payloads, const size_t *lengths, const uint8_t *skip, size_t n);

/* Per row: 0, or 1 for undecodable (then all its states are WEIR_MISSING). */
const uint8_t *weir_errors(const weir_decoder *decoder);
/* Per column, then per row: weir_state. */
uint8_t *const *weir_states(const weir_decoder *decoder);
/* Per column, then per row: int64_t (int, bool as 0 and 1, times in ms), double, weir_uuid or weir_slice. Only where OK. */
void *const *weir_values(const weir_decoder *decoder);
/* Base of all slices; every slice is readable 16 bytes past its end. */
const uint8_t *weir_arena(const weir_decoder *decoder);
/* Rows of the column in state WEIR_LOCAL_TIME since the call began may exist. */
uint8_t weir_has_local_times(const weir_decoder *decoder);
/* Bytes of memory held now. */
size_t weir_memory(const weir_decoder *decoder);

/* Milliseconds since 1970 of an RFC 3339 text: WEIR_OK, WEIR_LOCAL_TIME or WEIR_BAD_TIME. */
uint8_t weir_parse_time(const char *text, size_t length, int64_t *milliseconds);
/* 1 if the text is a UUID: 8-4-4-4-12 in any case, also in braces or after urn:uuid:. */
uint8_t weir_parse_uuid(const char *text, size_t length, weir_uuid *uuid);
/* The first place of what in text, or NULL; the time grows with the sum of both lengths. (Glibc's module hides memmem.) */
const uint8_t *weir_find(const uint8_t *text, size_t length, const uint8_t *what, size_t what_length);

#ifdef __cplusplus
}
#endif
