import Model

/// When an event is too late for a session (S12). One that touches no open session would make one of its own: if that were closed,
/// it is late. Where sessions of several partitions are joined the event's own time decides, so that no partition needs to know
/// what another holds open.
extension OutputState {
    /// Alone the event would be late.
    @inline(__always)
    func isLateAlone(_ time: Int64, _ watermark: Int64) -> Bool {
        guard let sessions, plan.isKeyed else { return false }
        return time &+ sessions.pointee.gap &+ lateness.grid.lateness <= watermark
    }

    /// As `LatenessStage.judge`. The window of a refused event is the session that it would have made.
    mutating func judge(
        _ sessions: UnsafeMutablePointer<SessionStore>, _ columns: borrowing Columns, _ live: Int,
        _ scratch: borrowing BatchScratch
    ) {
        let gap = sessions.pointee.gap
        let reach = gap &+ lateness.grid.lateness
        let isKeyed = plan.isKeyed
        let bounds = lateness.grid.bounds
        for at in 0..<live {
            let row = Int(scratch.live[at])
            let time = scratch.times[row]
            firsts[row] = time
            lasts[row] = time
            if let admitted, admitted[row] != 1 {
                admissions[row] = Admission.none
            } else if time < bounds.lowerBound || time &+ gap > bounds.upperBound {
                admissions[row] = Admission.none
            } else if time &+ reach > scratch.before[row] {
                admissions[row] = Admission.taken
            } else if isKeyed {
                let bytes = group.write(columns, row)
                let isOpen = sessions.pointee.takes(
                    time, watermark: scratch.before[row], hash: groupHash(bytes), group: bytes)
                admissions[row] = isOpen ? Admission.taken : Admission.refused
            } else {
                admissions[row] = Admission.refused
            }
        }
    }
}
