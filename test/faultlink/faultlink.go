// Package faultlink is a TCP link that fails as networks and hung servers do: it
// stops forwarding, in one direction or both, and closes nothing; or it ends its
// connections and takes no others. It can also be long and lossy.
package faultlink

import (
	"io"
	"net"
	"sync"
	"time"
)

// Direction is a way through a link.
type Direction int

// The directions.
const (
	Up   Direction = iota // from who dials to the server
	Down                  // from the server
)

// T is what a link needs of the test that it lasts as long as.
type T interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}

// Link forwards connections to a server.
type Link struct {
	listener net.Listener
	server   string

	mu      sync.Mutex
	open    map[net.Conn]bool
	shut    [2]chan struct{} // closed while that direction forwards
	refuse  bool
	rate    [2]int // bytes a second; 0: all that the machine can
	weather weather
	ended   chan struct{}
}

// New makes a link to a server's address, which lasts as long as the test.
func New(t T, server string) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{listener: listener, server: server, open: map[net.Conn]bool{}, ended: make(chan struct{})}
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
	select {
	case <-l.ended:
		return
	case <-l.shut[d]:
		l.shut[d] = make(chan struct{})
	default: // it is cut
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

// Refuse ends the connections and refuses others, until it is called with false.
func (l *Link) Refuse(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse = yes; yes {
		l.closeAll()
	}
}

func (l *Link) accept(running *sync.WaitGroup) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.DialTimeout("tcp", l.server, 5*time.Second)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !l.keep(client, server) {
			_, _ = client.Close(), server.Close()
			continue
		}
		for _, c := range []net.Conn{client, server} {
			_ = c.(*net.TCPConn).SetReadBuffer(chunkSize)
		}
		l.forward(running, server, client, Up)
		l.forward(running, client, server, Down)
	}
}

// keep remembers connections for end; false if they are to be closed.
func (l *Link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.ended:
		return false
	default:
	}
	if l.refuse {
		return false
	}
	for _, c := range conns {
		l.open[c] = true
	}
	return true
}

func (l *Link) forget(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// forward reads and writes apart, so that a long link carries much at a time. One
// that is not long holds one chunk.
func (l *Link) forward(running *sync.WaitGroup, to, from net.Conn, d Direction) {
	chunks := make(chan chunk, maxUnderWay)
	running.Go(func() {
		defer close(chunks)
		for {
			data := make([]byte, chunkSize)
			n, err := from.Read(data)
			if n > 0 {
				c := chunk{data[:n], time.Now(), make(chan struct{})}
				if chunks <- c; !l.long() {
					<-c.done
				}
			}
			if err != nil {
				return
			}
		}
	})
	running.Go(func() {
		defer func() {
			l.forget(to)
			_, _ = to.Close(), from.Close()
			for c := range chunks { // until the reader noticed
				close(c.done)
			}
		}()
		for c := range chunks {
			carried := l.carry(to, c, d)
			if close(c.done); !carried {
				return
			}
		}
	})
}

// carry writes a chunk when it has arrived.
func (l *Link) carry(to io.Writer, c chunk, d Direction) bool {
	l.mu.Lock()
	pass, late, rate := l.shut[d], l.weather.delay(), l.rate[d]
	l.mu.Unlock()
	if wait := time.Until(c.read.Add(late)); wait > 0 {
		select {
		case <-time.After(wait):
		case <-l.ended:
			return false
		}
	}
	<-pass
	if rate > 0 {
		time.Sleep(time.Duration(len(c.data)) * time.Second / time.Duration(rate))
	}
	_, err := to.Write(c.data)
	return err == nil
}

func (l *Link) long() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.weather.Delay > 0
}

func (l *Link) end() {
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.ended)
	for d := range l.shut {
		l.heal(Direction(d))
	}
	l.closeAll()
}

func (l *Link) closeAll() {
	for c := range l.open {
		_ = c.Close()
	}
}
