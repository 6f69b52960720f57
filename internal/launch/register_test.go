package launch

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
)

// A gateway's own server gets its streams without a question, but an empty register is
// never made silently; one that is there is left as it is.
func TestEmbeddedRegisterIsNotMadeSilently(t *testing.T) {
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	conn, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 1, URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, made := range []bool{true, false} {
		var log bytes.Buffer
		p := &program{Options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		if err := p.applyEmbedded(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(log.String(), "KEYS does not exist and is made empty"); said != made {
			t.Errorf("the log says %q", log.String())
		}
		if there, err := conn.Exists(t.Context(), bus.Keys); err != nil || !there {
			t.Errorf("no KEYS: %v", err)
		}
	}
}
