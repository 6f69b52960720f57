package wire

import "time"

// OpenNode opens a message that node i sealed for a subject, as every party of
// the fleet would that finds it in the log: at is when it was stored.
func OpenNode(m *Manifest, i int, subject string, at time.Time, data []byte) ([]byte, error) {
	return NewOpener(m, nil).FromRound(i, LogMessage{Subject: subject, Time: at, Data: data})
}
