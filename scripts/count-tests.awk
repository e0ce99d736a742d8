# Reads swift-testing's event stream (one JSON object a line) and prints, for the wrapper in test.sh:
#   slow SECONDS NAME     the slowest tests: three at most, 5 s at least, waiting for others included
#   lost NAME             each test that started and never ended: the process died in it
#   count PASSED FAILED SKIPPED
# A test with a table of arguments counts once, as it does in swift-testing's own summary.

function name_of(line) {
    if (!match(line, /"testID":"([^"\\]|\\.)*"/)) return ""
    line = substr(line, RSTART + 10, RLENGTH - 11)
    gsub(/\\\//, "/", line)
    return line
}

function instant_of(line) {
    return match(line, /"absolute":[0-9.]+/) ? substr(line, RSTART + 11, RLENGTH - 11) + 0 : 0
}

/^\{"kind":"test",/ && /"kind":"function"/ {
    if (!match($0, /"id":"([^"\\]|\\.)*","isParameterized"/)) next
    id = substr($0, RSTART + 6, RLENGTH - 6 - 19)
    gsub(/\\\//, "/", id)
    known[id] = 1
    next
}

/"kind":"testStarted"/ { started[name_of($0)] = instant_of($0) }
/"kind":"test(Skipped|Cancelled)"/ { skipped[name_of($0)] = 1 }
/"kind":"testEnded"/ {
    id = name_of($0)
    ended[id] = 1
    if (/"symbol":"fail"/) failed[id] = 1
    seconds[id] = instant_of($0) - started[id]
}

END {
    for (id in known) {
        if (id in failed) bad++
        else if (id in skipped) { passedOver++; delete seconds[id] }
        else if (id in ended) good++
        else if (id in started) { bad++; print "lost " id }
        else unrun++
    }
    # What was planned and never began is told as failed only when something died; a filter leaves no plan behind.
    bad += unrun
    for (n = 0; n < 3; n++) {
        worst = ""
        for (id in seconds) if ((id in known) && (worst == "" || seconds[id] > seconds[worst])) worst = id
        if (worst == "" || seconds[worst] < 5) break
        printf "slow %.1f %s\n", seconds[worst], worst
        delete seconds[worst]
    }
    printf "count %d %d %d\n", good, bad, passedOver
}
