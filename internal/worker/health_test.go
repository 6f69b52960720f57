package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keystore"
)

// TestKeystoreCheck: a keystore that took the last write not, or that somebody
// removed, is told of while the node runs; the next good write ends it.
func TestKeystoreCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, r := w.startNode()
	if err := node.Keystore(); err != nil {
		t.Errorf("a good keystore: %v", err)
	}
	full := errors.New("no space left on device")
	if err := node.written(full); !errors.Is(err, full) || !errors.Is(node.Keystore(), full) {
		t.Errorf("after a failed write: %v", node.Keystore())
	}
	if node.saveCursor(); node.Keystore() == nil {
		t.Error("a write of some bytes ended it")
	}
	if node.probeStore(); node.Keystore() != nil {
		t.Errorf("after a large write: %v", node.Keystore())
	}
	_ = node.written(full)
	if _ = node.written(keystore.ErrOtherTranscript); node.Keystore() != nil {
		t.Errorf("what the keystore turns away for its content: %v", node.Keystore())
	}
	if until := time.Until(node.SpeaksUntil()); until < time.Minute {
		t.Errorf("the session key of a new node ends in %s", until)
	}
	file := filepath.Join(w.Storage, keystore.FileName)
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if err := node.Keystore(); !errors.Is(err, keystore.ErrGone) || !strings.Contains(err.Error(), file) {
		t.Errorf("without its file: %v", err)
	}
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	node.sessions.drop()
	if !node.SpeaksUntil().IsZero() {
		t.Error("a silent node speaks")
	}
	r.Stop()
}
