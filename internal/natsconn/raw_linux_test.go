package natsconn

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/net/nettest"
)

// directPair is a TCP connection, the first end of which reads and writes directly.
func directPair(t *testing.T) (ours *directly, theirs *net.TCPConn) {
	t.Helper()
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	conn := must[net.Conn](t)(net.Dial("tcp", listener.Addr().String()))
	ours, ok := newDirectly(conn).(*directly)
	if !ok {
		t.Fatal("a TCP connection is not read directly")
	}
	theirs = must[net.Conn](t)(listener.Accept()).(*net.TCPConn)
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

// Much goes both ways at once, in parts of any size, through buffers that are full at times.
func TestDirectBothWays(t *testing.T) {
	t.Parallel()
	ours, theirs := directPair(t)
	sent, got := make([]byte, 8<<20), make(chan []byte)
	if _, err := rand.Read(sent); err != nil {
		t.Fatal(err)
	}
	go func() { // what comes goes back
		_, _ = io.Copy(theirs, theirs)
		_ = theirs.CloseWrite()
	}()
	go func() {
		all, err := io.ReadAll(iotest.HalfReader(ours))
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	for rest := sent; len(rest) > 0; {
		part := min(len(rest), 1+len(rest)/3)
		if n, err := ours.Write(rest[:part]); n != part || err != nil {
			t.Fatalf("%d of %d bytes written: %v", n, part, err)
		}
		rest = rest[part:]
	}
	if err := ours.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(<-got, sent) {
		t.Error("what came back is not what was sent")
	}
}

// A read that waits ends with its deadline and with the connection, as does a write into
// buffers that are full.
func TestDirectEnds(t *testing.T) {
	t.Parallel()
	forever := make([]byte, 64<<20)
	for name, do := range map[string]func(net.Conn) (int, error){
		"read":  func(c net.Conn) (int, error) { return c.Read(make([]byte, 1)) },
		"write": func(c net.Conn) (int, error) { return c.Write(forever) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, _ := directPair(t)
			if err := ours.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := do(ours); !errors.Is(err, os.ErrDeadlineExceeded) || n == len(forever) {
				t.Errorf("after the deadline: %d, %v", n, err)
			}
			_ = ours.SetDeadline(time.Time{})
			time.AfterFunc(20*time.Millisecond, func() { _ = ours.Close() })
			if _, err := do(ours); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

// What the system refuses is an error that says what it was.
func TestDirectErrors(t *testing.T) {
	t.Parallel()
	ours, theirs := directPair(t)
	if n, err := ours.Read(nil); n != 0 || err != nil {
		t.Errorf("nothing read: %d, %v", n, err)
	}
	if n, err := ours.Write(nil); n != 0 || err != nil {
		t.Errorf("nothing written: %d, %v", n, err)
	}
	_ = theirs.SetLinger(0)
	_ = theirs.Close() // by a reset
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after a reset: %v", err)
	}
	var op *net.OpError
	if _, err := ours.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) || !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("write after a reset: %v", err)
	}
}

// Reading and writing take no memory.
func TestDirectAllocatesNothing(t *testing.T) {
	ours, theirs := directPair(t)
	go func() { _, _ = io.Copy(theirs, theirs) }()
	p := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ours.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(ours, p); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("%.0f allocations", n)
	}
}

// The connections of a program that asks for it are read so, and no others.
func TestConnectionsAreDirect(t *testing.T) {
	t.Parallel()
	ours, _ := directPair(t)
	for _, want := range []bool{true, false} {
		l := &link{direct: want}
		conn := must[net.Conn](t)(l.Dial("tcp", listen(t)))
		defer conn.Close()
		if _, is := conn.(*socket).Conn.(*directly); is != want {
			t.Errorf("direct: %v, and it is a %T", want, conn.(*socket).Conn)
		}
	}
	if waiting, arrived := backlog(ours); waiting != 0 || arrived == 0 && !written(t, ours) {
		t.Errorf("the backlog is not known: %d waiting, %d arrived", waiting, arrived)
	}
}

// written writes a byte, and reports whether the backlog knows when it has arrived.
func written(t *testing.T, conn net.Conn) bool {
	t.Helper()
	must[int](t)(conn.Write([]byte("x")))
	eventually(t, "a byte arrives", func() bool { _, arrived := backlog(conn); return arrived > 0 })
	return true
}

func listen(t *testing.T) (address string) {
	t.Helper()
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// It is a net.Conn in all that package nettest knows of one: several readers and writers at
// once, deadlines in the past and in the future, the end meanwhile.
func TestDirectIsAConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		ours, theirs := directPair(t)
		return ours, newDirectly(theirs), func() { _, _ = ours.Close(), theirs.Close() }, nil
	})
}

// The race detector knows that what is written after a message was sent comes after it, and what
// is read once it came, too.
func TestDirectKeepsOrder(t *testing.T) {
	t.Parallel()
	ours, theirs := directPair(t)
	peer := newDirectly(theirs)
	said, seen := 0, make(chan int)
	go func() {
		_, _ = peer.Read(make([]byte, 1))
		seen <- said
	}()
	said = 1
	must[int](t)(ours.Write([]byte{1}))
	if n := <-seen; n != 1 {
		t.Errorf("%d was seen", n)
	}
}
