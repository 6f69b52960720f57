package protocol

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// badEntry reports what was dropped of KEYS, and why.
func badEntry(msg readMessage, err error) Report {
	r := Report{What: ReportBadEntry, Kind: wire.KindKeygen, ID: msg.Subject, Reason: err.Error(), Culprit: -1}
	if conflict, ok := errors.AsType[*board.ConflictError](err); ok {
		r.What, r.ID = ReportConflict, conflict.ID
	}
	return r
}
