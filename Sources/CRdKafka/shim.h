#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* One record with copied key, value and headers; Swift can't fill the union of rd_kafka_produceva cheaply. A null value is a
 * tombstone, a null key none, a timestamp of 0 "now"; partition -1 lets the partitioner choose. */
static inline rd_kafka_resp_err_t weir_produce(
    rd_kafka_t *rk, rd_kafka_topic_t *rkt, int32_t partition, int64_t timestamp, const void *key, size_t key_size,
    const void *value, size_t value_size, void *opaque, const char *const *header_names, const void *const *header_values,
    const size_t *header_sizes, size_t headers) {
    enum { fixed = 7, most_headers = 16 };
    rd_kafka_vu_t vus[fixed + most_headers];
    size_t n = 0;
    if (headers > most_headers) return RD_KAFKA_RESP_ERR__INVALID_ARG;
    vus[n].vtype = RD_KAFKA_VTYPE_RKT; vus[n++].u.rkt = rkt;
    vus[n].vtype = RD_KAFKA_VTYPE_PARTITION; vus[n++].u.i32 = partition;
    vus[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS; vus[n++].u.i = RD_KAFKA_MSG_F_COPY;
    vus[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP; vus[n++].u.i64 = timestamp;
    vus[n].vtype = RD_KAFKA_VTYPE_KEY; vus[n].u.mem.ptr = (void *)key; vus[n++].u.mem.size = key_size;
    vus[n].vtype = RD_KAFKA_VTYPE_VALUE; vus[n].u.mem.ptr = (void *)value; vus[n++].u.mem.size = value_size;
    vus[n].vtype = RD_KAFKA_VTYPE_OPAQUE; vus[n++].u.ptr = opaque;
    for (size_t i = 0; i < headers; i++) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADER;
        vus[n].u.header.name = header_names[i];
        vus[n].u.header.val = header_values[i];
        vus[n++].u.header.size = (ssize_t)header_sizes[i];
    }
    rd_kafka_error_t *error = rd_kafka_produceva(rk, vus, n);
    if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}
