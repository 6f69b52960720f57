package natsserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// childStore has this test binary start a server on a store, as a gateway does.
const childStore = "FROSTFLEET_TEST_STORE"

func TestMain(m *testing.M) {
	store := os.Getenv(childStore)
	if store == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	_, err := StartContext(ctx, Config{StoreDir: store, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	fmt.Fprintln(os.Stderr, "ended:", err)
	os.Exit(0)
}

// output is what a child says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// damaged is a store with one bit flipped in a message's sequence.
func damaged(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := startTest(t, dir, 0)
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "FROST_MAIN_KEYS", Subjects: []string{"k.>"}, Duplicates: time.Second,
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 85 {
		if _, err := js.Publish(t.Context(), fmt.Sprint("k.", i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	nc.Close()
	s.Shutdown()
	blocks, err := filepath.Glob(dir + "/jetstream/$G/streams/FROST_MAIN_KEYS/msgs/*.blk")
	if err != nil || len(blocks) != 1 {
		t.Fatalf("%v, %v", blocks, err)
	}
	block, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	record := 0
	for range 40 { // a record begins with its length, whose first bit has another meaning, and its sequence
		record += int(binary.LittleEndian.Uint32(block[record:]) &^ (1 << 31))
	}
	block[record+4+4] ^= 1 // 2^32 added: the server notes each sequence in between as deleted
	if err := os.WriteFile(blocks[0], block, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDamagedStore: a server that searches a damaged file for ever says what it is
// at, and lets its process end by SIGTERM.
func TestDamagedStore(t *testing.T) {
	said := new(output)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childStore+"="+damaged(t), "GOMEMLIMIT=1GiB")
	child.Stderr = said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = child.Wait(); close(ended) }()
	t.Cleanup(func() { _ = child.Process.Kill() })
	const patience = 2 * time.Minute
	for deadline := time.Now().Add(patience); !strings.Contains(said.String(), "still starting"); {
		if time.Now().After(deadline) {
			t.Fatalf("said %q", said)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatalf("does not end; said %q", said)
	}
	for _, want := range []string{"FROST_MAIN_KEYS", "context canceled: for ", "ended: embedded NATS server did not start"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("said %q, and not %q", said, want)
		}
	}
}
