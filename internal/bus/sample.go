package bus

import (
	"fmt"
	"time"
)

// Sample is how the bus was when Watch last looked. What could not be asked is
// missing.
type Sample struct {
	At          time.Time
	RTT         time.Duration // to the server and back; 0 while disconnected
	ClockOffset time.Duration // this machine's clock minus the server's; 0 if that can't be told from none
	Streams     []StreamState
	Storage     []StorageState // only with Options.WatchStreams
	Consumers   []ConsumerState
	Followers   []FollowerState
	Credentials []Credential
}

// StreamState is how much a stream holds.
type StreamState struct {
	Stream          Stream
	Messages, Bytes uint64
	Last            uint64 // sequence: how many were ever stored
	MaxBytes        int64  // <= 0: none
}

// StorageState is what the fleet's account takes of the server's storage.
type StorageState struct {
	Kind  string // StorageFile or StorageMemory
	Used  uint64 // bytes
	Limit int64  // bytes; <= 0: none that the server tells
}

// The kinds of storage.
const (
	StorageFile   = "file"
	StorageMemory = "memory"
)

// ConsumerState is what waits at a declared consumer.
type ConsumerState struct {
	Durable        string
	Pending        uint64 // not delivered yet
	Unacknowledged uint64 // delivered, at any process
}

// FollowerState is how far reading is behind the end of a stream.
type FollowerState struct {
	Stream Stream
	Behind uint64        // messages
	For    time.Duration // to the interval of Watch
}

// Credential is something that this connection needs and that ends.
type Credential struct {
	Name    string // one of CredentialNames
	Expires time.Time
}

// What may expire.
const (
	CredentialCert   = "bus_tls_cert" // Options.TLSCert
	CredentialCA     = "bus_tls_ca"   // Options.TLSCA: the last of its certificates
	CredentialServer = "bus_server"   // what the server showed; known with a TLSCA, a TLSCert or a tls:// URL
	CredentialCreds  = "bus_creds"    // Options.Credentials, if it is a JWT
)

// CredentialNames are all of them.
var CredentialNames = []string{CredentialCert, CredentialCA, CredentialServer, CredentialCreds}

// taken is a sample and for how long it counts.
type taken struct {
	Sample
	every time.Duration
}

// Sample is the last one of Watch; false if there is none, or if it is older
// than three intervals.
func (b *Bus) Sample() (Sample, bool) {
	t := b.sampled.Load()
	if t == nil || time.Since(t.At) > 3*t.every {
		return Sample{}, false
	}
	return t.Sample, true
}

// Offset is this machine's clock minus the server's, as of the last sample.
func (b *Bus) Offset() time.Duration {
	s, _ := b.Sample()
	return s.ClockOffset
}

// maxLag is how far reading may be behind before the process is not ready:
// what it knows is older than most jobs then.
const maxLag = 30 * time.Second

// Lagging says which stream is read more than 30 s behind its end; nil if none
// is, or if Watch does not run.
func (b *Bus) Lagging() error {
	s, _ := b.Sample()
	for _, f := range s.Followers {
		if f.For > maxLag {
			return fmt.Errorf("%s is read %d messages and %d s behind its end", f.Stream, f.Behind, int(f.For.Seconds()))
		}
	}
	return nil
}
