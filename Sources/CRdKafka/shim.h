#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* One record with copied key, value and headers; Swift can't fill the union of rd_kafka_produceva cheaply. A null value is a
 * tombstone, a null key none, a timestamp of 0 "now"; partition -1 lets the partitioner choose. */
static inline rd_kafka_resp_err_t weir_produce(
    rd_kafka_t *rk, rd_kafka_topic_t *rkt, int32_t partition, int64_t timestamp, const void *key, size_t key_size,
    const void *value, size_t value_size, void *opaque, const char *const *header_names, const void *const *header_values,
    const size_t *header_sizes, size_t headers) {
    rd_kafka_vu_t vus[8];
    size_t n = 0;
    vus[n].vtype = RD_KAFKA_VTYPE_RKT; vus[n++].u.rkt = rkt;
    vus[n].vtype = RD_KAFKA_VTYPE_PARTITION; vus[n++].u.i32 = partition;
    vus[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS; vus[n++].u.i = RD_KAFKA_MSG_F_COPY;
    vus[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP; vus[n++].u.i64 = timestamp;
    vus[n].vtype = RD_KAFKA_VTYPE_KEY; vus[n].u.mem.ptr = (void *)key; vus[n++].u.mem.size = key_size;
    vus[n].vtype = RD_KAFKA_VTYPE_VALUE; vus[n].u.mem.ptr = (void *)value; vus[n++].u.mem.size = value_size;
    vus[n].vtype = RD_KAFKA_VTYPE_OPAQUE; vus[n++].u.ptr = opaque;
    // Headers of our own making: those given one by one are freed twice when the topic does not exist (librdkafka issue 4627).
    rd_kafka_headers_t *made = headers ? rd_kafka_headers_new(headers) : NULL;
    for (size_t i = 0; i < headers; i++)
        rd_kafka_header_add(made, header_names[i], -1, header_values[i], (ssize_t)header_sizes[i]);
    if (made) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADERS; vus[n++].u.headers = made;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(rk, vus, n);
    if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    // After a failure they are still ours.
    if (made) rd_kafka_headers_destroy(made);
    return code;
}

/* Whether the producer takes records now: not before a transaction has begun, nor after it or the producer has failed. An empty record
 * is refused in any case, and so sends nothing. */
static inline int weir_takes_records(rd_kafka_t *rk) {
    rd_kafka_error_t *error = rd_kafka_produceva(rk, NULL, 0);
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    int fatal = rd_kafka_error_is_fatal(error);
    if (error) rd_kafka_error_destroy(error);
    return !fatal && code != RD_KAFKA_RESP_ERR__STATE;
}
