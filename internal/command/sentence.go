package command

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/frostfleet/frostfleet/internal/plain"
)

// Sentence puts an error into words for people. Whoever returns an error says
// what was being done and on what; the innermost words are often those of Go's
// libraries, which say neither what is wrong nor what to do. Those are
// replaced here, wherever they are in the chain. Words of others, such as a gateway's or a
// server's, may be among them: control characters are left out, and lines stay.
func Sentence(err error) string {
	text := err.Error()
	walk(err, func(e error) bool {
		plain, ok := plainWords(e)
		if ok {
			text = replaceWords(text, e.Error(), plain)
		}
		return !ok // what is inside is replaced with it
	})
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

// walk visits an error and all that it wraps, until visit says stop.
func walk(err error, visit func(error) bool) {
	if err == nil || !visit(err) {
		return
	}
	switch e := err.(type) { //nolint:errorlint // one error of the chain at a time
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			walk(one, visit)
		}
	}
}

// replaceWords replaces old where it is not a part of a name or a longer word.
func replaceWords(text, old, plain string) string {
	for from := 0; old != ""; {
		i := strings.Index(text[from:], old)
		if i < 0 {
			break
		}
		i += from
		end := i + len(old)
		if (i == 0 || strings.ContainsRune(" (\n", rune(text[i-1]))) &&
			(end == len(text) || strings.ContainsRune(" )\n,;:", rune(text[end]))) {
			return text[:i] + plain + text[end:]
		}
		from = end
	}
	return text
}

// plainWords says what one error of a chain means, if it is one of a library
// whose words don't.
func plainWords(err error) (string, bool) {
	switch e := err.(type) { //nolint:errorlint // as in walk
	case *pflag.InvalidValueError:
		return flagWords(e), true
	case *fs.PathError:
		return fileWords(e)
	case *strconv.NumError:
		return fmt.Sprintf("%q is not a number in range", e.Num), true
	case *net.OpError:
		return networkWords(e)
	case *net.DNSError:
		return fmt.Sprintf("the host name %s can't be resolved: check its spelling and DNS", e.Name), true
	case x509.UnknownAuthorityError:
		return "the server's certificate is of an authority that this machine does not know: name its CA file", true
	}
	if words, ok := untyped[err.Error()]; ok {
		return words, true
	}
	return plain.Words(err)
}

const checkAddress = "check the address, and that the server runs"

// untyped are the words of errors without a type of their own, by their texts:
// some are of packages that may not be imported here.
var untyped = map[string]string{
	context.DeadlineExceeded.Error():            "timed out",
	context.Canceled.Error():                    "interrupted",
	"nats: no servers available for connection": "no NATS server answers",
	"nats: timeout":                             "the NATS server did not answer in time",
	"nats: no responders available for request": "nothing answers there: the fleet's streams may be missing " +
		"(frostctl bus apply)",
	"http: server gave HTTP response to HTTPS client": "the server does not speak TLS: set it up there, or use http:// on " +
		"this machine",
	"tls: first record does not look like a TLS handshake": "the server does not speak TLS: use nats://, " +
		"or set up TLS there",
}

func flagWords(e *pflag.InvalidValueError) string {
	flag := e.GetFlag()
	want := map[string]string{
		"int": "a whole number", "float64": "a number", "duration": "a duration such as 30s or 5m", "bool": "true or false",
	}[flag.Value.Type()]
	if want == "" {
		return fmt.Sprintf("--%s %.80q: %s", flag.Name, e.GetValue(), Sentence(e.Unwrap()))
	}
	var number *strconv.NumError
	if errors.As(e, &number) && errors.Is(number.Err, strconv.ErrRange) {
		want += " that is smaller"
	}
	return fmt.Sprintf("--%s %.80q: want %s", flag.Name, e.GetValue(), want)
}

func fileWords(e *fs.PathError) (string, bool) {
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		return e.Path + ": no such file or directory: check the path", true
	case errors.Is(e.Err, fs.ErrExist):
		return e.Path + " exists and is not overwritten: name another, or move it away", true
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("%s: this user may not %s it: check its owner and mode", e.Path, e.Op), true
	case errors.Is(e.Err, syscall.EISDIR):
		return e.Path + " is a directory: name a file", true
	case errors.Is(e.Err, syscall.ENOTDIR):
		return e.Path + ": not a directory: name one, or move the file away", true
	case errors.Is(e.Err, syscall.ENOSPC):
		return e.Path + ": the disk is full", true
	}
	return "", false
}

func networkWords(e *net.OpError) (string, bool) {
	if e.Addr == nil {
		return "", false
	}
	switch {
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens at %s: %s", e.Addr, checkAddress), true
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("another program listens at %s already: stop it, or use another port", e.Addr), true
	case e.Timeout():
		return fmt.Sprintf("%s does not answer: check the address, and the firewall", e.Addr), true
	case errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("this user may not listen at %s: use a port above 1023", e.Addr), true
	}
	return "", false
}
