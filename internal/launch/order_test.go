package launch

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestServersInOrder: nodes and gateways try the servers in the order of their files.
func TestServersInOrder(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 1)
	o.Embedded = nil
	for name, run := range map[string]func(ctx context.Context, url string) error{
		"node": func(ctx context.Context, url string) error {
			n := loadNode(t, dir, 0)
			n.Bus.URL = url
			return Node(ctx, n, o)
		},
		"gateway": func(ctx context.Context, url string) error {
			g := loadGateway(t, dir)
			g.Bus.Embedded, g.Bus.URL = false, url
			return Gateway(ctx, g, o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			urls, dialled := refusing(t, 50)
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, urls) }()
			for want := range 3 {
				select {
				case got := <-dialled:
					if got != want {
						t.Errorf("it tried server %d, want %d", got, want)
					}
				case err := <-ended:
					t.Fatal(err)
				}
			}
			cancel()
			if err := <-ended; err == nil {
				t.Error("it ended well without a server")
			}
		})
	}
}

// refusing are servers that end every connection, and say which one had it.
func refusing(t *testing.T, n int) (urls string, dialled <-chan int) {
	t.Helper()
	ch := make(chan int, 3) // the first three
	var all []string
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		all = append(all, fmt.Sprint("nats://", l.Addr()))
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				select {
				case ch <- i:
				default:
				}
				_ = conn.Close()
			}
		}()
	}
	return strings.Join(all, ","), ch
}
