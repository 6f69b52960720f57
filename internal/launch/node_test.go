package launch

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestNodeWaitsForItsDevice: a device that is away at start keeps the node
// waiting, which says for what; one that refuses ends it.
func TestNodeWaitsForItsDevice(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	identity := kms.CreateKey(kmstest.Identity)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // nobody answers there
	dir, o := newFleet(t, 1)
	n := loadNode(t, dir, 0)
	n.Node.KeyProvider = config.KeyProvider{Type: config.AWSKMS, KeyID: identity, Endpoint: "http://" + listener.Addr().String()}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tries := 0
	o.Log = slog.New(slog.NewTextHandler(onWrite(func(line string) {
		if strings.Contains(line, "key provider does not open") {
			if tries++; tries == 2 {
				cancel()
			}
		}
	}), nil))
	if err := Node(ctx, n, o); err == nil || tries != 2 || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("after %d tries: %v", tries, err)
	}

	n.Node.KeyProvider.Endpoint = kms.Endpoint()
	kms.Disable(identity)
	if err := Node(t.Context(), n, o); err == nil || !strings.Contains(err.Error(), "aws kms enable-key") {
		t.Errorf("a disabled key: %v", err)
	}
}
