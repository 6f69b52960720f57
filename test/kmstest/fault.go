package kmstest

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Operations of FaultKMS.
const (
	DescribeKey  = "DescribeKey"
	GetPublicKey = "GetPublicKey"
	Sign         = "Sign"
	GenerateMac  = "GenerateMac"
)

var operations = []string{DescribeKey, GetPublicKey, Sign, GenerateMac}

// A Fault is what goes wrong with a call, from top to bottom: the first field
// that is set answers it. Latency alone only delays the right answer.
type Fault struct {
	Latency time.Duration // before whatever follows; ends early when the caller hangs up
	Spread  float64       // of Latency, which is the median then: the deviation of its logarithm
	Hang    bool          // no answer at all, until the caller hangs up
	Drop    bool          // the connection is cut without an answer
	Code    string        // an error of this type, as in ThrottlingException
	Message string        // of the error
	Status  int           // of the error: 400 when zero
	Body    string        // this text in place of the answer, with Status or 200
	// Change spoils the right answer.
	Change   func(answer map[string]any)
	Truncate bool      // half of the right answer, then the connection is cut
	Date     time.Time // of the server's clock, as the answer has it

	Region string // only there
	Key    string // only for the key of this ARN
	Times  int    // so many calls, then never again; for ever when zero
}

// latency is that of one call.
func (f Fault) latency() time.Duration {
	return time.Duration(float64(f.Latency) * math.Exp(f.Spread*rand.NormFloat64()))
}

// FaultKMS is an imitation of KMS in memory, with faults. All its methods may
// be called while it serves.
type FaultKMS struct {
	URL string // once it is served

	mu      sync.Mutex
	keys    map[string]*faultKey // by id
	aliases map[string]string    // region/alias/NAME to id
	faults  map[string][]*Fault  // by operation
	counts  map[count]int
	conns   int
	closing chan struct{} // ends the calls that hang
}

type count struct{ operation, region, id string }

var _ Server = (*FaultKMS)(nil)

// NewFaultKMS gives one that is not served yet.
func NewFaultKMS() *FaultKMS {
	return &FaultKMS{
		keys: map[string]*faultKey{}, aliases: map[string]string{}, faults: map[string][]*Fault{},
		counts: map[count]int{}, closing: make(chan struct{}),
	}
}

// StartFaultKMS serves one on the loopback interface until the test ends.
func StartFaultKMS(t interface {
	Helper()
	Cleanup(func())
}) *FaultKMS {
	t.Helper()
	f := NewFaultKMS()
	server := httptest.NewUnstartedServer(f)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.conns++
		}
	}
	server.Start()
	t.Cleanup(func() {
		close(f.closing)
		server.Close()
	})
	f.URL = server.URL
	return f
}

// Endpoint gives the URL.
func (f *FaultKMS) Endpoint() string { return f.URL }

// Fault sets what goes wrong with an operation from now on, in place of what
// was set before: the first fault that fits a call is the one that happens.
func (f *FaultKMS) Fault(operation string, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[operation] = nil
	for _, fault := range faults {
		f.faults[operation] = append(f.faults[operation], &fault)
	}
}

// Everywhere sets the same faults for every operation.
func (f *FaultKMS) Everywhere(faults ...Fault) {
	for _, operation := range operations {
		f.Fault(operation, faults...)
	}
}

// Calls gives how many calls of an operation arrived since the start.
func (f *FaultKMS) Calls(operation string) int {
	return f.sum(func(c count) bool { return c.operation == operation })
}

// CallsIn counts those in one region.
func (f *FaultKMS) CallsIn(region, operation string) int {
	return f.sum(func(c count) bool { return c.operation == operation && c.region == region })
}

// CallsTo counts those with one key in one region.
func (f *FaultKMS) CallsTo(arn, operation string) int {
	region, resource := splitARN(arn)
	return f.sum(func(c count) bool { return c == count{operation, region, resource[len("key/"):]} })
}

// Connections gives how many were made since the start.
func (f *FaultKMS) Connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns
}

func (f *FaultKMS) sum(fits func(count) bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for c, calls := range f.counts {
		if fits(c) {
			n += calls
		}
	}
	return n
}

// fault takes the first that fits, and counts it down.
func (f *FaultKMS) fault(operation, region, id string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.faults[operation] {
		if fault.Region != "" && fault.Region != region || fault.Key != "" && fault.Key != keyARN(region, id) {
			continue
		}
		found := *fault
		if fault.Times > 0 {
			if fault.Times--; fault.Times == 0 {
				f.faults[operation] = slices.Delete(f.faults[operation], i, i+1)
			}
		}
		return found
	}
	return Fault{}
}

// happens does what a fault says, unless it leaves the right answer whole: it
// tells whether the call is over.
func (f *FaultKMS) happens(
	w http.ResponseWriter,
	r *http.Request,
	fault Fault,
	answer func() (map[string]any, *awsError),
) bool {
	if fault.Latency > 0 && !f.wait(r, fault.latency()) || fault.Hang && !f.wait(r, 365*24*time.Hour) {
		return true
	}
	if !fault.Date.IsZero() {
		w.Header().Set("Date", fault.Date.UTC().Format(http.TimeFormat))
	}
	switch {
	case fault.Drop:
		panic(http.ErrAbortHandler)
	case fault.Code != "":
		writeError(w, &awsError{fault.Code, fault.Message, fault.Status})
	case fault.Body != "":
		if fault.Status != 0 {
			w.WriteHeader(fault.Status)
		}
		_, _ = w.Write([]byte(fault.Body))
	case fault.Change != nil || fault.Truncate:
		out, failed := answer()
		if failed != nil {
			return false
		}
		if fault.Change != nil {
			fault.Change(out)
		}
		text, err := json.Marshal(out)
		if err != nil {
			panic(err)
		}
		if fault.Truncate {
			cut(w, text)
		}
		_, _ = w.Write(text)
	default:
		return false
	}
	return true
}

// cut announces the whole text, sends half of it and cuts the connection.
func cut(w http.ResponseWriter, text []byte) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: "
	_, _ = conn.Write(append([]byte(head+strconv.Itoa(len(text))+"\r\n\r\n"), text[:len(text)/2]...))
	_ = conn.Close()
	panic(http.ErrAbortHandler)
}

// wait tells whether the time passed before the caller hung up or the server
// closed.
func (f *FaultKMS) wait(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-f.closing:
	}
	return false
}
