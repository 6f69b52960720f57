package faultlink_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/faultlink"
)

// dial opens a connection through a new link to a server that echoes.
func dial(t *testing.T) (*faultlink.Link, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	l := faultlink.New(t, listener.Addr().String())
	conn, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return l, conn
}

// echo is how long a byte takes there and back.
func echo(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	if _, err := conn.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

// TestWeather: a link is never faster than its weather.
func TestWeather(t *testing.T) {
	l, conn := dial(t)
	echo(t, conn)
	for _, tt := range []struct {
		faultlink.Weather
		least time.Duration
	}{
		{faultlink.Weather{Delay: 40 * time.Millisecond}, 80 * time.Millisecond},
		{faultlink.Weather{Loss: 1, Resend: 50 * time.Millisecond}, 100 * time.Millisecond},
		{faultlink.Weather{Delay: 10 * time.Millisecond, Loss: 1}, 420 * time.Millisecond},
	} {
		l.Set(tt.Weather)
		if took := echo(t, conn); took < tt.least {
			t.Errorf("%+v: there and back in %s, want at least %s", tt.Weather, took, tt.least)
		}
	}
}

// TestDelayIsNoThrottle: what was written at once arrives together, and not one
// delay after the other.
func TestDelayIsNoThrottle(t *testing.T) {
	l, conn := dial(t)
	const delay, bytes = 500 * time.Millisecond, 20
	l.Set(faultlink.Weather{Delay: delay})
	start := time.Now()
	for range bytes {
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // chunks of their own
	}
	if _, err := io.ReadFull(conn, make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*delay || took > bytes*delay {
		t.Errorf("%s for %d bytes, want a little more than %s", took, bytes, 2*delay)
	}
}

// TestCut: what waits behind a cut arrives when it heals, and nothing is closed.
func TestCut(t *testing.T) {
	for _, d := range []faultlink.Direction{faultlink.Up, faultlink.Down} {
		l, conn := dial(t)
		echo(t, conn)
		l.Cut(d)
		l.Cut(d) // is cut
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%d bytes came through a cut, %v", n, err)
		}
		_ = conn.SetReadDeadline(time.Time{})
		l.Heal(d)
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Error(err)
		}
	}
}

// TestRefuse: connections end, others are refused, until that is over.
func TestRefuse(t *testing.T) {
	l, conn := dial(t)
	echo(t, conn)
	l.Refuse(true)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection goes on")
	}
	if other, err := net.Dial("tcp", l.Addr()); err == nil {
		defer other.Close()
		if _, err := other.Read(make([]byte, 1)); err == nil {
			t.Error("another connection is taken")
		}
	}
	l.Refuse(false)
	other, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	echo(t, other)
}
