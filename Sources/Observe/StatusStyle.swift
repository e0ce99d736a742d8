extension StatusPage {
    /// Colours are chosen for 4.5:1 against their ground in both schemes; state is told by words too, never by colour alone.
    static let style = #"""
        :root {
          --ground: #f6f7f9; --card: #ffffff; --line: #d9dee5; --text: #16202c; --quiet: #566374; --accent: #1f5fbf;
          --good: #13703f; --good-ground: #e2f4e9; --bad: #b3261e; --bad-ground: #fdeaea; --warn: #8a5300; --warn-ground: #fdf1dc;
          --plain-ground: #e9edf2;
          --aggregated: #2f7d5b; --filtered: #8693a3; --duplicate: #3f74c8; --late: #d08a1b; --rejected: #c2392f;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ground: #0f141a; --card: #171e26; --line: #2b3540; --text: #e6ebf1; --quiet: #9aa8b8; --accent: #7fb0ff;
            --good: #6fd39c; --good-ground: #12301f; --bad: #ff8f87; --bad-ground: #3a1715; --warn: #f0b455; --warn-ground: #35260c;
            --plain-ground: #232d38;
            --aggregated: #3f9b73; --filtered: #6b7886; --duplicate: #5a8fe0; --late: #dc9a32; --rejected: #dd5349;
          }
        }
        * { box-sizing: border-box; }
        [hidden] { display: none !important; }
        body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
        header, main, footer, .alarm { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
        header { display: flex; flex-wrap: wrap; align-items: center; gap: 10px; padding-top: 16px; }
        h1 { font-size: 20px; margin: 0; overflow-wrap: anywhere; }
        h2 { font-size: 12px; text-transform: uppercase; letter-spacing: .06em; color: var(--quiet); margin: 20px 0 8px; font-weight: 600; }
        h2 .number, h2 .quiet { text-transform: none; letter-spacing: 0; font-weight: 400; }
        .grow { flex: 1; }
        .quiet { color: var(--quiet); }
        .number, td, .big { font-variant-numeric: tabular-nums; }
        .badge { border-radius: 10px; padding: 1px 9px; font-size: 12px; font-weight: 600; background: var(--plain-ground); color: var(--quiet); white-space: nowrap; }
        .badge.good { background: var(--good-ground); color: var(--good); }
        .badge.bad { background: var(--bad-ground); color: var(--bad); }
        .badge.warn { background: var(--warn-ground); color: var(--warn); }
        .alarm { background: var(--bad-ground); color: var(--bad); border: 1px solid var(--bad); border-radius: 6px; padding: 8px 14px; margin-top: 12px; max-width: 1140px; white-space: pre-line; }
        .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 12px; }
        .cards.small { grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
        .card { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--filtered); border-radius: 6px; padding: 10px 14px; min-width: 0; }
        .card.good { border-left-color: var(--good); }
        .card.bad { border-left-color: var(--bad); }
        .small .card { border-left-width: 1px; border-left-color: var(--line); }
        .card .name { display: flex; justify-content: space-between; gap: 8px; align-items: center; font-weight: 600; overflow-wrap: anywhere; }
        .card .big { font-size: 28px; font-weight: 600; line-height: 1.25; }
        .small .card .big { font-size: 20px; }
        .card .big .target { font-size: 13px; font-weight: 400; color: var(--quiet); }
        .small .card .name { font-weight: 400; color: var(--quiet); }
        .card.bad .big { color: var(--bad); }
        .card .why { color: var(--bad); margin: 2px 0 0; overflow-wrap: anywhere; }
        .card dl { display: grid; grid-template-columns: auto 1fr; gap: 0 10px; margin: 6px 0 0; font-size: 12px; color: var(--quiet); }
        .card dd { margin: 0; text-align: right; color: var(--text); font-variant-numeric: tabular-nums; }
        .line { margin: 8px 0 0; overflow-wrap: anywhere; }
        .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 12px 20px; }
        figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 8px 14px; min-width: 0; }
        figcaption { display: flex; justify-content: space-between; color: var(--quiet); font-size: 12px; }
        figcaption b { color: var(--text); }
        .spark { display: block; width: 100%; height: 48px; margin-top: 4px; }
        .spark path { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
        .spark path.under { fill: var(--accent); fill-opacity: .14; stroke: none; }
        .bar { display: flex; height: 26px; border-radius: 6px; overflow: hidden; background: var(--plain-ground); }
        .bar span { display: block; min-width: 3px; }
        .legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 8px 0 0; padding: 0; }
        .legend li { white-space: nowrap; }
        .legend b { font-variant-numeric: tabular-nums; margin-left: 4px; }
        .legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
        .aggregated { background: var(--aggregated); } .filtered { background: var(--filtered); } .duplicate { background: var(--duplicate); }
        .late { background: var(--late); } .rejected { background: var(--rejected); }
        table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line); }
        .scroll { overflow-x: auto; }
        th { font-weight: 600; color: var(--quiet); font-size: 12px; text-align: left; white-space: nowrap; }
        th, td { padding: 4px 10px; border-top: 1px solid var(--line); vertical-align: top; }
        thead th { border-top: 0; }
        td.right, th.right { text-align: right; }
        td.tight { white-space: nowrap; }
        td.note { color: var(--bad); border-top: 0; padding-top: 0; }
        .one { display: inline-block; margin-right: 14px; overflow-wrap: anywhere; }
        footer { padding: 20px; color: var(--quiet); font-size: 12px; }
        a { color: var(--accent); }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
        @media (max-width: 480px) { header, main, footer { padding-left: 12px; padding-right: 12px; } }

        """#
}
