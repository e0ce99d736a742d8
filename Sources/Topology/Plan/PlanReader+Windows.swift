import Model

extension PlanReader {
    func window(_ item: Item) -> AggregatePlan.Window? {
        guard let section = item.section else { return nil }
        if let size = section["tumbling"]?.span {
            return .tumbling(size: size, offset: offset(section, below: size))
        }
        if let size = section["hopping"]?.span { return hopping(size, section, item) }
        if let gap = section["session"]?.span { return session(gap, section) }
        if let size = section["cumulative"]?.span { return cumulative(size, section, item) }
        if let unit = section["calendar"]?.word.flatMap(CalendarUnit.init(rawValue:)) { return calendar(unit, section) }
        return nil
    }

    /// Less than the windows' step.
    private func offset(_ section: SectionItem, below step: TimeSpan) -> TimeSpan {
        guard let item = section["offset"], let offset = item.span else { return .zero }
        if offset >= step {
            problems.error(
                .badValue, at: item.place, item.path,
                "the offset is not smaller than the windows' step of \(CanonicalText.span(step.milliseconds))",
                next: "write what remains of it")
        }
        return offset
    }

    private func hopping(_ size: TimeSpan, _ section: SectionItem, _ item: Item) -> AggregatePlan.Window? {
        guard let every = section["every"]?.span else {
            if !section.broken.contains("every") {
                problems.error(
                    .missingKey, at: item.place, item.path, "`hopping` needs `every`", next: "say how far apart the windows begin"
                )
            }
            return nil
        }
        checkCount(size, every, item, next: "make `every` larger")
        return .hopping(size: size, every: every, offset: offset(section, below: every))
    }

    private func cumulative(_ size: TimeSpan, _ section: SectionItem, _ item: Item) -> AggregatePlan.Window? {
        guard let stepItem = section["step"], let step = stepItem.span else {
            if !section.broken.contains("step") {
                problems.error(
                    .missingKey, at: item.place, item.path, "`cumulative` needs `step`", next: "say by how much the windows grow"
                )
            }
            return nil
        }
        if size.milliseconds % step.milliseconds != 0 {
            problems.error(
                .contradiction, at: stepItem.place, stepItem.path,
                "\(CanonicalText.span(size.milliseconds)) is no multiple of the step of \(CanonicalText.span(step.milliseconds))",
                next: "write a step that divides the size")
        }
        checkCount(size, step, item, next: "make `step` larger")
        return .cumulative(size: size, step: step, offset: offset(section, below: size))
    }

    private func checkCount(_ size: TimeSpan, _ step: TimeSpan, _ item: Item, next: String) {
        guard
            size.milliseconds / TopologyLimits.windowsPerEvent > step.milliseconds
                || size.milliseconds > step.milliseconds * TopologyLimits.windowsPerEvent
        else { return }
        problems.error(
            .tooLarge, at: item.place, item.path,
            "an event would fall into more than \(TopologyLimits.windowsPerEvent) windows", next: next)
    }

    private func session(_ gap: TimeSpan, _ section: SectionItem) -> AggregatePlan.Window {
        if let item = section["offset"], item.span != .zero {
            problems.error(
                .contradiction, at: item.keyPlace, item.path, "a session begins with its first event",
                next: "leave the offset out")
        }
        return .session(gap: gap)
    }

    private func calendar(_ unit: CalendarUnit, _ section: SectionItem) -> AggregatePlan.Window? {
        if let item = section["offset"], item.span != .zero {
            problems.error(
                .contradiction, at: item.keyPlace, item.path, "a calendar's windows begin where the zone's clocks say",
                next: "leave the offset out, or write `tumbling` with an offset")
        }
        let weekStarts = section["week_starts"]
        if let item = weekStarts, item.word == "sunday", unit != .week {
            problems.error(
                .contradiction, at: item.keyPlace, item.path, "`week_starts` says nothing of \(unit.rawValue)s",
                next: "leave it out, or write `calendar: week`")
        }
        guard let item = section["zone"], let name = item.text else { return nil }
        do {
            return .calendar(unit, zone: try zone(name), weekStarts: weekStarts?.word == "sunday" ? 7 : 1)
        } catch {
            problems.error(
                .badValue, at: item.place, item.path, "the time zone `\(name)` is not known on this machine",
                next: "write an IANA name such as `Europe/Berlin`; the package tzdata brings them")
            return nil
        }
    }
}
