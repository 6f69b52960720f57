package bus

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// blocked puts a file in the way of so many attempts to create a stream.
type blocked struct {
	jetstream.JetStream
	file     string
	attempts int
}

func (b *blocked) CreateStream(ctx context.Context, s jetstream.StreamConfig) (jetstream.Stream, error) {
	if b.attempts--; b.attempts < 0 {
		_ = os.Remove(b.file) // the server may have done so
	} else if err := os.WriteFile(b.file, nil, 0o600); err != nil {
		return nil, err
	}
	return b.JetStream.CreateStream(ctx, s)
}

// TestFilesInTheWay: what is left of a stream's files for a moment keeps nobody from making it
// anew; what stays is told with where to look.
func TestFilesInTheWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := connectTest(t, startTest(t, dir, -1).URL())
	ctx := testContext(t)
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	config, err := b.Config(ctx, Results)
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "*", "streams", b.names.stream(Results)))
	if err != nil || len(found) != 1 {
		t.Fatalf("the stream's directory: %q, %v", found, err)
	}
	for name, create := range map[string]func() error{
		"apply":  func() error { return b.Apply(ctx) },
		"create": func() error { return b.Create(ctx, Results, config) },
	} {
		for failures, fails := range map[int]bool{1: false, maxCreates - 1: false, maxCreates: true} {
			if err := b.Delete(ctx, Results); err != nil {
				t.Fatal(err)
			}
			real := b.nc.JS
			b.nc.JS = &blocked{real, found[0], failures}
			err := create()
			b.nc.JS = real
			_ = os.Remove(found[0])
			if (err != nil) != fails || fails && !strings.Contains(err.Error(), "the server's log says") {
				t.Errorf("%s, %d failures: %v", name, failures, err)
			}
		}
	}
}
