/// Topologies that the binary carries, so that a first look works in any directory. Each is a file of `topologies/`, letter by letter.
enum BuiltInTopologies {
    static let demo = #"""
        # The first minute with Weir: made-up telemetry in, three aggregates out, everything in one directory. No Kafka needed.
        name: demo
        owner: you
        description: What is used, where, and how fast – live.

        source:
          generator: {rate: 2000/s, seed: 1}

        fields:
          event_id:    {type: uuid, required: true}
          event:       {type: string, required: true}
          ts:          {type: timestamp, unit: ms, required: true}
          country:     {type: string, default: unknown}
          platform:    {type: string, default: unknown}
          duration_ms: {type: double}

        event_time: {field: ts, out_of_orderness: 5s}

        deduplicate: {key: [event_id], within: 10m}

        aggregates:
          usage_per_10s:                # one row per event and ten seconds, corrected when late events come
            window: {tumbling: 10s}
            allowed_lateness: 6m
            group_by: [event]
            measures:
              events: count()
              mean_ms: avg(duration_ms)
              slowest_ms: max(duration_ms)
            emit: {every: 2s}
            to:
              - table: {name: usage_per_10s, keep: 1d}
            freshness: {within: 30s}

          countries_per_minute:
            window: {tumbling: 1m}
            allowed_lateness: 6m
            group_by: [country]
            measures:
              events: count()
              checkouts: count() where event = 'checkout'
            emit: on_time
            to:
              - table: {name: countries_per_minute, keep: 7d}

          platforms_last_5m:            # a new window every 30 s, each five minutes long
            window: {hopping: 5m, every: 30s}
            allowed_lateness: 1m
            group_by: [platform]
            measures:
              events: count()
              mean_ms: avg(duration_ms)
              spread_ms: stddev(duration_ms)
            emit: on_time
            to:
              - table: {name: platforms_last_5m, keep: 1d}

        state: {directory: ./state/demo}

        http: {listen: 127.0.0.1:8080}

        """#

    static let reference = #"""
        # The reference job: drop copies of an event, then count, sum and greatest duration per event and country, minute by minute.
        # `weir generate` makes its traffic; `make bench` runs it.
        name: reference
        owner: bench
        description: Copies dropped within ten minutes; count, sum and max of durations per event, country and minute.

        kafka:
          bootstrap: ${KAFKA_BOOTSTRAP:-localhost:9092}

        source:
          topics: [events]

        fields:
          event_id:    {type: uuid, required: true}
          event:       {type: string, required: true}
          ts:          {type: timestamp, unit: ms, required: true}
          country:     {type: string, required: true}
          duration_ms: {type: double, required: true}

        event_time: {field: ts, out_of_orderness: 2m}

        deduplicate: {key: [event_id], within: 10m}

        aggregates:
          durations:
            window: {tumbling: 1m}
            allowed_lateness: 30m
            group_by: [event, country]
            measures:
              events: count()
              total_ms: sum(duration_ms)
              slowest_ms: max(duration_ms)
            to:
              - table: durations

        check:
          accept: [late_copies]         # copies come within seconds; ten minutes hold them all

        """#
}
