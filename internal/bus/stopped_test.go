package bus

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate passes on what it reads until it is shut.
type gate struct {
	io.Reader
	shut <-chan struct{}
	end  <-chan struct{}
}

func (g gate) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	select {
	case <-g.shut:
		<-g.end
	default:
	}
	return n, err
}

// behindGate is a server's address by way of a gate. Shut, it looks like a server
// that is stopped: connections stay open, and nothing is read from them.
func behindGate(t *testing.T, server string) (url string, shut func()) {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = l.Close() })
	closed := make(chan struct{})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", strings.TrimPrefix(server, "nats://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(up, gate{client, closed, t.Context().Done()}) }()
			go func() { _, _ = io.Copy(client, gate{up, closed, t.Context().Done()}) }()
		}
	}()
	return "nats://" + l.Addr().String(), func() { close(closed) }
}

// A server that is stopped, and not gone, takes nothing more once the buffers are
// full. nats.go waits in the write then, whatever the context says, and so does
// all else that asks about the connection: not for long.
func TestPublishToStoppedServer(t *testing.T) {
	url, stop := behindGate(t, startTest(t, t.TempDir(), -1).URL())
	b := connectTest(t, url, func(o *Options) { o.AckTimeout = time.Second })
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	var publishing sync.WaitGroup
	for i := range 32 {
		publishing.Go(func() {
			if _, err := b.Publish(ctx, deal(t, i), make([]byte, 900<<10), nil); err == nil {
				t.Error("stored by a server that is stopped")
			}
		})
	}
	done := make(chan struct{})
	go func() { publishing.Wait(); _ = b.Healthy(); close(done) }()
	select {
	case <-done:
	case <-time.After(45 * time.Second): // the library's own limit is a minute
		t.Error("still publishing, long after the context's end")
		<-done
	}
}
