/// The page at `/`: one HTML text with its style and script in it. It loads nothing but `/status.json`, and sets texts only as
/// text, so that nothing that a record or a topology says can become markup.
enum StatusPage {
    static let bytes = Array((head + style + "</style>\n" + body + "<script>\n" + script + "</script>\n</body>\n</html>\n").utf8)

    static let policy =
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static let head = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Weir</title>
        <link rel="icon" href="data:,">
        <style>

        """#

    private static let body = #"""
        </head>
        <body>
        <header>
        <h1 id="topology">Weir</h1>
        <span id="state" class="badge" role="status">connecting</span>
        <span id="broker" class="badge" hidden></span>
        <span id="uptime" class="quiet"></span>
        <span class="grow"></span>
        <time id="now" class="quiet number"></time>
        </header>
        <p id="alarm" class="alarm" role="alert" hidden></p>
        <main>
        <section aria-labelledby="outputs-title">
        <h2 id="outputs-title">Freshness</h2>
        <div id="outputs" class="cards"></div>
        </section>
        <section aria-labelledby="clocks-title">
        <h2 id="clocks-title">Clocks</h2>
        <div id="clocks" class="cards small"></div>
        <p id="watermark" class="line"></p>
        </section>
        <section aria-labelledby="flow-title">
        <h2 id="flow-title">Lately</h2>
        <div class="pair">
        <figure><figcaption>records/s <b id="rate" class="number"></b></figcaption>
        <svg id="rate-line" class="spark" viewBox="0 0 300 48" preserveAspectRatio="none" role="img" aria-label="records per second; at most the last five minutes"></svg></figure>
        <figure><figcaption>watermark lag <b id="lag" class="number"></b></figcaption>
        <svg id="lag-line" class="spark" viewBox="0 0 300 48" preserveAspectRatio="none" role="img" aria-label="watermark lag; at most the last five minutes"></svg></figure>
        </div>
        </section>
        <section aria-labelledby="books-title">
        <h2 id="books-title">Books <span id="sum" class="quiet number"></span></h2>
        <div id="bar" class="bar" role="img"></div>
        <ul id="legend" class="legend"></ul>
        <p id="beside" class="line quiet"></p>
        </section>
        <section aria-labelledby="partitions-title">
        <h2 id="partitions-title">Partitions <span id="partition-count" class="quiet"></span></h2>
        <div class="scroll" tabindex="0" role="region" aria-labelledby="partitions-title"><table>
        <thead><tr><th scope="col">partition</th><th scope="col">state</th><th scope="col" class="right">lag</th><th scope="col" class="right">queue age</th><th scope="col" class="right">behind now</th><th scope="col" class="right">next offset</th><th scope="col" class="right">read</th><th scope="col" class="right">duplicate</th><th scope="col" class="right">late</th><th scope="col" class="right">rejected</th></tr></thead>
        <tbody id="partitions"></tbody></table></div>
        </section>
        <div class="pair">
        <section aria-labelledby="dead-title">
        <h2 id="dead-title">Dead letters</h2>
        <table><tbody id="dead"></tbody></table>
        </section>
        <section aria-labelledby="commits-title">
        <h2 id="commits-title">Commits and state</h2>
        <table><tbody id="commits"></tbody></table>
        </section>
        </div>
        <section aria-labelledby="rows-title">
        <h2 id="rows-title">Latest rows</h2>
        <div class="scroll" tabindex="0" role="region" aria-labelledby="rows-title"><table>
        <thead><tr><th scope="col">output</th><th scope="col">window (UTC)</th><th scope="col">group</th><th scope="col">measures</th><th scope="col" class="right">revision</th><th scope="col">state</th></tr></thead>
        <tbody id="rows"></tbody></table></div>
        </section>
        </main>
        <footer><span id="version"></span> · <a href="metrics">metrics</a> · <a href="status.json">status.json</a> · <a href="status.txt">status.txt</a> · <a href="ready">ready</a></footer>

        """#
}
