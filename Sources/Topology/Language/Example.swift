/// A short example of each section, at its place in a file. Each can be laid over a topology that has the fields of the first.
enum Example {
    static let topology = """
        name: orders
        owner: shop
        source: {topics: [shop.orders]}
        fields:
          order_id: {type: uuid, required: true}
          ts:       {type: timestamp, unit: ms, required: true}
          country:  {type: string, default: unknown}
          cents:    {type: int}
        event_time: {field: ts, out_of_orderness: 1m}
        filter: cents IS NULL OR cents >= 0
        deduplicate: {key: [order_id], within: 1h}
        aggregates:
          orders_per_minute:
            window: {tumbling: 1m}
            group_by: [country]
            measures: {orders: count(), revenue: sum(cents)}
        """
    static let kafka = """
        kafka:
          bootstrap: ${KAFKA_BOOTSTRAP:-localhost:9092}
        """
    static let tls = """
        kafka:
          tls: {ca: /etc/ssl/brokers.pem, certificate: /etc/ssl/weir.pem, key: /etc/ssl/weir.key}
        """
    static let sasl = """
        kafka:
          sasl: {mechanism: scram-sha-512, user: weir, password: "${KAFKA_PASSWORD}"}
        """
    static let client = """
        kafka:
          client: {client.rack: eu-1a, fetch.wait.max.ms: 50}
        """
    static let source = """
        source:
          topics: [shop.orders, shop.returns]
          start: 2026-01-01T00:00:00Z
          keyed_by: [country]
        """
    static let generator = """
        source:
          generator: {rate: 2000/s, seed: 7, partitions: 4, events: 100000}
        """
    static let field = """
        fields:
          customer: {type: string, path: buyer.id, class: personal}
          placed:   {type: timestamp, zone: Europe/Berlin, path: buyer.placed_at}
          euros:    {expr: cents / 100.0}
        check: {accept: [unused_field]}
        """
    static let eventTime = """
        event_time: {field: ts, out_of_orderness: 5m, idle_after: 1m, max_future: 1m}
        """
    static let deduplicate = """
        deduplicate: {key: [order_id, ts], within: 24h, bucket: 30m}
        """
    static let compare = """
        deduplicate:
          compare: {ignore: [country]}
        """
    static let duplicates = """
        deduplicate: {duplicates: {topic: shop.copies}}
        """
    static let copyLedger = """
        deduplicate: {duplicates: {ledger: {keep: 7d}}}
        """
    static let aggregate = """
        aggregates:
          large_orders:
            window: {tumbling: 1h}
            allowed_lateness: 10m
            where: cents > 10000
            group_by: [country]
            measures:
              orders: count()
              german: count() where country = 'DE'
              usual_cents: quantile(cents, 0.5)
            emit: on_time
        deduplicate: {within: 2h}
        """
    static let window = """
        aggregates:
          orders_per_minute:
            window: {hopping: 10m, every: 1m}
          orders_per_day:
            window: {calendar: day, zone: Europe/Berlin}
            measures: {orders: count(), revenue: sum(cents)}
          visits:
            window: {session: 30m}
            group_by: [country]
            measures: {orders: count()}
        deduplicate: {within: 26h}
        """
    static let emit = """
        aggregates:
          orders_per_minute:
            emit: {every: 10s}
        """
    static let target = """
        aggregates:
          orders_per_minute:
            to:
              - table: orders_per_minute
              - kafka: {topic: shop.orders-per-minute}
        """
    static let kafkaTarget = """
        aggregates:
          orders_per_minute:
            to: [{kafka: {topic: shop.orders-per-minute}}]
        """
    static let tableTarget = """
        aggregates:
          orders_per_minute:
            to: [{table: {name: orders_per_minute, keep: 400d}}]
        """
    static let freshness = """
        aggregates:
          orders_per_minute:
            freshness: {within: 5m, objective: 99%, hours: "Mon-Fri 08:00-20:00 Europe/Berlin"}
        """
    static let late = """
        late: {ledger: {keep: 90d}}
        """
    static let ledger = late
    static let deadLetters = """
        dead_letters: {topic: shop.dead-letters}
        """
    static let deadTable = """
        dead_letters: {table: {keep: 7d, limit: 256MiB}}
        """
    static let commit = """
        commit: {every: 1s}
        """
    static let state = """
        state: {directory: "${WEIR_STATE:-./state}", memory: 2GiB}
        """
    static let http = """
        http: {listen: 127.0.0.1:8080}
        """
    static let check = """
        deduplicate: {within: 30s}
        check: {accept: [late_copies]}   # copies come within seconds
        """
}
