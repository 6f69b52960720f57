package pin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// newTerminal gives both ends of a terminal: the person's, and the program's.
func newTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	var number, unlock uint32
	ioctl(t, person, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	ioctl(t, person, syscall.TIOCGPTN, unsafe.Pointer(&number))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program // which stays open: a prompt that was given up still reads it
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		t.Fatal(errno)
	}
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	var state syscall.Termios
	ioctl(t, terminal, syscall.TCGETS, unsafe.Pointer(&state))
	return state.Lflag&syscall.ECHO != 0
}

// question is where a prompt appears; it tells when.
type question struct {
	mu    sync.Mutex
	text  bytes.Buffer
	asked chan struct{}
}

func (q *question) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.text.Len() == 0 {
		close(q.asked)
	}
	return q.text.Write(p)
}

func (q *question) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.text.String()
}

// ask begins to prompt, and returns once the terminal shows nothing any more.
func ask(t *testing.T, ctx context.Context, program *os.File) (q *question, got chan error, pin *string) {
	t.Helper()
	q, got, pin = &question{asked: make(chan struct{})}, make(chan error, 1), new(string)
	go func() {
		p, err := Prompt(program, q, "PIN: ")(ctx)
		*pin = string(p.Expose())
		got <- err
	}()
	<-q.asked
	for deadline := time.Now().Add(2 * time.Minute); echoes(t, program); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terminal echoes")
		}
	}
	return q, got, pin
}

// TestPrompt: what is typed is not shown, and the terminal shows what comes
// afterwards.
func TestPrompt(t *testing.T) {
	person, program := newTerminal(t)
	if !IsTerminal(program) {
		t.Fatal("not a terminal")
	}
	for typed, want := range map[string]string{"1234\n": "1234", "\n": ""} {
		q, got, pin := ask(t, t.Context(), program)
		if _, err := person.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		err := <-got
		if *pin != want || (err == nil) != (want != "") || q.String() != "PIN: \n" {
			t.Errorf("%q: pin %q, %v, shown %q", typed, *pin, err, q)
		}
		if err != nil && !strings.Contains(err.Error(), "type it and press Return") {
			t.Error(err)
		}
		if !echoes(t, program) {
			t.Errorf("%q: the terminal does not echo afterwards", typed)
		}
	}
}

// TestPromptEnds: with its context, and the terminal has its echo back.
func TestPromptEnds(t *testing.T) {
	_, program := newTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, got, pin := ask(t, ctx, program)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) || *pin != "" {
		t.Errorf("%q, %v", *pin, err)
	}
	if !echoes(t, program) {
		t.Error("the terminal does not echo afterwards")
	}
}
