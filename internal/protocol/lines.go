package protocol

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func logLine(name string, m wire.LogMessage) string {
	return fmt.Sprintf("%s %s, %d bytes", name, m.Subject, len(m.Data))
}

// outcome is "ok", or what went wrong.
func outcome(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// refLine names a batch, and its generation if that is a later one.
func refLine(ref wire.BatchRef) string {
	if ref.Generation == 0 {
		return ref.ID
	}
	return fmt.Sprintf("%s, generation %d", ref.ID, ref.Generation)
}
