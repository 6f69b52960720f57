package natsconn

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// A program that has nothing to do but wait for messages does in a millisecond what each asks
// of it, and then waits again. Go's monitor of the scheduler (sysmon) wakes at the first system
// call of each such millisecond that Go was told of (entersyscall), and looks every 20 us from
// there on whether that call hangs: a third to a half of all that woke a thread while single
// signatures were made, and a sixth of the processor time. Reading and writing a socket hangs
// nowhere, as it is told not to (MSG_DONTWAIT), so Go is not told of it. It is told of every
// other system call, and before each function of the pool, which may compute for long (ADR 40).

// transfer reads or writes a socket without blocking, and gives how many bytes that took.
type transfer func(fd uintptr, p []byte) (n int, errno syscall.Errno)

// direct is one direction of a socket.
type direct struct {
	wait  func(attempt func(fd uintptr) (done bool)) error // until attempt is done: a method of syscall.RawConn
	move  transfer
	whole bool // all of p is to be moved

	mu  sync.Mutex // guards what attempt has of a call: as fields it costs no memory
	p   []byte
	n   int
	err syscall.Errno
	try func(fd uintptr) (done bool)
}

func newDirect(wait func(func(uintptr) bool) error, move transfer, whole bool) *direct {
	d := &direct{wait: wait, move: move, whole: whole}
	d.try = d.attempt
	return d
}

// attempt moves what it can, and is not done while the socket is not ready.
func (d *direct) attempt(fd uintptr) (done bool) {
	for {
		n, errno := d.move(fd, d.p[d.n:])
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return false
		case errno != 0:
			d.err = errno
			return true
		default:
			if d.n += n; n == 0 || !d.whole || d.n == len(d.p) {
				return true
			}
		}
	}
}

// do is net.Conn's Read or Write.
func (d *direct) do(p []byte) (n int, errno syscall.Errno, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p, d.n, d.err = p, 0, 0
	err = d.wait(d.try)
	d.p = nil
	return d.n, d.err, err
}

// directly is a TCP connection whose Read and Write make these system calls.
type directly struct {
	net.Conn
	in, out *direct
}

// newDirectly returns conn itself if it is no TCP connection, or on other systems than Linux.
func newDirectly(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok || receive == nil {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn // closed
	}
	return &directly{conn, newDirect(raw.Read, receive, false), newDirect(raw.Write, send, true)}
}

// Read implements net.Conn.
func (d *directly) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return d.Conn.Read(p)
	}
	n, errno, err := d.in.do(p)
	switch {
	case err != nil:
		return n, err
	case errno != 0:
		return n, d.failed("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (d *directly) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return d.Conn.Write(p)
	}
	n, errno, err := d.out.do(p)
	switch {
	case err != nil:
		return n, err
	case errno != 0:
		return n, d.failed("write", errno)
	case n < len(p):
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// failed is the error that package net would return.
func (d *directly) failed(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: errno}
}
