package wire

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// FreezeLine is a statement as commands print it with --json. One with a message can be
// published again.
type FreezeLine struct {
	ID     string       `json:"id"`
	Action FreezeAction `json:"action"`
	Scope  FreezeScope  `json:"scope,omitempty"`
	Name   string       `json:"name,omitempty"`
	By     string       `json:"administrator"`
	Time   time.Time    `json:"time"`
	Reason string       `json:"reason"`
	Lifts  []string     `json:"lifts,omitempty"`
	// Votes are those that an unfreeze has, of the quorum that it takes.
	Votes   []string `json:"votes,omitempty"`
	Quorum  int      `json:"quorum,omitempty"`
	Message string   `json:"message,omitempty"` // of CONTROL, hexadecimal; of a freeze in force
}

// Line is a freeze in force for printing.
func (f *Freeze) Line() FreezeLine {
	l := LineOf(f.ID, f.By, &f.FreezeStatement)
	l.Message = hex.EncodeToString(f.Message)
	return l
}

// LineOf is a statement for printing.
func LineOf(id [32]byte, by string, s *FreezeStatement) FreezeLine {
	l := FreezeLine{
		ID: hex.EncodeToString(id[:]), Action: s.Action, Scope: s.Scope, Name: s.Name, By: by, Time: s.At(), Reason: s.Reason,
	}
	for _, lifted := range s.Lifts {
		l.Lifts = append(l.Lifts, hex.EncodeToString(lifted[:]))
	}
	return l
}

// ParseFreezeLine reads what a line of JSON has to publish again: who said it, and the
// message.
func ParseFreezeLine(line []byte) (administrator string, message []byte, err error) {
	var l FreezeLine
	if err := json.Unmarshal(line, &l); err != nil {
		return "", nil, fmt.Errorf("not a line of freezes --json: %w", err)
	}
	message, err = hex.DecodeString(l.Message)
	if err != nil || len(message) == 0 || len(message) > MaxFreeze || !IsToken(l.By) {
		return "", nil, fmt.Errorf("freeze %.16q of administrator %.64q has no message to publish", l.ID, l.By)
	}
	return l.By, message, nil
}
