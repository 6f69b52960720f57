// Package faultlink is a TCP link that fails as networks and hung servers do: it
// stops forwarding, in one direction or both, and closes nothing.
package faultlink

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is a way through a link.
type Direction int

// The directions.
const (
	Up   Direction = iota // from who dials to the server
	Down                  // from the server
)

// linkBuffer is what a link takes at once, and what waits for that.
const linkBuffer = 32 << 10

// Link forwards connections to a server.
type Link struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	open  map[net.Conn]bool
	shut  [2]chan struct{} // closed while that direction forwards
	rate  [2]int           // bytes a second; 0: all that the machine can
	ended bool
}

// New makes a link to a server's address, which lasts as long as the test.
func New(t testing.TB, server string) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{listener: listener, server: server, open: map[net.Conn]bool{}}
	for d := range l.shut {
		l.shut[d] = make(chan struct{})
		close(l.shut[d])
	}
	var running sync.WaitGroup
	running.Go(func() { l.accept(&running) })
	t.Cleanup(func() { l.end(); running.Wait() })
	return l
}

// Addr is where to dial instead of the server.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut stops a direction, Heal lets it go on with what waits.
func (l *Link) Cut(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.shut[d] = make(chan struct{})
	}
}

// Slow lets through so many bytes a second in a direction, of each connection. Little
// waits inside of the link: who sends more has to keep it.
func (l *Link) Slow(d Direction, rate int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate[d] = rate
}

// Heal lets a direction that was cut go on, with what waits.
func (l *Link) Heal(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heal(d)
}

func (l *Link) heal(d Direction) {
	select {
	case <-l.shut[d]:
	default:
		close(l.shut[d])
	}
}

func (l *Link) accept(running *sync.WaitGroup) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.DialTimeout("tcp", l.server, 5*time.Second)
		if err != nil || !l.keep(client, server) {
			_ = client.Close()
			continue
		}
		for _, c := range []net.Conn{client, server} {
			_ = c.(*net.TCPConn).SetReadBuffer(linkBuffer)
		}
		running.Go(func() { l.forward(server, client, Up) })
		running.Go(func() { l.forward(client, server, Down) })
	}
}

// keep remembers connections for end; false after it.
func (l *Link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.open[c] = true
	}
	return !l.ended
}

func (l *Link) forward(to io.WriteCloser, from io.ReadCloser, d Direction) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, linkBuffer)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		pass, rate := l.shut[d], l.rate[d]
		l.mu.Unlock()
		<-pass
		if rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *Link) end() {
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for d := range l.shut {
		l.heal(Direction(d))
	}
	for c := range l.open {
		_ = c.Close()
	}
}
