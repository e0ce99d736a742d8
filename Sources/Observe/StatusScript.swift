extension StatusPage {
    /// Asks for `/status.json` each second and redraws; keeps five minutes of history in the page for the two lines.
    static let script = #"""
        "use strict";
        const byID = id => document.getElementById(id);
        const history = [];
        const keep = 300;
        let last = null;

        /* An element with a class, and children that are texts or elements. Texts stay texts. */
        function make(tag, className, ...children) {
          const element = document.createElement(tag);
          if (className) element.className = className;
          for (const child of children) element.append(child instanceof Node ? child : String(child));
          return element;
        }
        const cell = (text, className) => make("td", className, text);
        const count = n => n == null ? "–" : n.toLocaleString("en-US");

        function span(ms) {
          if (ms == null) return "–";
          const sign = ms < 0 ? "-" : "", size = Math.abs(ms), s = Math.floor(size / 1000);
          if (size < 1000) return sign + size + " ms";
          if (s < 60) return sign + (Math.floor(size / 100) / 10).toFixed(1) + " s";
          if (s < 3600) return sign + Math.floor(s / 60) + "m " + s % 60 + "s";
          if (s < 86400) return sign + Math.floor(s / 3600) + "h " + Math.floor(s / 60) % 60 + "m";
          return sign + Math.floor(s / 86400) + "d " + Math.floor(s / 3600) % 24 + "h";
        }
        function utc(ms) {
          if (ms == null) return "–";
          const date = new Date(ms);
          return isNaN(date) ? String(ms) : date.toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
        }
        const clock = ms => utc(ms).slice(-9, -1);
        function bytes(n) {
          if (n == null) return "–";
          for (const unit of ["B", "KiB", "MiB", "GiB"]) {
            if (Math.abs(n) < 1024) return (unit === "B" ? n : n.toFixed(1)) + " " + unit;
            n /= 1024;
          }
          return n.toFixed(1) + " TiB";
        }
        function badge(element, text, kind) {
          element.textContent = text;
          element.className = "badge " + kind;
          element.hidden = false;
        }

        const verdicts = {
          fresh: ["fresh", "good"], late: ["late", "bad"], untargeted: ["no target", ""], nothing_yet: ["nothing yet", ""],
          ended: ["ended", ""],
        };
        const marks = { caught_up: ["caught up", "good"], behind: ["behind", "warn"], idle: ["idle", ""], stopped: ["stopped", "bad"] };

        function head(s) {
          document.title = (s.outputs.some(o => o.verdict === "late") ? "late · " : "") + s.topology + " · Weir";
          byID("topology").textContent = s.topology;
          badge(byID("state"), s.state, s.ready ? "good" : s.state === "waiting" ? "bad" : "warn");
          if (s.broker_up != null) badge(byID("broker"), s.broker_up ? "broker up" : "broker away", s.broker_up ? "good" : "bad");
          byID("uptime").textContent = s.started_at == null ? "" : "for " + span(s.now - s.started_at);
          byID("now").textContent = utc(s.now);
          byID("version").textContent = "weir " + s.version;
          const alarm = byID("alarm");
          alarm.hidden = s.fault == null;
          if (s.fault) {
            const text = s.fault.what + (s.fault.place ? " (" + s.fault.place + ")" : "") + "\n" + s.fault.next;
            if (alarm.textContent !== text) alarm.textContent = text;
          }
        }

        function terms(pairs) {
          const list = make("dl");
          for (const [name, value] of pairs) list.append(make("dt", "", name), make("dd", "", value));
          return list;
        }

        function outputs(s) {
          byID("outputs").replaceChildren(...s.outputs.map(o => {
            const [word, kind] = verdicts[o.verdict] || [o.verdict, ""];
            const card = make("div", "card " + kind, make("div", "name", o.name, make("span", "badge " + kind, word)));
            const big = make("div", "big", span(o.freshness_ms));
            if (o.within_ms != null) big.append(make("span", "target", " target " + span(o.within_ms)));
            card.append(big);
            if (o.cause) card.append(make("p", "why", o.cause.words));
            const pairs = [["complete through", utc(o.complete_through)], ["final through", utc(o.final_through)]];
            pairs.push(["rows", count(o.rows_emitted) + (o.rows_waiting ? " (" + count(o.rows_waiting) + " wait)" : "")]);
            pairs.push(["refused as late", count(o.late_refusals)]);
            card.append(terms(pairs));
            return card;
          }));
        }

        function clocks(s) {
          const c = s.clocks;
          const latency = l => l == null ? "–" : span(l.median_ms);
          const rest = l => l == null ? "no row yet" : "99 % within " + span(l.p99_ms);
          const small = (name, big, words) => make("div", "card", make("div", "name", name), make("div", "big", big), make("div", "quiet", words));
          byID("clocks").replaceChildren(
            small("watermark lag", span(c.watermark_lag_ms), "now − watermark"),
            small("event lag", span(c.event_lag_ms), "now − newest event time"),
            small("queue age", span(c.queue_age_ms), "oldest uncommitted"),
            small("latency from event", latency(c.latency_from_event), rest(c.latency_from_event)),
            small("latency from record", latency(c.latency_from_record), rest(c.latency_from_record)));
          byID("watermark").replaceChildren(make("b", "number", "Watermark " + utc(s.watermark.at)), " " + s.watermark.words);
        }

        function line(id, values) {
          const svg = byID(id), known = values.filter(v => v != null);
          svg.replaceChildren();
          if (known.length < 2) return;
          const top = Math.max(...known), bottom = Math.min(0, ...known), height = top - bottom || 1;
          const x = i => 300 - (values.length - 1 - i) * 300 / (Math.max(60, values.length) - 1);
          const y = v => 46 - (v - bottom) / height * 42;
          let path = "", from = null, to = null;
          values.forEach((v, i) => {
            if (v == null) return;
            path += (path ? "L" : "M") + x(i).toFixed(1) + " " + y(v).toFixed(1);
            if (from == null) from = x(i);
            to = x(i);
          });
          const draw = (d, className) => {
            const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
            element.setAttribute("d", d);
            element.setAttribute("class", className);
            svg.append(element);
          };
          draw(path + "L" + to.toFixed(1) + " 48L" + from.toFixed(1) + " 48Z", "under");
          draw(path, "over");
        }

        function lately(s) {
          let rate = null;
          if (last && s.now > last.now && s.books.read >= last.read) rate = (s.books.read - last.read) * 1000 / (s.now - last.now);
          last = { now: s.now, read: s.books.read };
          history.push({ rate: rate, lag: s.clocks.watermark_lag_ms });
          if (history.length > keep) history.shift();
          const shown = s.records_per_second == null ? rate : s.records_per_second;
          byID("rate").textContent = shown == null ? "–" : count(Math.round(shown));
          byID("lag").textContent = span(s.clocks.watermark_lag_ms);
          line("rate-line", history.map(h => h.rate));
          line("lag-line", history.map(h => h.lag));
        }

        const outcomes = ["aggregated", "filtered", "duplicate", "late", "rejected"];
        function share(n, all) {
          if (!all || !n) return n ? "" : "0 %";
          const percent = n / all * 100;
          return percent < 0.01 ? "<0.01 %" : percent.toFixed(percent < 1 ? 2 : 1) + " %";
        }
        function books(s) {
          const b = s.books, bar = byID("bar");
          byID("sum").textContent = count(b.read) + " read " + (b.balances ? "= sum of outcomes ✓" : "≠ SUM OF OUTCOMES");
          byID("sum").className = b.balances ? "quiet number" : "badge bad";
          bar.replaceChildren(...outcomes.filter(o => b[o] > 0).map(o => {
            const part = make("span", o);
            part.style.flex = b[o] + " 0 0";
            part.title = o + " " + count(b[o]);
            return part;
          }));
          bar.setAttribute("aria-label", outcomes.map(o => o + " " + count(b[o])).join(", "));
          byID("legend").replaceChildren(...outcomes.map(o =>
            make("li", "", make("i", o), o, make("b", "", count(b[o])), make("span", "quiet", " " + share(b[o], b.read)))));
          const beside = [["redelivered", b.redelivered], ["unidentified", b.unidentified], ["partly late", b.partly_late],
            ["duplicate observed", b.duplicate_observed],
            ...s.expression_errors.map(e => ["expression errors in " + e.place, e.errors])].filter(p => p[1] > 0);
          byID("beside").textContent = beside.length ? "beside: " + beside.map(p => p[0] + " " + count(p[1])).join(" · ") : "";
          const reasons = Object.entries(b.rejected_by_reason).filter(p => p[1] > 0);
          table("dead", reasons.length ? reasons.map(p => [p[0], count(p[1]), share(p[1], b.read) + " of read"]) : [["none", "", ""]]);
        }

        function table(id, lines) {
          byID(id).replaceChildren(...lines.map(l => make("tr", "", ...l.map((t, i) => cell(t, i ? "right" : "")))));
        }

        function partitions(s) {
          byID("partition-count").textContent = s.partitions.length + (s.watermark.holder_count ? " · " + s.watermark.holder_count + (s.watermark.holder_count === 1 ? " holds" : " hold") + " the watermark" : "");
          const holding = new Set(s.watermark.held_by.map(h => h.topic + "/" + h.partition));
          const lines = [];
          for (const p of [...s.partitions, ...s.rekeyed]) {
            const name = p.topic + "/" + p.partition, [word, kind] = marks[p.mark] || [p.mark, ""];
            const state = make("td", "tight", make("span", "badge " + kind, word));
            if (holding.has(name)) state.append(" ", make("span", "badge warn", "holds"));
            lines.push(make("tr", "", cell(name), state, cell(count(p.lag), "right"), cell(span(p.queue_age_ms), "right"),
              cell(p.watermark == null ? "–" : span(s.now - p.watermark), "right"), cell(p.next_offset, "right"), cell(count(p.books.read), "right"),
              cell(count(p.books.duplicate), "right"), cell(count(p.books.late), "right"), cell(count(p.books.rejected), "right")));
            if (p.fault) {
              const note = cell(p.fault.what + " → " + p.fault.next, "note");
              note.colSpan = 10;
              lines.push(make("tr", "", note));
            }
          }
          byID("partitions").replaceChildren(...lines);
        }

        function commits(s) {
          const c = s.commits, d = c.durations;
          const lines = [
            ["commit", c.number ? count(c.number) + (c.last_at == null ? "" : ", " + span(s.now - c.last_at) + " ago") : "none yet"],
            ["last took", span(c.last_ms) + (d ? " · median " + span(d.median_ms) + " · 99 % " + span(d.p99_ms) : "")],
            ["state", bytes(c.state_bytes) + " + " + bytes(c.wal_bytes) + " log"], ["disk free", bytes(c.free_disk_bytes)],
            ["memory", bytes(s.memory_bytes) + " of " + bytes(s.memory_budget_bytes)],
          ];
          if (s.dedup) lines.push(["dedup keys", count(s.dedup.keys) + " · " + bytes(s.dedup.bytes) + " · for " + span(s.dedup.within_ms)]);
          if (s.dedup && s.dedup.copies.copies + s.dedup.copies.missed_estimate > 0) {
            const c = s.dedup.copies;
            lines.push(["copies", count(c.copies) + " recognised, about " + count(c.missed_estimate) + " not · 99.9 % within " + span(c.horizon_99_9_ms)]);
          }
          if (s.bad_clocks.records > 0) lines.push(["bad clocks", count(s.bad_clocks.records) + " records, up to " + span(s.bad_clocks.ahead_largest_ms) + " ahead"]);
          table("commits", lines);
        }

        function cells(list) {
          const box = make("td");
          for (const c of list) box.append(make("span", "one", make("span", "quiet", c.name + " "), c.text), " ");
          return box;
        }
        function rows(s) {
          if (!s.latest_rows.length) {
            const none = cell("none yet", "quiet");
            none.colSpan = 6;
            byID("rows").replaceChildren(make("tr", "", none));
            return;
          }
          byID("rows").replaceChildren(...s.latest_rows.map(r => make("tr", "", cell(r.output),
            cell(utc(r.window_start).slice(0, -1) + " – " + clock(r.window_end), "tight"), cells(r.group), cells(r.measures),
            cell(r.revision, "right"), make("td", "tight", make("span", "badge " + (r.final ? "good" : ""), r.final ? "final" : "open")))));
        }

        async function poll() {
          try {
            const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(5000) });
            if (!answer.ok) throw new Error("status " + answer.status);
            const status = await answer.json();
            for (const draw of [head, outputs, clocks, lately, books, partitions, commits, rows]) draw(status);
          } catch (error) {
            badge(byID("state"), "no answer", "bad");
            document.title = "no answer · Weir";
          }
          setTimeout(poll, document.hidden ? 5000 : 1000);
        }
        poll();

        """#
}
